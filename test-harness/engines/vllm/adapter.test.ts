import { expect, test } from 'vitest';
import { openVllm } from '@llama-orch/worker-adapters';
import type { EnginePrompt, EngineRequest, Sampling } from '@llama-orch/worker-adapters';
import { renderChat } from '../kit/chat.ts';
import { expectedLogprobs, expectedPieces } from '../kit/vocabulary.ts';
import { violation } from './schemas.ts';
import { startVllmSim } from './sim.ts';
import type { VllmSim } from './sim.ts';

/** What the conformance suite does not see: what the adapter sends, chat, and what only vLLM does. */

const MESSAGES = [{ role: 'user', content: 'naïve 古池?' }];
const TIMEOUTS = { connectMs: 10_000, controlMs: 10_000, headersMs: 10_000, bodyMs: 10_000 };
const open = (sim: VllmSim, model?: string) =>
  openVllm({ url: sim.url, timeouts: TIMEOUTS, maxStreams: 2, model });
const never = new AbortController().signal;

const requestOf = (
  prompt: EnginePrompt,
  change: Partial<EngineRequest> = {},
  sampling: Partial<Sampling> = {},
): EngineRequest => ({
  taskId: 'task-1',
  correlationId: 'correlation-1',
  prompt,
  maxTokens: 12,
  seed: 42,
  deterministic: true,
  reuseKv: true,
  ...change,
  sampling: {
    temperature: 0,
    topK: 0,
    topP: 0,
    minP: 0,
    stop: [],
    grammar: undefined,
    jsonSchema: undefined,
    logprobs: 0,
    ...sampling,
  },
});

/** A sink that keeps what it is given. */
const collect = () => {
  const pieces: string[] = [];
  const logprobs: unknown[] = [];
  return {
    pieces,
    logprobs,
    sink: {
      started: () => {},
      tokens: (texts: readonly string[], probabilities: readonly unknown[] = []) => {
        pieces.push(...texts);
        logprobs.push(...probabilities);
      },
    },
  };
};

test('beyond its bound of queued requests it refuses with 503', async () => {
  await using sim = await startVllmSim({ slots: 1, queue: 0 });
  await using adapter = open(sim);
  const abort = new AbortController();
  sim.addFault({ kind: 'stall', after_tokens: 1 });
  const running = adapter.submit(requestOf('p'), collect().sink, abort.signal);
  await expect.poll(() => sim.stats.busySlots).toBe(1);
  const refused = adapter.submit(requestOf('p'), collect().sink, never);
  await expect(refused).rejects.toMatchObject({ fault: 'busy', status: 503 });
  abort.abort(new Error('enough'));
  await expect(running).rejects.toThrow('enough');
});

test('OC-ADAPT-5021 what the adapter sends is what vLLM documents', async () => {
  await using sim = await startVllmSim();
  await using adapter = open(sim, 'sim');
  const requests: EngineRequest[] = [
    requestOf('p'),
    requestOf('p', { reuseKv: false, maxTokens: undefined }, { logprobs: 20, stop: ['x'] }),
    requestOf('p', {}, { grammar: 'root ::= "a"', temperature: 5, topK: 1_000_000 }),
    requestOf('p', {}, { jsonSchema: { type: 'object' }, topP: 1, minP: 1 }),
  ];
  for (const each of requests) {
    await adapter.submit(each, collect().sink, never);
    expect(violation('completion-request', sim.lastCompletion)).toBeUndefined();
    await adapter.submit({ ...each, prompt: MESSAGES }, collect().sink, never);
    expect(violation('chat-completion-request', sim.lastCompletion)).toBeUndefined();
  }
});

test('OC-ADAPT-5023 without a bound the rest of the context is asked for', async () => {
  await using sim = await startVllmSim({ ctx: 100, tokens: 1000 });
  await using adapter = open(sim);
  for (const prompt of ['why?', MESSAGES]) {
    const request = requestOf(prompt, { maxTokens: undefined });
    const result = await adapter.submit(request, collect().sink, never);
    expect(result.finishReason).toBe('length');
    expect(result.tokensIn + result.tokensOut).toBe(100);
  }
});

test('OC-ADAPT-5018 probabilities of chat come with their pieces', async () => {
  await using sim = await startVllmSim({ tokens: 100 });
  await using adapter = open(sim);
  const got = collect();
  const request = requestOf(MESSAGES, {}, { logprobs: 3 });
  await adapter.submit(request, got.sink, never);
  const text = renderChat(MESSAGES);
  expect(got.pieces).toEqual(expectedPieces(text, 42, 12));
  expect(got.logprobs).toEqual(expectedLogprobs(text, 42, 12, 3));
});

