import { foldSeed } from './fold-seed.ts';
import { collect, engineStarter, failureOf, SECRET, until } from './conformance-kit.ts';
import type { EngineSubject, TestEngine, TestKit, TextRequest } from './conformance-kit.ts';
import { EngineError } from './types.ts';
import type { WorkerAdapter } from './types.ts';

/** What reaches the sink when the engine does well: what the engine says of the same request otherwise. */
export function describeStreams(subject: EngineSubject, { describe, test, expect }: TestKit) {
  const { traits } = subject;
  const setUp = engineStarter(subject);
  const never = new AbortController().signal;

  /** Runs a request, and holds its text, end and count against what the engine says of it. */
  const expectAnswer = async (
    { engine, adapter }: { readonly engine: TestEngine; readonly adapter: WorkerAdapter },
    request: TextRequest,
    onTokens?: () => Promise<void>,
  ) => {
    const expected = await engine.answer(request);
    const got = collect(onTokens);
    const { finishReason, tokensOut, tokensIn } = await adapter.submit(request, got.sink, never);
    expect({ text: got.pieces.join(''), finishReason, tokensOut }).toEqual(expected);
    expect(got.started).toBe(1);
    if (traits.tellsUsage) expect(tokensIn).toBeGreaterThan(0);
    return expected;
  };

  describe('streams', () => {
    test('text, end and count are those of the engine: of the budget, and of the model', async () => {
      const run = await setUp();
      await using _engine = run.engine;
      await using _adapter = run.adapter;
      const cut = await expectAnswer(run, run.ask({ maxTokens: 3 }));
      expect(cut).toMatchObject({ finishReason: 'length', tokensOut: 3 });
      const ended = await expectAnswer(run, run.ask({ maxTokens: 200 }));
      expect(ended.finishReason).toBe('stop');
      if (!traits.runsUnbounded) return;
      const unbounded = await expectAnswer(run, run.ask({ maxTokens: undefined }));
      expect(unbounded).toEqual(ended);
    });

    test(`a full context is ${traits.fullContext === 'refused' ? 'refused as permanent' : `a ${traits.fullContext}`}`, async () => {
      const { engine, adapter, ask } = await setUp({ endless: true, ctx: 256 });
      await using _engine = engine;
      await using _adapter = adapter;
      if (traits.fullContext === 'refused') {
        const refused = adapter.submit(ask({ maxTokens: 1000 }), collect().sink, never);
        expect(await failureOf(refused)).toMatchObject({ fault: 'permanent' });
        return;
      }
      const maxTokens = traits.runsUnbounded ? undefined : 1000;
      const result = await adapter.submit(ask({ maxTokens }), collect().sink, never);
      expect(result.finishReason).toBe(traits.fullContext);
      if (traits.tellsUsage) expect(result.tokensIn + result.tokensOut).toBe(256);
    });

    test(`OC-ADAPT-5004 a prompt longer than the context is ${traits.cutsPrompts === true ? 'cut' : 'permanent'}`, async () => {
      const { engine, adapter, ask } = await setUp({ ctx: 256 });
      await using _engine = engine;
      await using _adapter = adapter;
      const request = ask({ prompt: `${SECRET} `.repeat(200) });
      const submitted = adapter.submit(request, collect().sink, never);
      if (traits.cutsPrompts === true) {
        expect((await submitted).tokensIn).toBeLessThan(256);
        return;
      }
      const error = await failureOf(submitted);
      expect(error).toBeInstanceOf(EngineError);
      expect(error).toMatchObject({ fault: 'permanent' });
      expect((error as EngineError).message).not.toContain(SECRET);
    });

    const messages = [
      { role: 'system', content: 'be brief' },
      { role: 'user', content: 'naïve 古池?' },
    ];
    if (traits.chat !== 'none') {
      test('chat messages are completed as the template renders them', async () => {
        const { engine, adapter, ask } = await setUp();
        await using _engine = engine;
        await using _adapter = adapter;
        const { text } = await engine.answer(ask({ prompt: engine.render(messages) }));
        const got = collect();
        await adapter.submit({ ...ask(), prompt: messages }, got.sink, never);
        expect(got.pieces.join('')).toBe(text);
      });
    } else {
      test('chat messages are refused as permanent: nothing could render them', async () => {
        const { engine, adapter, ask } = await setUp();
        await using _engine = engine;
        await using _adapter = adapter;
        const refused = adapter.submit({ ...ask(), prompt: messages }, collect().sink, never);
        expect(await failureOf(refused)).toMatchObject({ fault: 'permanent' });
      });
    }

    test('a stop string ends the text before it, wherever in the tokens it stands', async () => {
      const { engine, adapter, ask } = await setUp({ endless: true, ctx: 256 });
      await using _engine = engine;
      await using _adapter = adapter;
      const base = ask({ maxTokens: 60 });
      const { text } = await engine.answer(base);
      const stop = [...text].slice(8, 12).join('');
      const got = collect();
      const result = await adapter.submit(
        { ...base, sampling: { ...base.sampling, stop: ['never said', stop] } },
        got.sink,
        never,
      );
      expect(result.finishReason).toBe('stop');
      expect(got.pieces.join('')).toBe(text.slice(0, text.indexOf(stop)));
    });

    test('thousands of tokens arrive complete', async () => {
      const run = await setUp({ endless: true, ctx: 4096 });
      await using _engine = run.engine;
      await using _adapter = run.adapter;
      const { tokensOut } = await expectAnswer(run, run.ask({ maxTokens: 2000 }));
      expect(tokensOut).toBe(2000);
    });

    for (const seed of [0n, 2n ** 31n, 2n ** 32n - 2n, 2n ** 32n - 1n, 2n ** 63n - 1n, -1n]) {
      test(`OC-ADAPT-5012 the engine gets the seed it was told: ${seed} folded`, async () => {
        const run = await setUp();
        await using _engine = run.engine;
        await using _adapter = run.adapter;
        await expectAnswer(run, run.ask({ seed: foldSeed(seed) }));
      });
    }

    test('concurrent streams do not mix', async () => {
      const run = await setUp({ slots: 8, ctx: 256, endless: true });
      await using _engine = run.engine;
      await using _adapter = run.adapter;
      const streams = Array.from({ length: 8 }, (_, seed) =>
        expectAnswer(run, run.ask({ seed, prompt: `prompt ${seed}`, maxTokens: 60 })),
      );
      const texts = (await Promise.all(streams)).map(({ text }) => text);
      expect(new Set(texts).size).toBe(8);
    });

    test('OC-ADAPT-5006 a sink that holds at every delivery still gets everything in order', async () => {
      const run = await setUp({ endless: true, ctx: 256 });
      await using _engine = run.engine;
      await using _adapter = run.adapter;
      await expectAnswer(
        run,
        run.ask({ maxTokens: 120 }),
        () => new Promise((resolve) => setImmediate(resolve)),
      );
    });

    test('what a sink throws ends the stream and is what submit rejects with', async () => {
      const { engine, adapter, ask } = await setUp({ endless: true });
      await using _engine = engine;
      await using _adapter = adapter;
      for (const fail of ['throws', 'rejects']) {
        const broken = new Error('the reader broke');
        const got = collect(() => {
          if (fail === 'throws') throw broken;
          return Promise.reject(broken);
        });
        const request = ask({ maxTokens: 1_000_000 });
        expect(await failureOf(adapter.submit(request, got.sink, never))).toBe(broken);
        expect(got.calls).toBe(1);
        await until(async () => (await engine.stats()).busySlots === 0, 'the slot is freed');
      }
    });
  });
}
