import { request } from 'undici';
import { expect, test } from 'vitest';
import { openOpenAi } from '@llama-orch/worker-adapters';
import type { EngineRequest, Sampling, TokenLogprob } from '@llama-orch/worker-adapters';
import { renderChat } from '../kit/chat.ts';
import { expectedLogprobs, expectedPieces } from '../kit/vocabulary.ts';
import { SIM_DIGEST, SIM_VERSION } from './control-answers.ts';
import { SIM_FLAVORS } from './flavors.ts';
import { SIM_MODEL } from './parse-request.ts';
import { violations } from './published-schemas.ts';
import { startOpenAiSim } from './sim.ts';
import type { OpenAiSim, OpenAiSimOptions } from './sim.ts';

/** What the adapter makes of each server, beyond the conformance suite. */

const MESSAGES = [{ role: 'user', content: 'naïve 古池?' }];
const TIMEOUTS = { connectMs: 10_000, controlMs: 10_000, headersMs: 10_000, bodyMs: 10_000 };
const never = new AbortController().signal;

const openAt = (sim: OpenAiSim, model: string | undefined = SIM_MODEL) =>
  openOpenAi({ url: sim.apiUrl, timeouts: TIMEOUTS, maxStreams: 4, model });

const SAMPLING: Sampling = {
  temperature: 0.8,
  topK: 0,
  topP: 0.95,
  minP: 0.05,
  stop: [],
  grammar: undefined,
  jsonSchema: undefined,
  logprobs: 0,
};

const requestOf = (prompt: EngineRequest['prompt'], sampling: Partial<Sampling> = {}) => ({
  taskId: 'task-1',
  correlationId: 'correlation-1',
  prompt,
  maxTokens: 6,
  seed: 42,
  deterministic: false,
  reuseKv: true,
  sampling: { ...SAMPLING, ...sampling },
});

const collect = () => {
  const events: string[] = [];
  const logprobs: (readonly TokenLogprob[])[] = [];
  const sink = {
    started: () => void events.push('started'),
    tokens: (pieces: readonly string[], given: readonly (readonly TokenLogprob[])[] = []) => {
      events.push(...pieces);
      logprobs.push(...given);
    },
  };
  return { events, logprobs, sink };
};

test('OC-ADAPT-5081 the server is told from its own routes', async () => {
  const props = await Promise.all(
    SIM_FLAVORS.map(async (flavor) => {
      await using sim = await startOpenAiSim({ flavor, slots: 3, ctx: 512 });
      await using adapter = openAt(sim);
      const { engineVersion, modelAlias, modelDigest, ctx, slots, kvTokens } =
        await adapter.props();
      return { engineVersion, modelAlias, modelDigest, ctx, slots, kvTokens };
    }),
  );
  const unknown = { modelAlias: SIM_MODEL, modelDigest: undefined, ctx: 512 };
  const unsized = { slots: undefined, kvTokens: undefined };
  expect(props).toEqual([
    { ...unknown, ...unsized, engineVersion: 'unknown', ctx: undefined },
    { ...unknown, engineVersion: `sglang ${SIM_VERSION}`, slots: 3, kvTokens: 1536 },
    {
      ...unknown,
      ...unsized,
      engineVersion: `ollama ${SIM_VERSION}`,
      modelAlias: `${SIM_MODEL}:latest`,
      modelDigest: `sha256:${SIM_DIGEST}`,
    },
    { ...unknown, ...unsized, engineVersion: 'lmstudio unknown' },
  ]);
});

test('OC-ADAPT-5085 the context of a model that is not loaded is unknown', async () => {
  for (const flavor of ['ollama', 'lmstudio'] as const) {
    await using sim = await startOpenAiSim({ flavor, loaded: false });
    await using adapter = openAt(sim);
    expect((await adapter.props()).ctx).toBeUndefined();
  }
});

test('OC-ADAPT-5083 each server is sent its own sampling fields, and an unknown one only OpenAI’s', async () => {
  const extra = await Promise.all(
    SIM_FLAVORS.map(async (flavor) => {
      await using sim = await startOpenAiSim({ flavor });
      await using adapter = openAt(sim);
      await adapter.props();
      const sampling = { stop: ['never said'] };
      for (const prompt of ['p', MESSAGES]) {
        await adapter.submit(requestOf(prompt, sampling), collect().sink, never);
        if (flavor !== 'generic') continue;
        const route = typeof prompt === 'string' ? 'Completion' : 'ChatCompletion';
        const schema = `openai#Create${route}Request`;
        expect(violations(schema, sim.lastCompletion)).toBeUndefined();
      }
      const { top_k, min_p, repetition_penalty, repeat_penalty } = sim.lastCompletion ?? {};
      return { top_k, min_p, repetition_penalty, repeat_penalty };
    }),
  );
  expect(extra).toEqual([
    {},
    { top_k: -1, min_p: 0.05, repetition_penalty: 1 },
    {},
    { top_k: 0, repeat_penalty: 1 },
  ]);
});

test.each(SIM_FLAVORS)(
  'OC-ADAPT-5087 reasoning of %s is no text, but starts the task and counts',
  async (flavor) => {
    await using sim = await startOpenAiSim({ flavor, reasoning: 3 });
    await using adapter = openAt(sim);
    const got = collect();
    const { tokensOut } = await adapter.submit(requestOf(MESSAGES), got.sink, never);
    expect(got.events).toEqual(['started', ...expectedPieces(renderChat(MESSAGES), 42, 6)]);
    // A server that tells usage tells the simulator's count, which leaves reasoning out.
    expect(tokensOut).toBe(flavor === 'generic' ? 9 : 6);
  },
);