test('OC-ADAPT-5024 an error in a chat stream is the failure its code names', async () => {
  await using sim = await startVllmSim();
  await using adapter = open(sim);
  for (const [status, fault] of [
    [400, 'permanent'],
    [500, 'broken'],
    [503, 'busy'],
  ] as const) {
    sim.addFault({ kind: 'error-in-stream', after_tokens: 2, status });
    const got = collect();
    const failed = adapter.submit(requestOf(MESSAGES), got.sink, never);
    await expect(failed).rejects.toMatchObject({ fault, status });
    expect(got.pieces).toEqual(expectedPieces(renderChat(MESSAGES), 42, 2));
  }
});

test('OC-ADAPT-5022 a prefix is shared by all but those who ask for a cold start', async () => {
  await using sim = await startVllmSim();
  await using adapter = open(sim);
  const cached = async (taskId: string, reuseKv: boolean) => {
    const request = requestOf('0123456789'.repeat(10), { taskId, reuseKv });
    return (await adapter.submit(request, collect().sink, never)).cachedTokens;
  };
  expect(await cached('task-1', true)).toBe(0);
  expect(await cached('task-2', true)).toBe(96);
  expect(await cached('task-3', false)).toBe(0);
  expect(await cached('task-4', false)).toBe(0);
});

test('OC-ADAPT-5023 cached tokens are 0 where the engine does not tell them', async () => {
  await using sim = await startVllmSim({ promptTokensDetails: false });
  await using adapter = open(sim);
  const request = requestOf('0123456789'.repeat(10));
  await adapter.submit(request, collect().sink, never);
  const again = await adapter.submit(request, collect().sink, never);
  expect(again).toMatchObject({ tokensIn: 101, cachedTokens: 0 });
});

test('OC-ADAPT-5020 props name version, model, context and the size of the KV cache', async () => {
  await using sim = await startVllmSim({ slots: 2, ctx: 512 });
  await using adapter = open(sim);
  expect(await adapter.props()).toMatchObject({
    engineVersion: '0.29.0+simulator',
    modelAlias: 'sim',
    modelPath: '/models/sim',
    ctx: 512,
    kvTokens: 1024,
  });
});

test('OC-ADAPT-5025 KV use is told while a request runs', async () => {
  await using sim = await startVllmSim({ slots: 1, ctx: 1600 });
  await using adapter = open(sim);
  expect(await adapter.metrics()).toEqual({ running: 0, waiting: 0, kvUsage: 0 });
  sim.addFault({ kind: 'stall', after_tokens: 1 });
  const abort = new AbortController();
  const running = adapter.submit(requestOf('x'.repeat(790)), collect().sink, abort.signal);
  await expect.poll(async () => (await adapter.metrics()).kvUsage).toBe(0.5);
  abort.abort(new Error('enough'));
  await expect(running).rejects.toThrow('enough');
});

test('OC-ADAPT-5026 the start is told when a request runs, and not while it waits', async () => {
  await using sim = await startVllmSim({ slots: 1 });
  await using adapter = open(sim);
  const abort = new AbortController();
  sim.addFault({ kind: 'stall', after_tokens: 1 });
  const first = adapter.submit(requestOf('p'), collect().sink, abort.signal);
  await expect.poll(() => sim.stats.busySlots).toBe(1);
  const calls: string[] = [];
  const second = adapter.submit(
    requestOf('p', { maxTokens: 1 }),
    { started: () => void calls.push('started'), tokens: () => void calls.push('text') },
    never,
  );
  await expect.poll(() => sim.stats.deferred).toBe(1);
  expect(calls).toEqual([]);
  abort.abort(new Error('enough'));
  await expect(first).rejects.toThrow('enough');
  await second;
  expect(calls).toEqual(['started', 'text']);
});

test('OC-ADAPT-5029 a model made for one task refuses the others as permanent', async () => {
  await using sim = await startVllmSim({ embedding: false, rerank: false });
  await using adapter = open(sim);
  const ids = { taskId: 'task-1', correlationId: 'correlation-1' };
  const permanent = { fault: 'permanent', status: 404 };
  const embedded = adapter.embed({ ...ids, inputs: ['a'] }, never);
  await expect(embedded).rejects.toMatchObject(permanent);
  const ranking = { ...ids, query: 'a', documents: ['b'], topN: undefined };
  await expect(adapter.rerank(ranking, never)).rejects.toMatchObject(permanent);
});

test('OC-ADAPT-5027 a model that is not served is a fault of the set-up', async () => {
  await using sim = await startVllmSim();
  await using adapter = open(sim, 'other');
  await expect(adapter.props()).rejects.toMatchObject({ fault: 'garbage' });
  const submitted = adapter.submit(requestOf('p'), collect().sink, never);
  await expect(submitted).rejects.toMatchObject({ fault: 'broken', status: 404 });
});
