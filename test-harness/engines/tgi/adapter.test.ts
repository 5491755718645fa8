import fc from 'fast-check';
import { expect, test } from 'vitest';
import { openTgi } from '@llama-orch/worker-adapters';
import type { EngineRequest, WorkerAdapter } from '@llama-orch/worker-adapters';
import { failureOf, until } from '@llama-orch/worker-adapters/conformance';
import { renderChat } from '../kit/chat.ts';
import { countPromptTokens, expectedPieces } from '../kit/vocabulary.ts';
import { violations } from './schema-check.ts';
import { startTgiSim } from './sim.ts';
import type { TgiSim } from './sim.ts';

/** What is TGI's alone: the rest the conformance suite asks of every adapter. */

const TIMEOUTS = { connectMs: 10_000, controlMs: 10_000, headersMs: 10_000, bodyMs: 10_000 };
const open = (sim: TgiSim) => openTgi({ url: sim.url, timeouts: TIMEOUTS, maxStreams: 4 });

const MESSAGES = [{ role: 'user', content: 'why?' }];
const REQUEST: EngineRequest = {
  taskId: 'task-1',
  correlationId: 'correlation-1',
  prompt: 'p',
  maxTokens: 200,
  seed: 1,
  deterministic: false,
  reuseKv: true,
  sampling: {
    temperature: 0.8,
    topK: 40,
    topP: 0.95,
    minP: 0.05,
    stop: [],
    grammar: undefined,
    jsonSchema: undefined,
    logprobs: 0,
  },
};

const withStop = (prompt: EngineRequest['prompt'], stop: readonly string[]): EngineRequest => ({
  ...REQUEST,
  prompt,
  sampling: { ...REQUEST.sampling, stop },
});

const submit = async (adapter: WorkerAdapter, request: EngineRequest) => {
  let text = '';
  const tokens = (pieces: readonly string[]) => void (text += pieces.join(''));
  const sink = { started() {}, tokens };
  const result = await adapter.submit(request, sink, new AbortController().signal);
  return { text, result };
};

const ROUTES = [
  ['text', 'p', 'p'],
  ['messages', MESSAGES, renderChat(MESSAGES)],
] as const;

for (const [name, prompt, rendered] of ROUTES) {
  const pieces = expectedPieces(rendered, 1, 200);
  const at = pieces.indexOf(' another');
  const before = pieces.slice(0, at).join('');

  test(`OC-ADAPT-5044 ${name}: a stop string that the engine sees is removed from the text`, async () => {
    await using sim = await startTgiSim({ tokens: 1000 });
    await using adapter = open(sim);
    const { text, result } = await submit(adapter, withStop(prompt, ['another']));
    expect(text).toBe(`${before} `);
    expect(result).toMatchObject({
      finishReason: 'stop',
      tokensOut: at + 1,
      tokensIn: countPromptTokens(rendered),
    });
    expect(sim.stats).toMatchObject({ finished: 1, canceled: 0 });
  });

  test(`OC-ADAPT-5044 ${name}: one inside a token ends the generation and frees the slot`, async () => {
    await using sim = await startTgiSim({ tokens: 1_000_000, ctx: 2_000_000 });
    await using adapter = open(sim);
    const request = { ...withStop(prompt, ['anoth']), maxTokens: 1_000_000 };
    const { text, result } = await submit(adapter, request);
    expect(text).toBe(`${before} `);
    expect(result).toMatchObject({
      finishReason: 'stop',
      tokensOut: at + 1,
      tokensIn: countPromptTokens(rendered),
    });
    await until(() => sim.stats.busySlots === 0, 'the slot is freed');
    expect(sim.stats).toMatchObject({ finished: 0, canceled: 1 });
    expect((await submit(adapter, { ...REQUEST, maxTokens: 3 })).result.tokensOut).toBe(3);
  });

  test(`OC-ADAPT-5044 ${name}: a stop string as the last token allowed is a stop`, async () => {
    await using sim = await startTgiSim({ tokens: 1000 });
    await using adapter = open(sim);
    const request = { ...withStop(prompt, ['another']), maxTokens: at + 1 };
    const { result } = await submit(adapter, request);
    expect(result).toMatchObject({ finishReason: 'stop', tokensOut: at + 1 });
  });
}

test('OC-ADAPT-5044 more stop strings than the engine takes are all obeyed', async () => {
  await using sim = await startTgiSim({ tokens: 1000, stopSequences: 2 });
  await using adapter = open(sim);
  await adapter.props();
  const { text, result } = await submit(adapter, withStop('p', ['#1', '#2', '#3', 'another']));
  expect(sim.lastCompletion?.['parameters']).toMatchObject({ stop: ['#1', '#2'] });
  expect(result.finishReason).toBe('stop');
  expect(text.endsWith(' ')).toBe(true);
});

