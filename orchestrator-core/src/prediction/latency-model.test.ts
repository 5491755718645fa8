import { describe, expect, test } from 'vitest';
import type { LatencyConstants } from './latency-model.ts';
import { DEFAULT_CONSTANTS, LatencyModel, prefillWork } from './latency-model.ts';
import type { Chance, PrefillCase } from './testing/engine-fixture.ts';
import { seededChance, somePrefill, stepMs, truePrefillMs } from './testing/engine-fixture.ts';

function constantsTimes(factor: number): LatencyConstants {
  const { chunkTokens, ...times } = DEFAULT_CONSTANTS;
  const wrong = Object.entries(times).map(([name, ms]) => [name, ms * factor] as const);
  return { ...DEFAULT_CONSTANTS, ...Object.fromEntries(wrong), chunkTokens };
}

const workOf = ({ uncached, cached }: PrefillCase) => ({
  ...prefillWork(uncached, cached),
  fromIdle: false,
});

interface Trial {
  readonly noise?: number;
  readonly slowdown?: number;
  /** Added to some samples, ms. */
  readonly stallMs?: number;
}

function feed(model: LatencyModel, chance: Chance, samples: number, trial: Trial = {}): void {
  const { noise = 0, slowdown = 1, stallMs = 0 } = trial;
  const factor = () => slowdown * Math.max(0.1, 1 + noise * chance.normal());
  for (let i = 1; i <= samples; i++) {
    const prefill = somePrefill(chance);
    const ms = truePrefillMs(prefill, factor) + (i % 25 === 0 ? stallMs : 0);
    model.observePrefill(workOf(prefill), prefill, ms);
  }
}

/** Median relative error against the time without noise. */
function medianError(model: LatencyModel, slowdown = 1): number {
  const chance = seededChance(4_711);
  const errors = Array.from({ length: 301 }, () => {
    const prefill = somePrefill(chance);
    return Math.abs(
      model.prefillMs(workOf(prefill), prefill) / (slowdown * truePrefillMs(prefill)) - 1,
    );
  });
  return errors.sort((a, b) => a - b)[150] ?? Infinity;
}

/** Mean over several runs, so that no single draw decides. */
function meanError(run: (seed: number) => number): number {
  const seeds = [1, 2, 3, 4, 5, 6, 7, 8];
  return seeds.reduce((sum, seed) => sum + run(seed), 0) / seeds.length;
}
function learned(seed: number, samples: number, wrongBy: number, trial: Trial = {}): LatencyModel {
  const model = new LatencyModel(constantsTimes(wrongBy));
  feed(model, seededChance(seed), samples, trial);
  return model;
}

describe('prefill', () => {
  test('constants wrong by a factor of 2 or 10 are put right within 20 samples without noise', () => {
    for (const wrongBy of [0.1, 0.5, 2, 10]) {
      expect(meanError((seed) => medianError(learned(seed, 20, wrongBy)))).toBeLessThan(0.01);
    }
  });

  test('with 20 % noise the error is under 10 % after 40 samples and under 2.5 % after 1000', () => {
    const noise = 0.2;
    expect(meanError((seed) => medianError(learned(seed, 40, 2, { noise })))).toBeLessThan(0.1);
    expect(meanError((seed) => medianError(learned(seed, 1_000, 2, { noise })))).toBeLessThan(
      0.025,
    );
  });

  test('a replica that becomes twice as slow is followed within 20 samples', () => {
    const error = meanError((seed) => {
      const chance = seededChance(seed);
      const model = new LatencyModel();
      feed(model, chance, 500, { noise: 0.2 });
      feed(model, chance, 20, { noise: 0.2, slowdown: 2 });
      return medianError(model, 2);
    });
    expect(error).toBeLessThan(0.08);
  });

  test('a stall of 10 s in every 25th sample does not lead it away', () => {
    const trial = { noise: 0.2, stallMs: 10_000 };
    expect(meanError((seed) => medianError(learned(seed, 1_000, 2, trial)))).toBeLessThan(0.05);
  });

  test('a stall among the very first samples does not either', () => {
    const model = new LatencyModel(constantsTimes(2));
    const prefill = { uncached: 500, cached: 0, decoding: 0, decodeContext: 0 };
    const trueMs = truePrefillMs(prefill);
    for (const ms of [trueMs + 10_000, trueMs, trueMs, trueMs, trueMs + 10_000, trueMs, trueMs]) {
      model.observePrefill(workOf(prefill), prefill, ms);
    }
    expect(model.prefillMs(workOf(prefill), prefill) / trueMs).toBeCloseTo(1, 1);
  });

  test('a load that never changes leaves it sound for others after 100,000 samples', () => {
    const chance = seededChance(3);
    const model = learned(3, 1_000, 2, { noise: 0.1 });
    const usual = { uncached: 700, cached: 0, decoding: 8, decodeContext: 8_000 };
    for (let i = 0; i < 100_000; i++) {
      const ms = truePrefillMs(usual, () => 1 + 0.1 * chance.normal());
      model.observePrefill(workOf(usual), usual, ms);
    }
    expect(medianError(model)).toBeLessThan(0.3);
    const ratio = model.prefillMs(workOf(usual), usual) / truePrefillMs(usual);
    expect(ratio).toBeGreaterThan(0.97);
    expect(ratio).toBeLessThan(1.03);
  });
});

