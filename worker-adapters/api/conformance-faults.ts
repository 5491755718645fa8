import { collect, failureOf, PATIENT, requestOf, SECRET, until } from './conformance-kit.ts';
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
      test(`OC-ADAPT-5004 OC-ADAPT-5009 refused as ${why} is ${refusals[why]}, and has not started`, async () => {
        const { sim, adapter } = await setUp();
        await using _sim = sim;
        await using _adapter = adapter;
        sim.fail({ kind: 'refuse', why });
        const got = collect();
        await expectFault(adapter.submit(requestOf(), got.sink, never), refusals[why]);
        expect(got.started).toBe(0);
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
        const got = collect();
        await expectFault(adapter.submit(requestOf(), got.sink, never), refusals[why]);
        if (why === 'overload') expect(got.started).toBe(0);
      });
    }

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
  });
}
