import { collect, failureOf, PATIENT, requestOf, until, untilSteady } from './conformance-kit.ts';
import type { SimulatorSetup, Subject, TestKit } from './conformance-kit.ts';

/** What only a simulator can show: each piece of a stream however it is written, and what the engine feels. */
export function describeWire(
  { open, simulator, traits }: Subject,
  { describe, test, expect }: TestKit,
) {
  const setUp = async (setup: SimulatorSetup = {}, maxStreams = 8) => {
    const sim = await simulator(setup);
    return { sim, adapter: open({ url: sim.url, timeouts: PATIENT, maxStreams }) };
  };
  const never = new AbortController().signal;

  describe('wire', () => {
    test('gives the text in order, one piece per event, with the true counts', async () => {
      const { sim, adapter } = await setUp({ tokens: 100 });
      await using _sim = sim;
      await using _adapter = adapter;
      const request = requestOf({ maxTokens: 12 });
      const got = collect();
      const result = await adapter.submit(request, got.sink, never);
      expect(got.pieces).toEqual(sim.pieces(request.prompt, request.seed, 12));
      expect(got.started).toBe(1);
      expect(result).toMatchObject({ finishReason: 'length', tokensOut: 12 });
      if (traits.tellsUsage) expect(result.tokensIn).toBeGreaterThan(0);
    });

    if (traits.severalTokensPerChunk) {
      test('several tokens in one event are counted as such', async () => {
        const { sim, adapter } = await setUp({ tokens: 100, tokensPerChunk: 4 });
        await using _sim = sim;
        await using _adapter = adapter;
        const request = requestOf({ maxTokens: 30 });
        const got = collect();
        const result = await adapter.submit(request, got.sink, never);
        const pieces = sim.pieces(request.prompt, request.seed, 30);
        expect(got.pieces.join('')).toBe(pieces.join(''));
        expect(got.pieces.length).toBe(8);
        if (traits.tellsUsage) expect(result.tokensOut).toBe(30);
      });
    }

    for (const splitBytes of [1, 2, 3, 7]) {
      test(`OC-ADAPT-5007 code points cut into ${splitBytes}-byte chunks come out whole`, async () => {
        const { sim, adapter } = await setUp({ tokens: 200, splitBytes, commentEvery: 3 });
        await using _sim = sim;
        await using _adapter = adapter;
        const request = requestOf({ maxTokens: 120 });
        const got = collect();
        await adapter.submit(request, got.sink, never);
        expect(got.pieces).toEqual(sim.pieces(request.prompt, request.seed, 120));
      });
    }

    test('keep-alive comments are no tokens', async () => {
      const { sim, adapter } = await setUp({ tokens: 100, commentEvery: 1 });
      await using _sim = sim;
      await using _adapter = adapter;
      const request = requestOf();
      const got = collect();
      await adapter.submit(request, got.sink, never);
      expect(got.pieces).toEqual(sim.pieces(request.prompt, request.seed, 12));
    });

    test('a slow first token: started comes before it', async () => {
      const { sim, adapter } = await setUp({});
      await using _sim = sim;
      await using _adapter = adapter;
      sim.fail({ kind: 'slow-first', ms: 50 });
      const startedAtFirst: number[] = [];
      const got = collect((now) => void startedAtFirst.push(now.started));
      await adapter.submit(requestOf(), got.sink, never);
      expect(startedAtFirst[0]).toBe(1);
      expect(got.pieces.length).toBe(12);
    });

    for (const top of traits.maxLogprobs > 0 ? [1, traits.maxLogprobs] : []) {
      test(`OC-ADAPT-5018 each piece comes with the probabilities of its tokens: ${top} alternatives`, async () => {
        const { sim, adapter } = await setUp({ tokens: 100, tokensPerWrite: 7, splitBytes: 100 });
        await using _sim = sim;
        await using _adapter = adapter;
        const base = requestOf({ maxTokens: 60 });
        const request = { ...base, sampling: { ...base.sampling, logprobs: top } };
        const got = collect(() => new Promise((resolve) => setImmediate(resolve)));
        await adapter.submit(request, got.sink, never);
        expect(got.pieces).toEqual(sim.pieces(request.prompt, request.seed, 60));
        expect(got.logprobs).toEqual(sim.logprobs(request.prompt, request.seed, 60, top));
      });
    }

    test('OC-ADAPT-5018 a request for no probabilities is given none', async () => {
      const { sim, adapter } = await setUp({});
      await using _sim = sim;
      await using _adapter = adapter;
      const got = collect();
      await adapter.submit(requestOf(), got.sink, never);
      expect(got.logprobs).toBeUndefined();
    });

    test('requests one after another share a connection', async () => {
      const { sim, adapter } = await setUp({});
      await using _sim = sim;
      await using _adapter = adapter;
      for (let seed = 0; seed < 20; seed++) {
        await adapter.submit(requestOf({ seed }), collect().sink, never);
      }
      expect(sim.stats().sockets).toBeLessThanOrEqual(2);
    });

    test('OC-ADAPT-5006 a sink that holds stops the socket from being read', async () => {
      const tokens = traits.repeatsText === true ? 5_000 : 300_000;
      const { sim, adapter } = await setUp({ tokens, ctx: 2 * tokens, tokensPerWrite: 200 });
      await using _sim = sim;
      await using _adapter = adapter;
      const request = requestOf({ maxTokens: tokens });
      const gate = Promise.withResolvers<void>();
      const got = collect(({ calls }) => (calls === 1 ? gate.promise : undefined));
      const done = adapter.submit(request, got.sink, never);
      await until(() => got.calls === 1, 'the first delivery');
      const sentWhileHeld = await untilSteady(() => sim.stats().tokensSent, 'the engine waits');
      expect(sentWhileHeld).toBeLessThan(tokens);
      expect(got.calls).toBe(1);
      gate.resolve();
      const result = await done;
      expect(result.tokensOut).toBe(tokens);
      expect(got.pieces.join('')).toBe(sim.pieces(request.prompt, request.seed, tokens).join(''));
    });

    test('a sink that holds one stream does not disturb the next one on its connection', async () => {
      const { sim, adapter } = await setUp({}, 1);
      await using _sim = sim;
      await using _adapter = adapter;
      for (let seed = 0; seed < 10; seed++) {
        const got = collect(() => new Promise((resolve) => setImmediate(resolve)));
        const request = requestOf({ seed });
        await adapter.submit(request, got.sink, never);
        expect(got.pieces).toEqual(sim.pieces(request.prompt, seed, 12));
      }
    });

    test('giving up on text that has all arrived does not disturb the next stream', async () => {
      const { sim, adapter } = await setUp({ slots: 1 }, 2);
      await using _sim = sim;
      await using _adapter = adapter;
      const reason = new Error('canceled by the test');
      const abort = new AbortController();
      const first = collect(() => new Promise(() => {}));
      const held = failureOf(adapter.submit(requestOf(), first.sink, abort.signal));
      await until(() => first.calls === 1 && sim.stats().busySlots === 0, 'the engine is done');
      await untilSteady(() => sim.stats().tokensSent, 'the answer was read');

      const gate = Promise.withResolvers<void>();
      const second = collect(() => gate.promise);
      const request = requestOf({ seed: 2 });
      const running = adapter.submit(request, second.sink, never);
      await until(() => second.calls === 1, 'the second stream runs');
      abort.abort(reason);
      expect(await held).toBe(reason);
      gate.resolve();
      await running;
      expect(second.pieces).toEqual(sim.pieces(request.prompt, request.seed, 12));
    });

    test(`texts are ${traits.workloads.includes('embedding') ? 'embedded in their order' : 'not embedded, which is permanent'}`, async () => {
      const { sim, adapter } = await setUp();
      await using _sim = sim;
      await using _adapter = adapter;
      const inputs = ['rain', 'naïve 古池 🐸', ''];
      const request = { taskId: 'task-1', correlationId: 'correlation-1', inputs };
      const embedded = adapter.embed(request, never);
      if (!traits.workloads.includes('embedding')) {
        expect(await failureOf(embedded)).toMatchObject({ fault: 'permanent' });
        return;
      }
      const { embeddings, tokensIn } = await embedded;
      expect(embeddings).toEqual(inputs.map((text) => sim.embedding(text)));
      expect(tokensIn).toBeGreaterThan(0);
    });

    test(`documents are ${traits.workloads.includes('rerank') ? 'ranked best first' : 'not ranked, which is permanent'}`, async () => {
      const { sim, adapter } = await setUp();
      await using _sim = sim;
      await using _adapter = adapter;
      const documents = ['a dry day', 'rain in spring', 'snow'];
      const ids = { taskId: 'task-1', correlationId: 'correlation-1' };
      const request = { ...ids, query: 'rain', documents, topN: undefined };
      if (!traits.workloads.includes('rerank')) {
        const failure = await failureOf(adapter.rerank(request, never));
        expect(failure).toMatchObject({ fault: 'permanent' });
        return;
      }
      const all = await adapter.rerank(request, never);
      expect(all.results).toEqual(sim.ranking('rain', documents));
      const best = await adapter.rerank({ ...request, topN: 1 }, never);
      expect(best.results).toEqual(sim.ranking('rain', documents).slice(0, 1));
    });
  });
}