test('OC-ADAPT-5048 KV tokens are told where the engine tells them', async () => {
  for (const batchMaxTotalTokens of [5000, undefined]) {
    await using sim = await startTgiSim({ batchMaxTotalTokens });
    await using adapter = open(sim);
    expect(await adapter.props()).toMatchObject({ kvTokens: batchMaxTotalTokens });
  }
});

test('OC-ADAPT-5050 one request more than the engine takes at once is busy, on either route', async () => {
  await using sim = await startTgiSim({ slots: 1, queue: 0 });
  await using adapter = open(sim);
  sim.addFault({ kind: 'stall', after_tokens: 1 });
  const abort = new AbortController();
  const started = Promise.withResolvers<void>();
  const sink = { started() {}, tokens: () => started.resolve() };
  const running = failureOf(adapter.submit(REQUEST, sink, abort.signal));
  await started.promise;
  for (const prompt of ['p', MESSAGES]) {
    const refused = await failureOf(submit(adapter, { ...REQUEST, prompt }));
    expect(refused).toMatchObject({ fault: 'busy', status: 429 });
  }
  abort.abort();
  await running;
});

test('OC-ADAPT-5050 a port that is closed means loading until it was open once', async () => {
  await using sim = await startTgiSim();
  await using adapter = open(sim);
  await sim.setLoading(true);
  expect(await adapter.health()).toEqual({ state: 'loading' });
  await sim.setLoading(false);
  expect(await adapter.health()).toEqual({ state: 'ready' });
  await sim.setLoading(true);
  expect(await adapter.health()).toMatchObject({ state: 'down' });
});

test('OC-ADAPT-5051 text and messages are counted with the special tokens of their route', async () => {
  await using sim = await startTgiSim();
  await using adapter = open(sim);
  for (const [, prompt, rendered] of ROUTES) {
    expect(await adapter.countTokens(prompt)).toBe(countPromptTokens(rendered));
  }
});

test('OC-ADAPT-5052 a request for probabilities is given none', async () => {
  await using sim = await startTgiSim();
  await using adapter = open(sim);
  const given: unknown[] = [];
  const sink = {
    started() {},
    tokens: (_: unknown, logprobs?: unknown) => void given.push(logprobs),
  };
  const request = { ...REQUEST, sampling: { ...REQUEST.sampling, logprobs: 5 } };
  await adapter.submit(request, sink, new AbortController().signal);
  expect(new Set(given)).toEqual(new Set([undefined]));
  expect(adapter.capabilities.features).not.toContain('logprobs');
});

test('OC-ADAPT-5053 messages without a bound get the rest of the context', async () => {
  await using sim = await startTgiSim({ ctx: 128, tokens: 1000 });
  await using adapter = open(sim);
  const { result } = await submit(adapter, { ...REQUEST, prompt: MESSAGES, maxTokens: undefined });
  expect(result.finishReason).toBe('length');
  expect(result.tokensIn + result.tokensOut).toBe(128);
  expect(sim.lastCompletion).toMatchObject({ max_tokens: result.tokensOut });
});

test('OC-ADAPT-5042 whatever the sampling, the engine takes it, and its schema knows every field', async () => {
  await using sim = await startTgiSim();
  await using adapter = open(sim);
  const sampling = fc.record({
    temperature: fc.oneof(fc.constantFrom(0, 1, 5), fc.double({ min: 0, max: 5, noNaN: true })),
    topK: fc.oneof(fc.constantFrom(0, 1), fc.nat(1_000_000)),
    topP: fc.oneof(fc.constantFrom(0, 1), fc.double({ min: 0, max: 1, noNaN: true })),
    minP: fc.double({ min: 0, max: 1, noNaN: true }),
    stop: fc.array(fc.string({ minLength: 1 }), { maxLength: 16 }),
    grammar: fc.constant(undefined),
    jsonSchema: fc.constantFrom(undefined, { type: 'object', properties: {} }),
    logprobs: fc.nat(20),
  });
  const property = fc.asyncProperty(
    sampling,
    fc.constantFrom('p', MESSAGES),
    async (given, prompt) => {
      await submit(adapter, { ...REQUEST, prompt, sampling: given, maxTokens: 2 });
      const schema = typeof prompt === 'string' ? 'GenerateRequest' : 'ChatRequest';
      expect(violations(schema, sim.lastCompletion)).toEqual([]);
    },
  );
  await fc.assert(property, { numRuns: 150 });
});
