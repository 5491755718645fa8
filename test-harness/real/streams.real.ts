/** What llama-server makes of the settings that it is sent. */
import { expect, test } from 'vitest';
import { completeNatively, generate, requestOf } from './completion.ts';
import { CTX, serve, serveAll } from './server-fixture.ts';

const all = serveAll();

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
