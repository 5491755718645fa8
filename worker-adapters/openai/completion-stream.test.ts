import { expect, test, vi } from 'vitest';
import { createStreamReader } from './completion-stream.ts';

/** Reads the events of one stream. */
const readAll = (...events: readonly (object | string)[]) => {
  const pieces: string[] = [];
  const onReasoning = vi.fn();
  const read = createStreamReader(0, onReasoning);
  const results = events.map((event) =>
    read(typeof event === 'string' ? event : JSON.stringify(event), pieces, []),
  );
  return { pieces, result: results.at(-1), reasoned: onReasoning.mock.calls.length };
};

const delta = (change: object, finish_reason: string | null = null) => ({
  choices: [{ index: 0, delta: change, finish_reason }],
});
const text = (content: string, finish_reason: string | null = null) => ({
  choices: [{ index: 0, text: content, finish_reason }],
});

test.each(['reasoning', 'reasoning_content'])(
  'OC-ADAPT-5087 %s is no text, and is told and counted',
  (field) => {
    const events = [
      delta({ role: 'assistant', content: '', [field]: '' }),
      delta({ content: '', [field]: 'hm' }),
      delta({ content: null, [field]: 'so' }),
      delta({ content: 'yes' }),
      delta({}, 'stop'),
      '[DONE]',
    ];
    const { pieces, result, reasoned } = readAll(...events);
    expect(pieces).toEqual(['yes']);
    expect(reasoned).toBe(2);
    expect(result).toMatchObject({ finishReason: 'stop', tokensOut: 3 });
  },
);

test('OC-ADAPT-5091 the empty usage Ollama puts on every chunk gives way to the true one', () => {
  const usage = (prompt_tokens: number, completion_tokens: number) => ({
    usage: { prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens },
  });
  const { result } = readAll(
    { ...text('a'), ...usage(0, 0) },
    { ...text('', 'stop'), ...usage(0, 0) },
    { choices: [], ...usage(3, 7) },
    '[DONE]',
  );
  expect(result).toMatchObject({ tokensIn: 3, tokensOut: 7 });
});

test('OC-ADAPT-5092 [DONE] without a finish_reason is broken', () => {
  expect(() => readAll(text('a'), '[DONE]')).toThrow(expect.objectContaining({ fault: 'broken' }));
});

test.each<[string, object, string]>([
  ['an object with a status', { error: { message: 'x', code: 429 } }, 'busy'],
  ['a status in digits', { error: { message: 'x', code: '400' } }, 'permanent'],
  ['an object with a word', { error: { message: 'x', code: 'server_error' } }, 'broken'],
  ['a text', { error: 'the runner died' }, 'broken'],
  ['a flat object', { object: 'error', message: 'x', code: 503 }, 'busy'],
  ['a detail', { detail: 'x' }, 'broken'],
])('OC-ADAPT-5089 an error in the stream: %s', (_name, event, fault) => {
  expect(() => readAll(text('a'), event)).toThrow(expect.objectContaining({ fault }));
});
