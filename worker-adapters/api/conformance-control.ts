import { collect, engineStarter, failureOf, requestOf, until } from './conformance-kit.ts';
import type { EngineSubject, TestKit } from './conformance-kit.ts';

/** The calls around a generation: health, props, counting, templates, metrics, slots. */
export function describeControl(subject: EngineSubject, { describe, test, expect }: TestKit) {
  const { traits } = subject;
  const setUp = engineStarter(subject);
  const never = new AbortController().signal;
  const maxTokens = 1_000_000;

  describe('control calls', () => {
    test('OC-ADAPT-5011 props tell version, slots and context', async () => {
      const { engine, adapter } = await setUp({ slots: 3, ctx: 512 });
      await using _engine = engine;
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
      const { engine, adapter, ask } = await setUp();
      await using _engine = engine;
      await using _adapter = adapter;
      const request = ask({ prompt: 'naïve 古池 🐸' });
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
      const { engine, adapter } = await setUp();
      await using _engine = engine;
      await using _adapter = adapter;
      const messages = [
        { role: 'user', content: 'be brief' },
        { role: 'assistant', content: 'old pond' },
        { role: 'user', content: 'why?' },
      ];
      if (traits.chat === 'template') {
        expect(await adapter.applyTemplate(messages)).toBe(engine.render(messages));
      } else {
        const failure = await failureOf(adapter.applyTemplate(messages));
        expect(failure).toMatchObject({ fault: 'permanent' });
      }
    });

    test('metrics show what runs', async () => {
      const { engine, adapter, ask } = await setUp({ slots: 1, endless: true });
      await using _engine = engine;
      await using _adapter = adapter;
      const unused = traits.tellsLoad === true ? 0 : undefined;
      expect(await adapter.metrics()).toMatchObject({ running: unused, waiting: unused });
      if (traits.tellsLoad === false) return;
      const abort = new AbortController();
      const gate = Promise.withResolvers<void>();
      const got = collect(() => gate.promise);
      const running = failureOf(adapter.submit(ask({ maxTokens }), got.sink, abort.signal));
      await until(() => got.calls === 1, 'the first delivery');
      expect(await adapter.metrics()).toMatchObject({ running: 1, waiting: 0 });
      abort.abort();
      gate.resolve();
      await running;
      await until(async () => (await engine.stats()).busySlots === 0, 'the slot is freed');
      expect(await adapter.metrics()).toMatchObject({ running: 0, waiting: 0 });
    });

    test('control calls are answered while every stream is busy', async () => {
      const { engine, adapter, ask } = await setUp({ slots: 4, endless: true }, { maxStreams: 4 });
      await using _engine = engine;
      await using _adapter = adapter;
      const abort = new AbortController();
      const gate = Promise.withResolvers<void>();
      const running = Array.from({ length: 4 }, (_, seed) =>
        failureOf(
          adapter.submit(ask({ seed, maxTokens }), collect(() => gate.promise).sink, abort.signal),
        ),
      );
      expect(await adapter.health()).toEqual({ state: 'ready' });
      expect(await adapter.props()).toMatchObject({ chat: traits.chat });
      abort.abort();
      gate.resolve();
      await Promise.all(running);
    });

    test('an engine that is gone is down, and a submit to it is broken', async () => {
      const { engine, adapter, ask } = await setUp();
      await using _adapter = adapter;
      expect(await adapter.health()).toEqual({ state: 'ready' });
      await engine[Symbol.asyncDispose]();
      expect(await adapter.health()).toMatchObject({ state: 'down' });
      const failure = await failureOf(adapter.submit(ask(), collect().sink, never));
      expect(failure).toMatchObject({ name: 'EngineError', fault: 'broken' });
    });

    test(`OC-ADAPT-5017 the KV of a slot ${traits.savesSlots ? 'survives in a file, and is gone once erased' : 'is nothing this engine knows'}`, async () => {
      const { engine, adapter } = await setUp({ slots: 1 });
      await using _engine = engine;
      await using _adapter = adapter;
      if (!traits.savesSlots) {
        expect(adapter.slots).toBeUndefined();
        return;
      }
      const request = requestOf({ deterministic: false });
      await adapter.submit(request, collect().sink, never);
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
      const { engine, adapter } = await setUp();
      await using _engine = engine;
      await using _adapter = adapter;
      const reason = new Error('no longer needed');
      const aborted = AbortSignal.abort(reason);
      expect(await failureOf(adapter.props(aborted))).toBe(reason);
      expect(await adapter.health(aborted)).toMatchObject({ state: 'down' });
    });
  });
}
