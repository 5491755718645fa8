import { EngineError } from '@llama-orch/worker-adapters';
import { describe, expect, test } from 'vitest';
import { FakeEngine } from '../testing/fake-engine.ts';
import { learnPromptEnvelope, wrappingOf } from './prompt-envelope.ts';

async function learn(
  template: (content: string) => string,
  chatTemplate: string | undefined = 'x',
) {
  const { openAdapter } = new FakeEngine({ template, props: { chatTemplate } });
  const timeouts = { connectMs: 1, controlMs: 1, headersMs: 1, bodyMs: 1 };
  const adapter = openAdapter({ url: 'http://fake', timeouts, maxStreams: 1 });
  return learnPromptEnvelope(adapter, await adapter.props(), new AbortController().signal);
}

test('OC-POOL-3005 a template that copies the content is learned', async () => {
  const envelope = await learn((content) => `<|user|>\n${content}</s>\n<|assistant|>\n`);
  expect(envelope).toEqual({ prefix: '<|user|>\n', suffix: '</s>\n<|assistant|>\n' });
});

describe('OC-POOL-3005 is rendered per request when the template', () => {
  test.each<[string, (content: string) => string]>([
    ['trims the content', (content) => `[INST] ${content.trim()} [/INST]`],
    ['escapes the content', (content) => `<u>${content.replaceAll('<', '&lt;')}</u>`],
    ['splits at reasoning markers', (content) => `<u>${content.split('</think>').at(-1)}</u>`],
    ['repeats the content', (content) => `${content}|${content}`],
    ['depends on the content', (content) => `${content.length}:${content}`],
    ['leaves the content out', () => '<u></u>'],
  ])('%s', async (_name, template) => {
    expect(await learn(template)).toBe('render');
  });

  test('prints the time', async () => {
    expect(await learn((content) => content, '{{ strftime_now("%d") }}')).toBe('render');
  });

  test('refuses the probe', async () => {
    const refuse = (): never => {
      throw new EngineError('permanent', 'llamacpp', 'template: unsupported');
    };
    expect(await learn(refuse)).toBe('render');
  });
});

test('a model without a template has no envelope', async () => {
  const { openAdapter } = new FakeEngine();
  const timeouts = { connectMs: 1, controlMs: 1, headersMs: 1, bodyMs: 1 };
  const adapter = openAdapter({ url: 'http://fake', timeouts, maxStreams: 1 });
  const props = { ...(await adapter.props()), chat: 'none' as const };
  expect(await learnPromptEnvelope(adapter, props, new AbortController().signal)).toBeUndefined();
});

test('an engine that breaks while it is probed fails the probe', async () => {
  const breaks = (): never => {
    throw new EngineError('broken', 'llamacpp', 'connection reset');
  };
  await expect(learn(breaks)).rejects.toThrow('connection reset');
});

test('content at the very edge of the rendering has an empty wrapping', () => {
  expect(wrappingOf('abc', 'abc')).toEqual({ prefix: '', suffix: '' });
});