test('OC-ADAPT-5087 the task starts with the reasoning, before there is text', async () => {
  await using sim = await startOpenAiSim({ reasoning: 1 });
  await using adapter = openAt(sim);
  sim.addFault({ kind: 'stall', after_tokens: 0 });
  const started = Promise.withResolvers<void>();
  const abort = new AbortController();
  const sink = { started: () => started.resolve(), tokens: () => {} };
  const submitted = adapter.submit(requestOf(MESSAGES), sink, abort.signal);
  await started.promise;
  abort.abort(new Error('enough'));
  await expect(submitted).rejects.toThrow('enough');
});

test('a status sent on arrival is not the start', async () => {
  await using sim = await startOpenAiSim({ slots: 1 });
  await using adapter = openAt(sim);
  sim.addFault({ kind: 'stall', after_tokens: 1 });
  const abort = new AbortController();
  const first = adapter.submit(requestOf('p'), collect().sink, abort.signal);
  await expect.poll(() => sim.stats.busySlots).toBe(1);
  const got = collect();
  const second = adapter.submit(requestOf('p'), got.sink, never);
  await expect.poll(() => sim.stats.deferred).toBe(1);
  expect(got.events).toEqual([]);
  abort.abort(new Error('enough'));
  await expect(first).rejects.toThrow('enough');
  await second;
  expect(got.events[0]).toBe('started');
});

test('OC-ADAPT-5089 a rate limit is busy, for as long as it says', async () => {
  await using sim = await startOpenAiSim();
  sim.addFault({ kind: 'http', status: 429 }, 2);
  const answer = await request(`${sim.apiUrl}/completions`, {
    method: 'POST',
    body: JSON.stringify({ model: SIM_MODEL, prompt: 'p' }),
  });
  await answer.body.dump();
  expect(answer.headers['retry-after']).toBe('1');
  await using adapter = openAt(sim);
  await expect(adapter.submit(requestOf('p'), collect().sink, never)).rejects.toMatchObject({
    fault: 'busy',
    status: 429,
    retryAfterMs: 1_000,
  });
});

test('OC-ADAPT-5088 a server of messages alone refuses text for good, and serves messages', async () => {
  await using sim = await startOpenAiSim({ textRoute: false });
  await using adapter = openAt(sim);
  await expect(adapter.submit(requestOf('p'), collect().sink, never)).rejects.toMatchObject({
    fault: 'permanent',
    message: 'the server has no route for text, only for messages',
  });
  await adapter.submit(requestOf(MESSAGES), collect().sink, never);
});

test('OC-ADAPT-5082 a model that is not listed is down, and no work is sent for it', async () => {
  for (const flavor of ['generic', 'ollama', 'lmstudio'] as const) {
    await using sim = await startOpenAiSim({ flavor });
    await using adapter = openAt(sim, 'other');
    const reason = 'the server does not list other';
    expect(await adapter.health()).toEqual({ state: 'down', reason });
    await expect(adapter.props()).rejects.toMatchObject({ fault: 'permanent', message: reason });
    await expect(adapter.submit(requestOf('p'), collect().sink, never)).rejects.toMatchObject({
      fault: 'broken',
      status: 404,
    });
  }
});

test('OC-ADAPT-5082 the only model of a server need not be named', async () => {
  await using sim = await startOpenAiSim();
  await using adapter = openOpenAi({ url: sim.apiUrl, timeouts: TIMEOUTS, maxStreams: 1 });
  expect(await adapter.health()).toEqual({ state: 'ready' });
  await adapter.props();
  await adapter.submit(requestOf('p'), collect().sink, never);
  expect(sim.lastCompletion?.['model']).toBe(SIM_MODEL);
});

test('OC-ADAPT-5082 once told, SGLang is asked for its own health', async () => {
  await using sim = await startOpenAiSim({ flavor: 'sglang' });
  await using adapter = openAt(sim);
  await adapter.props();
  expect(await adapter.health()).toEqual({ state: 'ready' });
});

test('OC-ADAPT-5086 without --enable-metrics the load of SGLang is unknown', async () => {
  await using sim = await startOpenAiSim({ flavor: 'sglang', metrics: false });
  await using adapter = openAt(sim);
  const unknown = { running: undefined, waiting: undefined, kvUsage: undefined };
  expect(await adapter.metrics()).toEqual(unknown);
});

test('OC-ADAPT-5018 messages and SGLang give up to twenty alternatives, LM Studio none', async () => {
  const given = async (
    flavor: OpenAiSimOptions['flavor'],
    prompt: EngineRequest['prompt'],
  ): Promise<unknown> => {
    await using sim = await startOpenAiSim({ flavor });
    await using adapter = openAt(sim);
    await adapter.props();
    const got = collect();
    await adapter.submit(requestOf(prompt, { logprobs: 20 }), got.sink, never);
    return got.logprobs;
  };
  const chat = renderChat(MESSAGES);
  expect(await given('generic', MESSAGES)).toEqual(expectedLogprobs(chat, 42, 6, 20));
  expect(await given('sglang', 'p')).toEqual(expectedLogprobs('p', 42, 6, 20));
  expect(await given('generic', 'p')).toEqual(expectedLogprobs('p', 42, 6, 5));
  expect(await given('lmstudio', 'p')).toEqual([[], [], [], [], [], []]);
});

test('OC-ADAPT-5080 without /v1 the routes stand at the end of the url', async () => {
  await using sim = await startOpenAiSim();
  await using adapter = openOpenAi({ url: sim.url, timeouts: TIMEOUTS, maxStreams: 1 });
  expect(await adapter.health()).toEqual({ state: 'down', reason: '/models answered 404' });
});