describe('waiting for the running iteration', () => {
  const busy = { decoding: 16, decodeContext: 16_000 };

  test('is half of it when nothing tells how far it is, else what is left', () => {
    const model = new LatencyModel();
    const iterationMs = model.tokenMs(busy);
    expect(model.joinMs(busy)).toBe(iterationMs / 2);
    expect(model.joinMs({ ...busy, sinceTokenMs: 4 })).toBeCloseTo(iterationMs - 4);
    expect(model.joinMs({ ...busy, sinceTokenMs: iterationMs * 1.1 })).toBe(0);
  });

  test('counts on from a token some iterations ago; long silence tells nothing', () => {
    const model = new LatencyModel();
    const iterationMs = model.tokenMs(busy);
    const since = (iterations: number) =>
      model.joinMs({ ...busy, sinceTokenMs: iterations * iterationMs }) / iterationMs;
    expect(since(2.75)).toBeCloseTo(0.25);
    expect(since(50.75)).toBe(0.5);
  });

  test('is over at once on an idle replica', () => {
    expect(new LatencyModel().joinMs({ decoding: 0, decodeContext: 0 })).toBe(0);
  });
});

test('decode iterations are learned with the prompts computed beside them', () => {
  const chance = seededChance(5);
  const model = new LatencyModel(constantsTimes(2));
  const trueMs = (decoding: number, decodeContext: number, prefillTokens: number) =>
    stepMs({ tokens: decoding, decoding, decodeContext, pairs: 0 }) + 0.0668 * prefillTokens;
  for (let i = 0; i < 300; i++) {
    const decoding = 1 + Math.floor(chance.uniform() * 60);
    const decodeContext = decoding * chance.between(300, 3_000);
    const prefillTokens = chance.uniform() * 300;
    const ms = trueMs(decoding, decodeContext, prefillTokens) * (1 + 0.05 * chance.normal());
    model.observeDecode({ decoding, decodeContext, prefillTokens }, 100, 100 * ms);
  }
  for (const [decoding, decodeContext, prefillTokens] of [
    [1, 500, 0],
    [32, 40_000, 0],
    [32, 40_000, 200],
  ] as const) {
    const ratio =
      model.tokenMs({ decoding, decodeContext, prefillTokens }) /
      trueMs(decoding, decodeContext, prefillTokens);
    expect(ratio).toBeGreaterThan(0.95);
    expect(ratio).toBeLessThan(1.05);
  }
});

test('a new replica starts from what its pool has learned, and differs after some samples', () => {
  const pool = new LatencyModel(constantsTimes(4));
  feed(LatencyModel.startingFrom(pool), seededChance(1), 300);
  const fresh = LatencyModel.startingFrom(pool);
  expect(fresh.samples).toBe(0);
  expect(medianError(fresh)).toBeLessThan(0.02);
  feed(fresh, seededChance(2), 20, { slowdown: 3 });
  expect(medianError(fresh, 3)).toBeLessThan(0.02);
});

test('what was saved as JSON goes on to the last bit', () => {
  const model = learned(9, 77, 2, { noise: 0.2 });
  const copy = new LatencyModel(constantsTimes(2));
  copy.load(JSON.parse(JSON.stringify(model.save())) as ReturnType<LatencyModel['save']>);
  expect(copy.save()).toEqual(model.save());
  for (const each of [model, copy]) feed(each, seededChance(10), 50, { noise: 0.2 });
  expect(copy.save()).toEqual(model.save());
});
