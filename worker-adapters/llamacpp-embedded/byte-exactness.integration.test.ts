import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  complete,
  startEngine,
  type Answer,
  type EngineProcess,
} from './engine-process-fixture.ts';

/**
 * OC-EMBED-4112 on the real engine: the same request gives the same token ids whatever the slot ran
 * before, whatever runs beside it, and in whichever process.
 */
let engine: EngineProcess;
let other: EngineProcess;
beforeAll(async () => {
  const args = ['--slots', '2', '--ctx', '1024'];
  [engine, other] = await Promise.all([startEngine(...args), startEngine(...args)]);
});
afterAll(async () => {
  await Promise.all([engine[Symbol.asyncDispose](), other[Symbol.asyncDispose]()]);
});

const turn = (topic: string) => `<|user|>Write a haiku about ${topic}.<|end|>`;
const poem = '<|assistant|>Evening past the rain,\neach gutter lingers\nunder clear puddle<|end|>';
/** 9 tokens, some 70, some 200, some 600: below, at and far beyond a batch of 16. */
const PROMPTS = [1, 3, 8, 24].map(
  (turns) =>
    Array.from({ length: turns - 1 }, (_, i) => turn(`tea ${i}`) + poem).join('') +
    `${turn('rain')}<|assistant|>`,
);
const TEMPERATURES = [0.8, 1.5];
const SEEDS = Array.from({ length: 5 }, (_, i) => i * 7919 + 1);

const ask = (on: EngineProcess, prompt: string, temperature: number, seed: number, slot = 0) =>
  complete(on, {
    prompt,
    temperature,
    seed,
    id_slot: slot,
    n_predict: 24,
    ignore_eos: true,
    top_k: 0,
    top_p: 1,
    min_p: 0,
  });
const erase = (on: EngineProcess, slot = 0) =>
  fetch(`${on.url}/slots/${slot}?action=erase`, { method: 'POST' });

for (const [index, prompt] of PROMPTS.entries()) {
  test(
    `OC-EMBED-4112 OC-EMBED-4113 prompt ${index}: cold, warm, after another prompt, beside a neighbour and in another process`,
    { timeout: 120_000 },
    async () => {
      for (const temperature of TEMPERATURES) {
        for (const seed of SEEDS) {
          const run = (on = engine, slot = 0) => ask(on, prompt, temperature, seed, slot);
          await erase(engine);
          const [cold, elsewhere] = await Promise.all([run(), run(other, seed % 2)]);
          expect(cold.timings.cache_n).toBe(0);
          const same = (answer: Answer) => expect(answer.tokens).toEqual(cold.tokens);

          same(elsewhere);
          const warm = await run();
          same(warm);
          if (index > 0) expect(warm.timings.cache_n).toBeGreaterThan(warm.tokens_evaluated - 17);

          // Shares the first turns, then differs: leaves a slot that is half right.
          await ask(engine, `${prompt.slice(0, prompt.length / 2)} moon`, temperature, seed + 1);
          same(await run());

          const [beside] = await Promise.all([
            run(),
            ask(engine, PROMPTS[(index + 1) % PROMPTS.length] ?? '', temperature, seed, 1),
          ]);
          same(beside);
        }
      }
    },
  );
}

test('the texts compared above differ from seed to seed', async () => {
  const answers = await Promise.all(SEEDS.map((seed) => ask(engine, PROMPTS[1] ?? '', 0.8, seed)));
  expect(new Set(answers.map((answer) => answer.content)).size).toBe(SEEDS.length);
});
