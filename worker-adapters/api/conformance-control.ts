import { collect, failureOf, PATIENT, requestOf } from './conformance-kit.ts';
import type { SimulatorSetup, Subject, TestKit } from './conformance-kit.ts';

/** The calls around a generation: health, props, counting, templates, metrics. */
export function describeControl({ open, simulator }: Subject, { describe, test, expect }: TestKit) {
  const setUp = async (setup: SimulatorSetup = {}, controlMs = PATIENT.controlMs) => {
    const sim = await simulator(setup);
    const timeouts = { ...PATIENT, controlMs };
    return { sim, adapter: open({ url: sim.url, timeouts, maxStreams: 4 }) };
  };
  const never = new AbortController().signal;

  describe('control calls', () => {
    test('OC-ADAPT-5011 props tell version, slots and context', async () => {
      const { sim, adapter } = await setUp({ slots: 3, ctx: 512 });
      await using _sim = sim;
      await using _adapter = adapter;
      const props = await adapter.props();
      expect(props).toMatchObject({ slots: 3, ctx: 512 });
      expect(props.engineVersion).not.toBe('');
    });

    test('tokens are counted as the engine will count them', async () => {
      const { sim, adapter } = await setUp();
      await using _sim = sim;
      await using _adapter = adapter;
      const request = requestOf({ prompt: 'naïve 古池 🐸' });
      const counted = await adapter.countTokens(request.prompt);
      const result = await adapter.submit(request, collect().sink, never);
      expect(counted).toBe(result.tokensIn);
    });

    test('chat messages are rendered in order', async () => {
      const { sim, adapter } = await setUp();
      await using _sim = sim;
      await using _adapter = adapter;
      const rendered = await adapter.applyTemplate([
        { role: 'system', content: 'be brief' },
        { role: 'user', content: 'why?' },
      ]);
      expect(rendered.indexOf('be brief')).toBeGreaterThan(-1);
      expect(rendered.indexOf('why?')).toBeGreaterThan(rendered.indexOf('be brief'));
    });

    test('metrics show what runs', async () => {
      const { sim, adapter } = await setUp({ slots: 1 });
      await using _sim = sim;
      await using _adapter = adapter;
      expect(await adapter.metrics()).toMatchObject({ running: 0, waiting: 0 });
      sim.fail({ kind: 'stall', after_tokens: 1 });
      const abort = new AbortController();
      const started = Promise.withResolvers<void>();
      const got = collect(() => started.resolve());
      const running = failureOf(adapter.submit(requestOf(), got.sink, abort.signal));
      await started.promise;
      expect(await adapter.metrics()).toMatchObject({ running: 1, waiting: 0 });
      abort.abort();
      await running;
    });

    test('control calls are answered while every stream is busy', async () => {
      const { sim, adapter } = await setUp({ slots: 4 });
      await using _sim = sim;
      await using _adapter = adapter;
      const abort = new AbortController();
      const running = Array.from({ length: 4 }, (_, seed) => {
        sim.fail({ kind: 'stall', after_tokens: 1 });
        return failureOf(adapter.submit(requestOf({ seed }), collect().sink, abort.signal));
      });
      expect(await adapter.health()).toEqual({ state: 'ready' });
      expect(await adapter.countTokens('one')).toBeGreaterThan(0);
      abort.abort();
      await Promise.all(running);
    });

    test('an aborted control call rejects with the reason, and health does not throw', async () => {
      const { sim, adapter } = await setUp();
      await using _sim = sim;
      await using _adapter = adapter;
      const reason = new Error('no longer needed');
      const aborted = AbortSignal.abort(reason);
      expect(await failureOf(adapter.props(aborted))).toBe(reason);
      expect(await adapter.health(aborted)).toMatchObject({ state: 'down' });
    });
  });
}
