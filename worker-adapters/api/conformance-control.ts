import { collect, failureOf, PATIENT, requestOf, until } from './conformance-kit.ts';
import type { SimulatorSetup, Subject, TestKit } from './conformance-kit.ts';

/** The calls around a generation: health, props, counting, templates, metrics. */
export function describeControl(
  { open, simulator, traits }: Subject,
  { describe, test, expect }: TestKit,
) {
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
      expect(props).toMatchObject({
        slots: traits.tellsSlots ? 3 : undefined,
        ctx: traits.tellsCtx ? 512 : undefined,
        chat: traits.chat,
      });
      expect(props.engineVersion).not.toBe('');
    });

    test('tokens are counted as the engine will count them', async () => {
      const { sim, adapter } = await setUp();
      await using _sim = sim;
      await using _adapter = adapter;
      const request = requestOf({ prompt: 'naïve 古池 🐸' });
      const counted = await adapter.countTokens(request.prompt);
      if (!traits.countsTokens) {
        expect(counted).toBeUndefined();
        return;
      }
      const result = await adapter.submit(request, collect().sink, never);
      expect(counted).toBe(result.tokensIn);
      if (traits.chat === 'none') return;
      const messages = [{ role: 'user', content: 'naïve 古池 🐸' }];
      const chat = await adapter.submit({ ...request, prompt: messages }, collect().sink, never);
      expect(await adapter.countTokens(messages)).toBe(chat.tokensIn);
    });

    test(`a chat template is ${traits.chat === 'template' ? 'rendered' : 'not rendered outside the engine'}`, async () => {
      const { sim, adapter } = await setUp();
      await using _sim = sim;
      await using _adapter = adapter;
      const messages = [
        { role: 'system', content: 'be brief' },
        { role: 'user', content: 'why?' },
      ];
      if (traits.chat === 'template') {
        expect(await adapter.applyTemplate(messages)).toBe(sim.render(messages));
      } else {
        const failure = await failureOf(adapter.applyTemplate(messages));
        expect(failure).toMatchObject({ fault: 'permanent' });
      }
    });

    test('metrics show what runs', async () => {
      const { sim, adapter } = await setUp({ slots: 1 });
      await using _sim = sim;
      await using _adapter = adapter;
      const unused = traits.tellsLoad === true ? 0 : undefined;
      expect(await adapter.metrics()).toMatchObject({ running: unused, waiting: unused });
      if (traits.tellsLoad === false) return;
      sim.fail({ kind: 'stall', after_tokens: 1 });
      const abort = new AbortController();
      const started = Promise.withResolvers<void>();
      const got = collect(() => started.resolve());
      const running = failureOf(adapter.submit(requestOf(), got.sink, abort.signal));
      await started.promise;
      expect(await adapter.metrics()).toMatchObject({ running: 1, waiting: 0 });
      abort.abort();
      await running;
      await until(() => sim.stats().busySlots === 0, 'the slot is freed');
      expect(await adapter.metrics()).toMatchObject({ running: 0, waiting: 0 });
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
      expect(await adapter.props()).toMatchObject({ chat: traits.chat });
      abort.abort();
      await Promise.all(running);
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

    test(`OC-ADAPT-5017 the KV of a slot ${traits.savesSlots ? 'survives in a file, and is gone once erased' : 'is nothing this engine knows'}`, async () => {
      const { sim, adapter } = await setUp({ slots: 1 });
      await using _sim = sim;
      await using _adapter = adapter;
      const request = requestOf({ deterministic: false });
      await adapter.submit(request, collect().sink, never);
      if (!traits.savesSlots) {
        expect(adapter.slots).toBeUndefined();
        return;
      }
      expect(await adapter.slots?.save(0, 'session-1.bin')).toBe(true);
      expect(await adapter.slots?.restore(0, 'never-saved.bin')).toBe(false);
      await adapter.submit(requestOf({ prompt: 'other', reuseKv: false }), collect().sink, never);
      expect(await adapter.slots?.restore(0, 'session-1.bin')).toBe(true);
      const warm = await adapter.submit({ ...request, slotId: 0 }, collect().sink, never);
      expect(warm.cachedTokens).toBeGreaterThan(10);
      expect(await adapter.slots?.erase(0)).toBe(true);
      const cold = await adapter.submit({ ...request, slotId: 0 }, collect().sink, never);
      expect(cold.cachedTokens).toBe(0);
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
