import {
  collect,
  failureOf,
  PATIENT,
  requestOf,
  SECRET,
  until,
  untilSteady,
} from './conformance-kit.ts';
import type {
  Refusal,
  SimulatorFault,
  SimulatorSetup,
  Subject,
  TestKit,
} from './conformance-kit.ts';
import { EngineError } from './types.ts';
import type { AdapterTimeouts, EngineFault } from './types.ts';

/** How each misbehaviour of an engine is named, and that giving up leaves nothing behind. */
export function describeFaults(
  { open, simulator, traits }: Subject,
  { describe, test, expect }: TestKit,
) {
  const setUp = async (
    setup: SimulatorSetup = {},
    { maxStreams = 8, ...timeouts }: Partial<AdapterTimeouts> & { maxStreams?: number } = {},
  ) => {
    const sim = await simulator(setup);
    const adapter = open({ url: sim.url, timeouts: { ...PATIENT, ...timeouts }, maxStreams });
    return { sim, adapter };
  };
  const never = new AbortController().signal;

  const expectFault = async (submitted: Promise<unknown>, fault: EngineFault) => {
    const error = await failureOf(submitted);
    expect(error).toBeInstanceOf(EngineError);
    expect(error).toMatchObject({ fault });
    expect((error as EngineError).message).not.toContain(SECRET);
  };

  describe('faults', () => {
    const inStream: readonly (readonly [SimulatorFault, EngineFault])[] = [0, 1, 5].flatMap(
      (after_tokens) => [
        [{ kind: 'cut', after_tokens }, 'broken'],
        [{ kind: 'error-in-stream', after_tokens }, 'broken'],
        [{ kind: 'garbage', after_tokens }, 'garbage'],
        [{ kind: 'stall', after_tokens }, 'timeout'],
        ...(traits.endsByEvent ? ([[{ kind: 'eof', after_tokens }, 'broken']] as const) : []),
      ],
    );
    for (const [fault, expected] of inStream) {
      const after = 'after_tokens' in fault ? fault.after_tokens : 0;
      test(`OC-ADAPT-5003 ${fault.kind} after ${after} tokens is ${expected}, and its text arrives`, async () => {
        const bodyMs = fault.kind === 'stall' ? 200 : PATIENT.bodyMs;
        const { sim, adapter } = await setUp({}, { bodyMs });
        await using _sim = sim;
        await using _adapter = adapter;
        sim.fail(fault);
        const request = requestOf();
        const got = collect();
        await expectFault(adapter.submit(request, got.sink, never), expected);
        expect(got.pieces).toEqual(sim.pieces(request.prompt, request.seed, after));

        const again = collect();
        await adapter.submit(request, again.sink, never);
        expect(again.pieces).toEqual(sim.pieces(request.prompt, request.seed, 12));
      });
    }

    test('OC-ADAPT-5008 an engine that accepts and never answers is a timeout', async () => {
      const { sim, adapter } = await setUp({}, { headersMs: 200 });
      await using _sim = sim;
      await using _adapter = adapter;
      sim.fail({ kind: 'hang' });
      const got = collect();
      await expectFault(adapter.submit(requestOf(), got.sink, never), 'timeout');
      expect(got.started).toBe(0);
    });

    const refusals: Readonly<Record<Refusal, EngineFault>> = {
      invalid: 'permanent',
      overload: 'busy',
      internal: 'broken',
      unauthorized: 'broken',
      'unknown-route': traits.unknownRoute ?? 'garbage',
    };
    for (const why of Object.keys(refusals) as Refusal[]) {
      test(`OC-ADAPT-5004 refused as ${why} is ${refusals[why]}`, async () => {
        const { sim, adapter } = await setUp();
        await using _sim = sim;
        await using _adapter = adapter;
        sim.fail({ kind: 'refuse', why });
        await expectFault(adapter.submit(requestOf(), collect().sink, never), refusals[why]);
      });
    }

    for (const [seconds, retryAfterMs] of [
      [7, 7_000],
      [86_400, 3_600_000],
    ]) {
      test(`OC-ADAPT-5019 an overloaded engine that asks for ${seconds} s is given ${retryAfterMs} ms`, async () => {
        const { sim, adapter } = await setUp();
        await using _sim = sim;
        await using _adapter = adapter;
        const refuse = (why: Refusal) =>
          sim.fail({ kind: 'refuse', why, headers: { 'retry-after': String(seconds) } });
        refuse('overload');
        const generation = failureOf(adapter.submit(requestOf(), collect().sink, never));
        expect(await generation).toMatchObject({ fault: 'busy', retryAfterMs });
        refuse('invalid');
        const invalid = failureOf(adapter.submit(requestOf(), collect().sink, never));
        expect(await invalid).toMatchObject({ fault: 'permanent', retryAfterMs: undefined });
        if (!traits.workloads.includes('embedding')) return;
        refuse('overload');
        const ids = { taskId: 'task-1', correlationId: 'correlation-1' };
        const embedding = failureOf(adapter.embed({ ...ids, inputs: ['rain'] }, never));
        expect(await embedding).toMatchObject({ fault: 'busy', retryAfterMs });
      });
    }

    for (const why of traits.refusesInStream) {
      test(`OC-ADAPT-5004 refused as ${why} under status 200 is ${refusals[why]}`, async () => {
        const { sim, adapter } = await setUp();
        await using _sim = sim;
        await using _adapter = adapter;
        sim.fail({ kind: 'refuse-in-stream', why });
        await expectFault(adapter.submit(requestOf(), collect().sink, never), refusals[why]);
      });
    }

    test(`OC-ADAPT-5004 a prompt longer than the context is ${traits.cutsPrompts === true ? 'cut' : 'permanent'}`, async () => {
      const { sim, adapter } = await setUp({ ctx: 64 });
      await using _sim = sim;
      await using _adapter = adapter;
      const request = requestOf({ prompt: `${SECRET} `.repeat(100) });
      const submitted = adapter.submit(request, collect().sink, never);
      if (traits.cutsPrompts === true) expect((await submitted).tokensIn).toBeLessThan(64);
      else await expectFault(submitted, 'permanent');
    });

    test('OC-ADAPT-5004 a loading engine is not ready, and works once it is', async () => {
      const { sim, adapter } = await setUp();
      await using _sim = sim;
      await using _adapter = adapter;
      await sim.setLoading(true);
      expect(await adapter.health()).toEqual({ state: 'loading' });
      await expectFault(adapter.submit(requestOf(), collect().sink, never), 'not-ready');
      await sim.setLoading(false);
      expect(await adapter.health()).toEqual({ state: 'ready' });
      await adapter.submit(requestOf(), collect().sink, never);
    });

    test('an engine that is gone is down, and a submit to it is broken', async () => {
      const { sim, adapter } = await setUp();
      await using _adapter = adapter;
      expect(await adapter.health()).toEqual({ state: 'ready' });
      await sim[Symbol.asyncDispose]();
      expect(await adapter.health()).toMatchObject({ state: 'down' });
      await expectFault(adapter.submit(requestOf(), collect().sink, never), 'broken');
    });

    test('OC-ADAPT-5008 a submit beyond maxStreams is busy at once', async () => {
      const { sim, adapter } = await setUp({ slots: 4 }, { maxStreams: 2 });
      await using _sim = sim;
      await using _adapter = adapter;
      const abort = new AbortController();
      const held = [0, 1].map((seed) => {
        sim.fail({ kind: 'stall', after_tokens: 1 });
        return failureOf(adapter.submit(requestOf({ seed }), collect().sink, abort.signal));
      });
      await expectFault(adapter.submit(requestOf(), collect().sink, never), 'busy');
      await until(() => sim.stats().busySlots === 2, 'both have arrived');
      abort.abort();
      await Promise.all(held);
      await adapter.submit(requestOf(), collect().sink, never);
    });

    test('what a sink throws ends the stream and is what submit rejects with', async () => {
      const { sim, adapter } = await setUp();
      await using _sim = sim;
      await using _adapter = adapter;
      for (const fail of ['throws', 'rejects']) {
        const broken = new Error('the reader broke');
        const got = collect(() => {
          if (fail === 'throws') throw broken;
          return Promise.reject(broken);
        });
        sim.fail({ kind: 'stall', after_tokens: 1 });
        expect(await failureOf(adapter.submit(requestOf(), got.sink, never))).toBe(broken);
        expect(got.calls).toBe(1);
        await until(() => sim.stats().busySlots === 0, 'the slot is freed');
      }
    });

    test('closing the adapter ends what is in flight', async () => {
      const { sim, adapter } = await setUp();
      await using _sim = sim;
      sim.fail({ kind: 'stall', after_tokens: 1 });
      const got = collect();
      const submitted = adapter.submit(requestOf(), got.sink, never);
      const failed = expectFault(submitted, 'broken');
      await until(() => got.calls === 1, 'the first token');
      await adapter[Symbol.asyncDispose]();
      await failed;
      await adapter[Symbol.asyncDispose]();
      await until(() => sim.stats().sockets === 0, 'all connections are closed');
      await expectFault(adapter.submit(requestOf(), collect().sink, never), 'broken');
    });
  });

  describe('OC-ADAPT-5005 cancel', () => {
    const reason = new Error('canceled by the test');

    test('before anything was sent', async () => {
      const { sim, adapter } = await setUp();
      await using _sim = sim;
      await using _adapter = adapter;
      const got = collect();
      const aborted = AbortSignal.abort(reason);
      expect(await failureOf(adapter.submit(requestOf(), got.sink, aborted))).toBe(reason);
      expect(sim.stats().sockets).toBe(0);
    });

    test('while connecting', async () => {
      const { sim, adapter } = await setUp();
      await using _sim = sim;
      await using _adapter = adapter;
      const abort = new AbortController();
      const got = collect();
      const submitted = adapter.submit(requestOf(), got.sink, abort.signal);
      abort.abort(reason);
      expect(await failureOf(submitted)).toBe(reason);
      await untilSteady(() => sim.stats().sockets, 'connections settle');
      expect(sim.stats().busySlots).toBe(0);
      expect(got.started).toBe(0);
    });

    if (!traits.queues) {
      test('a request beyond what it runs at once is refused as busy, and leaves nothing behind', async () => {
        const { sim, adapter } = await setUp({ slots: 1 });
        await using _sim = sim;
        await using _adapter = adapter;
        const abort = new AbortController();
        sim.fail({ kind: 'stall', after_tokens: 1 });
        const running = failureOf(adapter.submit(requestOf(), collect().sink, abort.signal));
        await until(() => sim.stats().busySlots === 1, 'the slot is taken');
        const refused = failureOf(adapter.submit(requestOf(), collect().sink, never));
        expect(await refused).toMatchObject({ fault: 'busy' });
        expect(sim.stats()).toMatchObject({ busySlots: 1, deferred: 0 });
        abort.abort(reason);
        expect(await running).toBe(reason);
      });
    } else {
      test('while waiting for a slot: it leaves the engine’s queue', async () => {
        const { sim, adapter } = await setUp({ slots: 1 });
        await using _sim = sim;
        await using _adapter = adapter;
        const first = new AbortController();
        const second = new AbortController();
        sim.fail({ kind: 'stall', after_tokens: 1 });
        const running = failureOf(adapter.submit(requestOf(), collect().sink, first.signal));
        await until(() => sim.stats().busySlots === 1, 'the slot is taken');
        const got = collect();
        const waiting = failureOf(adapter.submit(requestOf(), got.sink, second.signal));
        await until(() => sim.stats().deferred === 1, 'the second waits');
        second.abort(reason);
        expect(await waiting).toBe(reason);
        await until(() => sim.stats().deferred === 0, 'the second has left');
        expect(got.started).toBe(0);
        first.abort(reason);
        expect(await running).toBe(reason);
      });
    }

    for (const [name, tokens] of [
      ['after the first token', 1],
      ['in the middle', 40],
    ] as const) {
      test(`${name}: nothing more arrives and the slot is freed`, async () => {
        const { sim, adapter } = await setUp({ tokens: 1_000_000, ctx: 2_000_000 });
        await using _sim = sim;
        await using _adapter = adapter;
        const abort = new AbortController();
        const got = collect(({ pieces }) => {
          if (pieces.length >= tokens) abort.abort(reason);
        });
        const request = requestOf({ maxTokens: 1_000_000 });
        expect(await failureOf(adapter.submit(request, got.sink, abort.signal))).toBe(reason);
        const calls = got.calls;
        await until(() => sim.stats().busySlots === 0, 'the slot is freed');
        await until(() => sim.stats().sockets === 0, 'the connection is closed');
        expect(got.calls).toBe(calls);
      });
    }

    test('while the sink holds the engine back', async () => {
      const { sim, adapter } = await setUp({ tokens: 1_000_000, ctx: 2_000_000 });
      await using _sim = sim;
      await using _adapter = adapter;
      const abort = new AbortController();
      const gate = Promise.withResolvers<void>();
      const got = collect(() => gate.promise);
      const request = requestOf({ maxTokens: 1_000_000 });
      const submitted = failureOf(adapter.submit(request, got.sink, abort.signal));
      await until(() => got.calls === 1, 'the first delivery');
      abort.abort(reason);
      expect(await submitted).toBe(reason);
      await until(() => sim.stats().sockets === 0, 'the connection is closed');
      gate.resolve();
      await gate.promise;
      expect(got.calls).toBe(1);
    });

    test('a storm of 200 aborted submits leaves no socket and no busy slot', async () => {
      const { sim, adapter } = await setUp(
        { slots: 8, tokens: 1_000_000, ctx: 2_000_000 },
        { maxStreams: 32 },
      );
      await using _sim = sim;
      await using _adapter = adapter;
      let outcomes = 0;
      const lane = async (index: number) => {
        for (let round = 0; round < 7; round++) {
          const abort = new AbortController();
          const stopAt = (index + round) % 4;
          const got = collect(({ calls }) => {
            if (calls > stopAt) abort.abort(reason);
          });
          const request = requestOf({ seed: index, maxTokens: 1_000_000 });
          const submitted = failureOf(adapter.submit(request, got.sink, abort.signal));
          if (stopAt === 0) setImmediate(() => abort.abort(reason));
          expect(await submitted).toBe(reason);
          outcomes += 1;
        }
      };
      await Promise.all(Array.from({ length: 30 }, (_, index) => lane(index)));
      expect(outcomes).toBe(210);
      await until(() => sim.stats().busySlots === 0, 'all slots are freed');
      await until(() => sim.stats().sockets === 0, 'all connections are closed');
      const got = collect();
      await adapter.submit(requestOf(), got.sink, never);
      expect(got.pieces.length).toBe(12);
    });
  });
}
