import { collect, engineStarter, failureOf, until, untilSteady } from './conformance-kit.ts';
import type { EngineSubject, TestEngine, TestKit } from './conformance-kit.ts';

/** Giving up, at any point, leaves nothing behind: no text, no busy slot, no connection. */
export function describeCancel(subject: EngineSubject, { describe, test, expect }: TestKit) {
  const { traits } = subject;
  const setUp = engineStarter(subject);
  const never = new AbortController().signal;
  const reason = new Error('canceled by the test');
  const maxTokens = 1_000_000;

  const untilClosed = async (engine: TestEngine) => {
    await until(async () => (await engine.stats()).busySlots === 0, 'all slots are freed');
    await until(async () => ((await engine.stats()).sockets ?? 0) === 0, 'connections are closed');
  };

  describe('OC-ADAPT-5005 cancel', () => {
    test('before anything was sent', async () => {
      const { engine, adapter, ask } = await setUp();
      await using _engine = engine;
      await using _adapter = adapter;
      const aborted = AbortSignal.abort(reason);
      expect(await failureOf(adapter.submit(ask(), collect().sink, aborted))).toBe(reason);
      await untilClosed(engine);
    });

    test('while connecting', async () => {
      const { engine, adapter, ask } = await setUp();
      await using _engine = engine;
      await using _adapter = adapter;
      const abort = new AbortController();
      const got = collect();
      const submitted = adapter.submit(ask({ maxTokens }), got.sink, abort.signal);
      abort.abort(reason);
      expect(await failureOf(submitted)).toBe(reason);
      await untilSteady(async () => (await engine.stats()).busySlots, 'the engine settles');
      expect((await engine.stats()).busySlots).toBe(0);
      expect(got.started).toBe(0);
    });

    test(`beyond what runs at once: ${traits.queues ? 'it leaves the engine’s queue' : 'it is refused as busy'}`, async () => {
      const { engine, adapter, ask } = await setUp({ slots: 1, endless: true });
      await using _engine = engine;
      await using _adapter = adapter;
      const first = new AbortController();
      const second = new AbortController();
      const gate = Promise.withResolvers<void>();
      const held = collect(() => gate.promise);
      const running = failureOf(adapter.submit(ask({ maxTokens }), held.sink, first.signal));
      await until(() => held.calls === 1, 'the slot is taken');
      const got = collect();
      const waiting = failureOf(adapter.submit(ask(), got.sink, second.signal));
      if (traits.queues) {
        await until(async () => (await engine.stats()).deferred === 1, 'the second waits');
        second.abort(reason);
        expect(await waiting).toBe(reason);
        await until(async () => (await engine.stats()).deferred === 0, 'the second has left');
      } else {
        expect(await waiting).toMatchObject({ fault: 'busy' });
        expect(await engine.stats()).toMatchObject({ busySlots: 1, deferred: 0 });
      }
      expect(got.started).toBe(0);
      first.abort(reason);
      expect(await running).toBe(reason);
      gate.resolve();
    });

    for (const [name, tokens] of [
      ['after the first token', 1],
      ['in the middle', 40],
    ] as const) {
      test(`${name}: nothing more arrives and the slot is freed`, async () => {
        const { engine, adapter, ask } = await setUp({ endless: true });
        await using _engine = engine;
        await using _adapter = adapter;
        const abort = new AbortController();
        const got = collect(({ pieces }) => {
          if (pieces.length >= tokens) abort.abort(reason);
        });
        const submitted = adapter.submit(ask({ maxTokens }), got.sink, abort.signal);
        expect(await failureOf(submitted)).toBe(reason);
        const calls = got.calls;
        await untilClosed(engine);
        expect(got.calls).toBe(calls);
      });
    }

    test('while the sink holds the engine back', async () => {
      const { engine, adapter, ask } = await setUp({ endless: true });
      await using _engine = engine;
      await using _adapter = adapter;
      const abort = new AbortController();
      const gate = Promise.withResolvers<void>();
      const got = collect(() => gate.promise);
      const submitted = failureOf(adapter.submit(ask({ maxTokens }), got.sink, abort.signal));
      await until(() => got.calls === 1, 'the first delivery');
      abort.abort(reason);
      expect(await submitted).toBe(reason);
      await untilClosed(engine);
      gate.resolve();
      await gate.promise;
      expect(got.calls).toBe(1);
    });

    test('a storm of 200 aborted submits leaves no socket and no busy slot', async () => {
      const { engine, adapter, ask } = await setUp({ slots: 8, endless: true }, { maxStreams: 32 });
      await using _engine = engine;
      await using _adapter = adapter;
      let outcomes = 0;
      const lane = async (index: number) => {
        for (let round = 0; round < 7; round++) {
          const abort = new AbortController();
          const stopAt = (index + round) % 4;
          const got = collect(({ calls }) => {
            if (calls > stopAt) abort.abort(reason);
          });
          const request = ask({ seed: index, maxTokens });
          const submitted = failureOf(adapter.submit(request, got.sink, abort.signal));
          if (stopAt === 0) setImmediate(() => abort.abort(reason));
          expect(await submitted).toBe(reason);
          outcomes += 1;
        }
      };
      await Promise.all(Array.from({ length: 30 }, (_, index) => lane(index)));
      expect(outcomes).toBe(210);
      await untilClosed(engine);
      const got = collect();
      const { tokensOut } = await adapter.submit(ask({ maxTokens: 12 }), got.sink, never);
      expect(tokensOut).toBe(12);
    });

    test('closing the adapter ends what is in flight', async () => {
      const { engine, adapter, ask } = await setUp({ endless: true });
      await using _engine = engine;
      const gate = Promise.withResolvers<void>();
      const got = collect(() => gate.promise);
      const failed = failureOf(adapter.submit(ask({ maxTokens }), got.sink, never));
      await until(() => got.calls === 1, 'the first token');
      await adapter[Symbol.asyncDispose]();
      gate.resolve();
      expect(await failed).toMatchObject({ name: 'EngineError', fault: 'broken' });
      await adapter[Symbol.asyncDispose]();
      await untilClosed(engine);
      const after = failureOf(adapter.submit(ask(), collect().sink, never));
      expect(await after).toMatchObject({ name: 'EngineError', fault: 'broken' });
    });
  });
}
