import type { ChatRendering, ReplicaHandle } from '@llama-orch/pool-managerd';
import { expect, test } from 'vitest';
import { renderPrompt } from './render-prompt.ts';

const signal = new AbortController().signal;
const MESSAGES = [{ role: 'user' as const, content: 'hi' }];
const ENVELOPE = { prefix: '<', suffix: '>' };

/** A replica that renders by writing down what it was given. */
function replica(envelope: ChatRendering | undefined): ReplicaHandle {
  const adapter = { applyTemplate: (messages: unknown) => `rendered ${JSON.stringify(messages)}` };
  return { envelope, adapter } as unknown as ReplicaHandle;
}

test.each([
  ['raw', ENVELOPE, 'hi'],
  ['auto', ENVELOPE, '<hi>'],
  ['chat', ENVELOPE, '<hi>'],
  ['auto', undefined, 'hi'],
  ['auto', 'engine', MESSAGES],
  ['auto', 'render', `rendered ${JSON.stringify(MESSAGES)}`],
] as const)('OC-CTRL-2015 a bare prompt as %s under %j', (format, envelope, expected) => {
  expect(renderPrompt({ prompt: 'hi' }, format, replica(envelope), signal)).toEqual(expected);
});

test('messages are rendered by the engine, at once or when it gets them', () => {
  const rendered = `rendered ${JSON.stringify(MESSAGES)}`;
  const request = { messages: MESSAGES };
  expect(renderPrompt(request, 'auto', replica(ENVELOPE), signal)).toBe(rendered);
  expect(renderPrompt(request, 'auto', replica('engine'), signal)).toBe(MESSAGES);
});

test.each([
  [{ messages: MESSAGES }, 'auto', '/messages'],
  [{ prompt: 'hi' }, 'chat', '/prompt_format'],
] as const)(
  'what only a chat template can render is refused without one: %j as %s',
  (request, format, path) => {
    const refused = {
      kind: 'INVALID_PARAMS',
      details: [{ path, message: expect.any(String) as string }],
    };
    expect(() => renderPrompt(request, format, replica(undefined), signal)).toThrow(
      expect.objectContaining(refused) as Error,
    );
  },
);
