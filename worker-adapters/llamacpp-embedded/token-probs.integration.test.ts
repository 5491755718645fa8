import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  complete,
  completeStream,
  startEngine,
  type EngineProcess,
  type WireProb,
} from './engine-process-fixture.ts';

let engine: EngineProcess;
beforeAll(async () => {
  engine = await startEngine('--slots', '2', '--ctx', '1024');
});
afterAll(async () => {
  await engine[Symbol.asyncDispose]();
});

const RAIN = '<|user|>Write a haiku about rain.<|end|><|assistant|>';
const POEM = '<|assistant|>Evening past the rain,\neach gutter lingers\nunder clear puddle<|end|>';
/** Within a batch of 16 tokens, and over several. */
const PROMPTS = [RAIN, RAIN.replace('<|assistant|>', POEM) + RAIN];
const SEEDS = Array.from({ length: 8 }, (_, i) => i * 7919 + 1);

for (const [index, prompt] of PROMPTS.entries()) {
  test(
    `OC-EMBED-4146 prompt ${index}: the tokens are the same with and without probabilities`,
    { timeout: 60_000 },
    async () => {
      const shapes = [
        { temperature: 0 },
        { temperature: 0.8 },
        { temperature: 1.5, top_k: 0, top_p: 1, min_p: 0 },
        { temperature: 1, repeat_penalty: 1.3 },
        { temperature: 1, grammar: 'root ::= [a-z ]+' },
      ];
      for (const shape of shapes) {
        for (const seed of SEEDS) {
          const body = { prompt, seed, n_predict: 24, ...shape };
          const [plain, weighed] = await Promise.all([
            complete(engine, { ...body, id_slot: 0 }),
            complete(engine, { ...body, id_slot: 1, n_probs: 5 }),
          ]);
          expect(weighed.tokens).toEqual(plain.tokens);
          expect(plain.completion_probabilities).toBeUndefined();
          expect(weighed.completion_probabilities?.map(({ id }) => id)).toEqual(plain.tokens);
        }
      }
    },
  );
}

const without = (prob: WireProb) => ({ id: prob.id, token: prob.token, logprob: prob.logprob });

test('OC-EMBED-4146 the probabilities are those of the model, whatever the sampling', async () => {
  const first = async (sampling: object) => {
    const body = { prompt: RAIN, n_predict: 1, n_probs: 20, ...sampling };
    return (await complete(engine, body)).completion_probabilities?.[0];
  };
  const greedy = await first({ temperature: 0 });
  const wild = await first({ temperature: 2, top_k: 3, top_p: 0.5, min_p: 0.2, seed: 4 });
  expect(wild?.top_logprobs).toEqual(greedy?.top_logprobs);
  expect(without(greedy!)).toEqual(greedy?.top_logprobs?.[0]);
  const shares = greedy!.top_logprobs!.map(({ logprob }) => Math.exp(logprob));
  expect(shares).toHaveLength(20);
  expect(shares).toEqual(shares.toSorted((a, b) => b - a));
  const sum = shares.reduce((total, share) => total + share, 0);
  expect(sum).toBeGreaterThan(0.2);
  expect(sum).toBeLessThanOrEqual(1.000001);
});

test('OC-EMBED-4146 the probabilities are the model\u2019s own frequencies', async () => {
  const body = { prompt: RAIN, n_predict: 1, temperature: 1, top_k: 0, top_p: 1, min_p: 0 };
  const likeliest = (await complete(engine, { ...body, n_probs: 1 })).completion_probabilities?.[0]
    ?.top_logprobs?.[0];
  const draws = 400;
  let hits = 0;
  for (let seed = 0; seed < draws; seed += 1) {
    const { tokens } = await complete(engine, { ...body, seed });
    if (tokens[0] === likeliest?.id) hits += 1;
  }
  const share = Math.exp(likeliest!.logprob);
  const spread = Math.sqrt((share * (1 - share)) / draws);
  expect(Math.abs(hits / draws - share)).toBeLessThan(4 * spread + 0.01);
});

test('OC-EMBED-4146 a stream tells them with the event of their token, and the same when warm', async () => {
  const body = { prompt: RAIN, seed: 3, n_probs: 3 };
  const whole = await complete(engine, body);
  const objects = await completeStream(engine, body);
  expect(objects.flatMap((object) => object.completion_probabilities ?? [])).toEqual(
    whole.completion_probabilities,
  );
  for (const object of objects.slice(0, -1)) {
    expect(object.completion_probabilities?.map(({ id }) => id)).toEqual(object.tokens);
    expect(object.completion_probabilities?.map(({ token }) => token).join('')).toBe(
      object.content,
    );
  }
});
