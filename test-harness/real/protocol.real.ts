/** The llama.cpp adapter against the real llama-server: what the simulator only imitates. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EngineError, foldSeed, openLlamaCpp } from '@llama-orch/worker-adapters';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { startRealServer, type RealServer } from '../llama-server/launch.ts';
import { TINY_HAIKU } from '../src/temp-config.ts';
import { waitFor } from '../src/wait-for.ts';
import {
  completeNatively,
  failureOf,
  generate,
  longText,
  PATIENT,
  PROMPT,
  requestOf,
  slotsOf,
} from './completion.ts';

const binary = inject('llamaServer');
const SLOTS = 4;
const CTX = 256;
/** More text than fits the context. */
const ENDLESS = longText(2_000);

const openAt = (url: string) => openLlamaCpp({ url, timeouts: PATIENT, maxStreams: 16 });

let kvFolder: string;
let server: RealServer;
let adapter: ReturnType<typeof openLlamaCpp>;

beforeAll(async () => {
  kvFolder = mkdtempSync(join(tmpdir(), 'llama-orch-kv-'));
  const flags = ['--slot-save-path', `${kvFolder}/`];
  server = await startRealServer(binary, { slots: SLOTS, ctx: CTX, flags });
  adapter = openAt(server.url);
});
afterAll(async () => {
  await adapter[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
  rmSync(kvFolder, { recursive: true, force: true });
});

const untilIdle = (url = server.url) =>
  waitFor('all slots to be free', async () =>
    (await slotsOf(url)).every((slot) => !slot.is_processing),
  );

describe('what it says of itself', () => {
  test('OC-ADAPT-5001 ready while it runs, down when it is gone, and then broken for a task', async () => {
    const own = await startRealServer(binary);
    await using ownAdapter = openAt(own.url);
    expect(await ownAdapter.health()).toEqual({ state: 'ready' });
    await own[Symbol.asyncDispose]();
    expect(await ownAdapter.health()).toMatchObject({ state: 'down' });
    const failure = await failureOf(generate(ownAdapter, requestOf()));
    expect(failure).toMatchObject({ name: 'EngineError', fault: 'broken' });
  });

  test('OC-ADAPT-5011 props: the version of the build, slots, context of one slot, template', async () => {
    const props = await adapter.props();
    expect(props).toMatchObject({
      modelAlias: 'tiny-haiku',
      modelPath: TINY_HAIKU,
      slots: SLOTS,
      ctx: CTX,
      chat: 'template',
      exactPrefixReuse: false,
    });
    expect(props.engineVersion).toMatch(/^b\d+-[0-9a-f]{7,}$/);
  });

  test('tokens are counted as the engine counts them', async () => {
    const prompt = `${PROMPT} naïve 古池 🐸`;
    const { result } = await generate(adapter, requestOf({ prompt, maxTokens: 1 }));
    expect(await adapter.countTokens(prompt)).toBe(result.tokensIn);
  });

  test('OC-ADAPT-5001 the chat template is the model’s own', async () => {
    const messages = [
      { role: 'user', content: 'Write a haiku about rain.' },
      { role: 'assistant', content: 'Old pond' },
      { role: 'user', content: 'again' },
    ];
    const rendered = await adapter.applyTemplate(messages);
    expect(rendered).toBe(
      '<|user|>Write a haiku about rain.<|end|><|assistant|>Old pond<|end|><|user|>again<|end|><|assistant|>',
    );
    const asMessages = await generate(adapter, requestOf({ prompt: messages }));
    const asText = await generate(adapter, requestOf({ prompt: rendered }));
    expect(asMessages.text).toBe(asText.text);
  });

  test('metrics: what runs, what waits, how much KV is held', async () => {
    await using own = await startRealServer(binary);
    await using ownAdapter = openAt(own.url);
    expect(await ownAdapter.metrics()).toEqual({ running: 0, waiting: 0, kvUsage: 0 });
    const abort = new AbortController();
    const long = requestOf({}, { grammar: longText(900) });
    const gate = Promise.withResolvers<void>();
    const running = failureOf(
      generate(ownAdapter, long, { signal: abort.signal, onPieces: () => gate.resolve() }),
    );
    await gate.promise;
    const waiting = failureOf(generate(ownAdapter, long, { signal: abort.signal }));
    const busy = await waitFor('one to run and one to wait', async () => {
      const metrics = await ownAdapter.metrics();
      return metrics.waiting === 1 && metrics;
    });
    expect(busy.running).toBe(1);
    abort.abort(new Error('seen enough'));
    await Promise.all([running, waiting]);
    await untilIdle(own.url);
    const after = await ownAdapter.metrics();
    expect(after).toMatchObject({ running: 0, waiting: 0 });
    // The slot keeps the canceled prefix.
    expect(after.kvUsage).toBeGreaterThan(0);
    expect(after.kvUsage).toBeLessThanOrEqual(1);
  });
});

describe('streams', () => {
  test('OC-ADAPT-5010 the stream is what the engine says without one, given the same settings', async () => {
    for (const seed of [0, 1, 2, 3, 1234567]) {
      const native = await completeNatively(server.url, { seed });
      const { text, result } = await generate(adapter, requestOf({ seed }));
      expect(text).toBe(native.content);
      expect(result).toMatchObject({
        finishReason: 'stop',
        tokensIn: native.tokens_evaluated,
        tokensOut: native.tokens_predicted,
        cachedTokens: 0,
      });
    }
  });

  test('OC-ADAPT-5010 launch flags do not change what is sampled', async () => {
    const flags = ['--temp', '2', '--top-k', '3', '--repeat-penalty', '1.7', '--min-p', '0.4'];
    await using odd = await startRealServer(binary, { ctx: CTX, flags });
    await using oddAdapter = openAt(odd.url);
    const plain = await generate(adapter, requestOf());
    const there = await generate(oddAdapter, requestOf());
    expect(there.text).toBe(plain.text);
    // The flags do matter to whoever leaves the settings to the engine.
    const left = {
      samplers: undefined,
      temperature: undefined,
      top_k: undefined,
      min_p: undefined,
    };
    expect((await completeNatively(odd.url, left)).content).not.toBe(plain.text);
  });

  test('a stop string ends the text before it', async () => {
    const { text } = await generate(adapter, requestOf());
    const stop = text.slice(12, 16);
    const cut = await generate(adapter, requestOf({}, { stop: ['never said', stop] }));
    expect(cut.text).toBe(text.slice(0, text.indexOf(stop)));
    expect(cut.result.finishReason).toBe('stop');
  });

  test('a length stop: by the budget, and by the context', async () => {
    const budget = await generate(adapter, requestOf({ maxTokens: 5 }));
    expect(budget.result).toMatchObject({ finishReason: 'length', tokensOut: 5 });
    const full = await generate(adapter, requestOf({}, { grammar: ENDLESS }));
    expect(full.result.finishReason).toBe('length');
    expect(full.result.tokensIn + full.result.tokensOut).toBe(CTX);
  });

  test('OC-ADAPT-5007 code points that the model makes of several tokens come out whole', async () => {
    const said = '古池や🐸 naïve';
    const { text, pieces, result } = await generate(
      adapter,
      requestOf({}, { grammar: `root ::= "${said}"` }),
    );
    expect(text).toBe(said);
    expect(pieces.join('')).not.toContain('\ufffd');
    // Bytes are tokens here, so there are more of them than pieces.
    expect(result.tokensOut).toBeGreaterThan(pieces.length);
  });

  test('a JSON schema is kept to', async () => {
    const jsonSchema = {
      type: 'object',
      properties: { n: { enum: [1, 2, 3] } },
      required: ['n'],
      additionalProperties: false,
    };
    const { text } = await generate(adapter, requestOf({}, { jsonSchema }));
    expect([1, 2, 3]).toContain((JSON.parse(text) as { n: number }).n);
  });

  test('OC-ADAPT-5018 the probabilities of all tokens, each with its piece', async () => {
    const { text, pieces, logprobs, result } = await generate(
      adapter,
      requestOf({}, { logprobs: 3 }),
    );
    expect(logprobs).toHaveLength(pieces.length);
    expect(
      logprobs
        .flat()
        .map(({ token }) => token)
        .join(''),
    ).toBe(text);
    expect(logprobs.flat().length).toBeLessThanOrEqual(result.tokensOut);
    for (const { logprob, top } of logprobs.flat()) {
      expect(logprob).toBeLessThanOrEqual(0);
      expect(top).toHaveLength(3);
      expect(top[0]?.logprob).toBeGreaterThanOrEqual(logprob);
    }
    expect((await generate(adapter, requestOf())).text).toBe(text);
  });

  test('OC-ADAPT-5012 every folded seed is taken, and makes its own text again', async () => {
    const seeds = [0n, 1n, 2n ** 31n, 2n ** 32n - 2n, 2n ** 32n - 1n, 2n ** 63n - 1n, -1n];
    const texts = [];
    for (const seed of seeds) {
      const request = requestOf({ seed: foldSeed(seed) });
      const { text } = await generate(adapter, request);
      expect((await generate(adapter, request)).text).toBe(text);
      texts.push(text);
    }
    expect(new Set(texts).size).toBeGreaterThan(seeds.length / 2);
  });

  test('concurrent streams do not mix, more of them than slots', async () => {
    const requests = Array.from({ length: 3 * SLOTS }, (_, seed) => {
      const prompt = `<|user|>Write a haiku about number ${seed}.<|end|><|assistant|>`;
      return requestOf({ seed, prompt });
    });
    const alone: string[] = [];
    for (const request of requests) alone.push((await generate(adapter, request)).text);
    const together = await Promise.all(requests.map((request) => generate(adapter, request)));
    expect(together.map(({ text }) => text)).toEqual(alone);
  });

  test('OC-ADAPT-5006 a sink that holds at every delivery gets everything in order', async () => {
    const request = requestOf({}, { grammar: longText(100) });
    const free = await generate(adapter, request);
    const held = await generate(adapter, request, {
      onPieces: () => new Promise((resolve) => setImmediate(resolve)),
    });
    expect(held.text).toBe(free.text);
    expect(held.text).toHaveLength(100);
  });
});

describe('OC-ADAPT-5005 cancel', () => {
  const reason = new Error('canceled by the test');

  for (const after of [1, 40]) {
    test(`after ${after} pieces: nothing more arrives, and the slot is free again`, async () => {
      const abort = new AbortController();
      let delivered = 0;
      const request = requestOf({ maxTokens: 240 }, { grammar: ENDLESS });
      const failure = await failureOf(
        generate(adapter, request, {
          signal: abort.signal,
          onPieces: (soFar) => {
            delivered = soFar;
            if (soFar >= after) abort.abort(reason);
          },
        }),
      );
      expect(failure).toBe(reason);
      const deliveredAtCancel = delivered;
      await untilIdle();
      expect(delivered).toBe(deliveredAtCancel);
      await generate(adapter, requestOf());
    });
  }

  test('while it waits for a slot: it leaves the engine’s queue', async () => {
    await using own = await startRealServer(binary);
    await using ownAdapter = openAt(own.url);
    const first = new AbortController();
    const second = new AbortController();
    const request = requestOf({}, { grammar: longText(900) });
    const gate = Promise.withResolvers<void>();
    const held = Promise.withResolvers<void>();
    const running = failureOf(
      generate(ownAdapter, request, {
        signal: first.signal,
        onPieces: () => {
          gate.resolve();
          return held.promise;
        },
      }),
    );
    await gate.promise;
    const waiting = failureOf(generate(ownAdapter, requestOf(), { signal: second.signal }));
    await waitFor('the second to wait', async () => (await ownAdapter.metrics()).waiting === 1);
    second.abort(reason);
    expect(await waiting).toBe(reason);
    first.abort(reason);
    held.resolve();
    expect(await running).toBe(reason);
    await untilIdle(own.url);
    await waitFor('the queue to be empty', async () => (await ownAdapter.metrics()).waiting === 0);
  });

  test('a storm of aborted streams leaves no busy slot', async () => {
    const outcomes = await Promise.all(
      Array.from({ length: 60 }, async (_, n) => {
        const abort = new AbortController();
        const request = requestOf({ seed: n, maxTokens: 200 }, { grammar: ENDLESS });
        if (n % 3 === 0) setImmediate(() => abort.abort(reason));
        return await failureOf(
          generate(adapter, request, {
            signal: abort.signal,
            onPieces: (soFar) => {
              if (soFar > n % 7) abort.abort(reason);
            },
          }),
        );
      }),
    );
    // Beyond maxStreams the adapter refuses at once.
    for (const outcome of outcomes) {
      if (outcome !== reason) expect(outcome).toMatchObject({ fault: 'busy' });
    }
    expect(outcomes.filter((outcome) => outcome === reason).length).toBeGreaterThanOrEqual(16);
    await untilIdle();
    expect(await adapter.metrics()).toMatchObject({ running: 0, waiting: 0 });
  });

  test('closing the adapter ends what is in flight', async () => {
    const own = openAt(server.url);
    const gate = Promise.withResolvers<void>();
    const request = requestOf({}, { grammar: ENDLESS });
    const failure = failureOf(generate(own, request, { onPieces: () => gate.resolve() }));
    await gate.promise;
    await own[Symbol.asyncDispose]();
    expect(await failure).toMatchObject({ name: 'EngineError', fault: 'broken' });
    await untilIdle();
  });
});

describe('OC-ADAPT-5004 refusals', () => {
  const faultOf = async (submitted: Promise<unknown>) => {
    const failure = await failureOf(submitted);
    expect(failure).toBeInstanceOf(EngineError);
    return failure as EngineError;
  };

  test('a prompt longer than the context is permanent, and names both figures', async () => {
    const prompt = 'secret '.repeat(2 * CTX);
    const error = await faultOf(generate(adapter, requestOf({ prompt })));
    expect(error).toMatchObject({ fault: 'permanent', status: 400 });
    expect(error.message).toContain(`the context ${CTX}`);
    expect(error.message).not.toContain('secret');
  });

  test('a grammar that is none is permanent, and the server lives on', async () => {
    const error = await faultOf(generate(adapter, requestOf({}, { grammar: 'root ::= (' })));
    expect(error).toMatchObject({ fault: 'permanent', status: 400 });
    await generate(adapter, requestOf());
  });

  test('a prompt that is not well-formed is sent mended', async () => {
    const { result } = await generate(adapter, requestOf({ prompt: 'lone \ud800', maxTokens: 2 }));
    expect(result.tokensOut).toBe(2);
  });

  test('a wrong key is broken, a right one serves', async () => {
    await using guarded = await startRealServer(binary, { flags: ['--api-key', 'right'] });
    const withKey = (apiKey: string) =>
      openLlamaCpp({ url: guarded.url, timeouts: PATIENT, maxStreams: 1, apiKey });
    await using wrong = withKey('wrong');
    await using right = withKey('right');
    expect((await faultOf(generate(wrong, requestOf()))).fault).toBe('broken');
    expect((await generate(right, requestOf())).result.finishReason).toBe('stop');
  });
});

describe('KV of slots', () => {
  const LONG = `<|user|>${'river stone morning light '.repeat(8)}<|end|><|assistant|>`;
  const warm = requestOf({ prompt: LONG, deterministic: false, slotId: 1 });

  test('OC-ADAPT-5014 a strict task never reuses a prefix, a best-effort one does unless told cold', async () => {
    await generate(adapter, warm);
    const again = await generate(adapter, warm);
    expect(again.result.slotId).toBe(1);
    expect(again.result.cachedTokens).toBeGreaterThan(again.result.tokensIn / 2);
    const cold = await generate(adapter, { ...warm, reuseKv: false });
    expect(cold.result.cachedTokens).toBe(0);
    const strict = await generate(adapter, { ...warm, deterministic: true });
    expect(strict.result.cachedTokens).toBe(0);
  });

  test('OC-ADAPT-5017 an erased slot is cold; without a folder for slots nothing is erased', async () => {
    await generate(adapter, warm);
    expect(await adapter.eraseSlot(1)).toBe(true);
    expect((await generate(adapter, warm)).result.cachedTokens).toBe(0);

    await using bare = await startRealServer(binary);
    await using bareAdapter = openAt(bare.url);
    expect(await bareAdapter.eraseSlot(0)).toBe(false);
    expect(await bareAdapter.saveSlot(0, 'x.bin')).toBe(false);
  });

  test('a slot is saved, erased, and warm again from its file, in another slot too', async () => {
    const first = await generate(adapter, warm);
    expect(await adapter.saveSlot(1, 'session.bin')).toBe(true);
    expect(await adapter.eraseSlot(1)).toBe(true);
    expect(await adapter.restoreSlot(2, 'session.bin')).toBe(true);
    const elsewhere = await generate(adapter, { ...warm, slotId: 2 });
    expect(elsewhere.result.slotId).toBe(2);
    expect(elsewhere.result.cachedTokens).toBeGreaterThan(elsewhere.result.tokensIn / 2);
    expect(elsewhere.text).toBe(first.text);
    expect(await adapter.restoreSlot(2, 'never-saved.bin')).toBe(false);
  });

  test('a slot that was saved by one server is warm in another', async () => {
    const first = await generate(adapter, warm);
    expect(await adapter.saveSlot(1, 'moved.bin')).toBe(true);
    const flags = ['--slot-save-path', `${kvFolder}/`];
    await using other = await startRealServer(binary, { slots: SLOTS, ctx: CTX, flags });
    await using otherAdapter = openAt(other.url);
    expect(await otherAdapter.restoreSlot(0, 'moved.bin')).toBe(true);
    const moved = await generate(otherAdapter, { ...warm, slotId: 0 });
    expect(moved.result.cachedTokens).toBeGreaterThan(moved.result.tokensIn / 2);
    expect(moved.text).toBe(first.text);
  });
});

describe('embeddings', () => {
  const EMBEDDING_LENGTH = 192;
  const embedRequest = { taskId: 'task', correlationId: 'correlation' };
  const never = new AbortController().signal;

  // With a KV buffer for each slot, llama.cpp computes inputs of unequal length in several steps and
  // pools only the last of them: such vectors are wrong whenever two inputs meet.
  test('each input gets the vector that it gets alone, in order', async () => {
    const flags = ['--embedding', '--pooling', 'mean', '--kv-unified'];
    await using embedder = await startRealServer(binary, { slots: 2, flags });
    await using embedAdapter = openAt(embedder.url);
    const inputs = ['rain on the pond', 'snow', 'a third, longer than the others by far', 'snow'];
    const embed = (texts: readonly string[]) =>
      embedAdapter.embed({ ...embedRequest, inputs: texts }, never);
    const together = await embed(inputs);
    expect(together.embeddings).toHaveLength(inputs.length);
    for (const [at, text] of inputs.entries()) {
      const [alone = []] = (await embed([text])).embeddings;
      const vector = together.embeddings[at] ?? [];
      expect(vector).toHaveLength(EMBEDDING_LENGTH);
      // Not to the last bit: another place in a batch is another order of additions.
      expect(cosine(vector, alone)).toBeGreaterThan(0.99999);
    }
    expect(cosine(together.embeddings[0] ?? [], together.embeddings[1] ?? [])).toBeLessThan(0.99);
    const counted = await Promise.all(inputs.map((text) => embedAdapter.countTokens(text)));
    expect(together.tokensIn).toBe(counted.reduce<number>((sum, count) => sum + (count ?? 0), 0));
  });

  test('OC-ADAPT-5004 a server that was not started for it refuses for good', async () => {
    const failure = await failureOf(adapter.embed({ ...embedRequest, inputs: ['rain'] }, never));
    expect(failure).toMatchObject({ name: 'EngineError', fault: 'permanent', status: 501 });
    const ranking = { ...embedRequest, query: 'rain', documents: ['snow'], topN: undefined };
    expect(await failureOf(adapter.rerank(ranking, never))).toMatchObject({
      name: 'EngineError',
      fault: 'permanent',
      status: 501,
    });
  });
});

function cosine(a: readonly number[], b: readonly number[]): number {
  const dot = (x: readonly number[], y: readonly number[]): number =>
    x.reduce((sum, value, at) => sum + value * (y[at] ?? 0), 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}
