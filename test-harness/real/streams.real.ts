/** What llama-server streams, held against what it says of the same request in other ways. */
import { foldSeed } from '@llama-orch/worker-adapters';
import { expect, test } from 'vitest';
import { completeNatively, generate, longText, requestOf } from './completion.ts';
import { CTX, ENDLESS, serve, serveAll, SLOTS } from './server-fixture.ts';

const all = serveAll();

test('OC-ADAPT-5010 the stream is what the engine says without one, given the same settings', async () => {
  for (const seed of [0, 1, 2, 3, 1234567]) {
    const native = await completeNatively(all.server.url, { seed });
    const { text, result } = await generate(all.adapter, requestOf({ seed }));
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
  await using odd = await serve({ ctx: CTX, flags });
  const plain = await generate(all.adapter, requestOf());
  const there = await generate(odd.adapter, requestOf());
  expect(there.text).toBe(plain.text);
  // The flags do matter to whoever leaves the settings to the engine.
  const left = {
    samplers: undefined,
    temperature: undefined,
    top_k: undefined,
    min_p: undefined,
  };
  expect((await completeNatively(odd.server.url, left)).content).not.toBe(plain.text);
});

test('a stop string ends the text before it', async () => {
  const { text } = await generate(all.adapter, requestOf());
  const stop = text.slice(12, 16);
  const cut = await generate(all.adapter, requestOf({}, { stop: ['never said', stop] }));
  expect(cut.text).toBe(text.slice(0, text.indexOf(stop)));
  expect(cut.result.finishReason).toBe('stop');
});

test('a length stop: by the budget, and by the context', async () => {
  const budget = await generate(all.adapter, requestOf({ maxTokens: 5 }));
  expect(budget.result).toMatchObject({ finishReason: 'length', tokensOut: 5 });
  const full = await generate(all.adapter, requestOf({}, { grammar: ENDLESS }));
  expect(full.result.finishReason).toBe('length');
  expect(full.result.tokensIn + full.result.tokensOut).toBe(CTX);
});

test('OC-ADAPT-5007 code points that the model makes of several tokens come out whole', async () => {
  const said = '古池や🐸 naïve';
  const { text, pieces, result } = await generate(
    all.adapter,
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
  const { text } = await generate(all.adapter, requestOf({}, { jsonSchema }));
  expect([1, 2, 3]).toContain((JSON.parse(text) as { n: number }).n);
});

test('OC-ADAPT-5018 the probabilities of all tokens, each with its piece', async () => {
  const { text, pieces, logprobs, result } = await generate(
    all.adapter,
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
  expect((await generate(all.adapter, requestOf())).text).toBe(text);
});

test('OC-ADAPT-5012 every folded seed is taken, and makes its own text again', async () => {
  const seeds = [0n, 1n, 2n ** 31n, 2n ** 32n - 2n, 2n ** 32n - 1n, 2n ** 63n - 1n, -1n];
  const texts = [];
  for (const seed of seeds) {
    const request = requestOf({ seed: foldSeed(seed) });
    const { text } = await generate(all.adapter, request);
    expect((await generate(all.adapter, request)).text).toBe(text);
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
  for (const request of requests) alone.push((await generate(all.adapter, request)).text);
  const together = await Promise.all(requests.map((request) => generate(all.adapter, request)));
  expect(together.map(({ text }) => text)).toEqual(alone);
});

test('OC-ADAPT-5006 a sink that holds at every delivery gets everything in order', async () => {
  const request = requestOf({}, { grammar: longText(100) });
  const free = await generate(all.adapter, request);
  const held = await generate(all.adapter, request, {
    onPieces: () => new Promise((resolve) => setImmediate(resolve)),
  });
  expect(held.text).toBe(free.text);
  expect(held.text).toHaveLength(100);
});
