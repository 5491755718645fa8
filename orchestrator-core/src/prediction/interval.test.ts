import { describe, expect, test } from 'vitest';
import { waitBucket, WaitIntervals } from './interval.ts';
import type { Chance } from './testing/engine-fixture.ts';
import { seededChance } from './testing/engine-fixture.ts';

/** The logarithm of actual over predicted, for the i-th sample. */
type ErrorProcess = (chance: Chance, i: number, predictedMs: number) => number;

const SAMPLES = 20_000;

const PROCESSES: Readonly<Record<string, ErrorProcess>> = {
  'a steady bell curve': (chance) => 0.2 * chance.normal(),
  'a bias that drifts to a factor of 2 and back': (chance, i) =>
    0.7 * Math.sin((2 * Math.PI * i) / SAMPLES) + 0.2 * chance.normal(),
  'a spread that jumps every 4000 samples': (chance, i) =>
    (Math.floor(i / 4_000) % 2 === 0 ? 0.05 : 0.4) * chance.normal(),
  'heavy tails': (chance) => 0.05 * Math.tan(1.5 * (chance.uniform() - 0.5) * 2),
  'two humps': (chance) => (chance.uniform() < 0.7 ? 0 : 0.7) + 0.02 * chance.normal(),
  'short waits worse than long ones': (chance, _i, predictedMs) =>
    (predictedMs < 300 ? 0.5 : 0.05) * chance.normal(),
};

interface Verdict {
  readonly coverage: number;
  readonly below: number;
  readonly above: number;
  /** Mean distance of stated probability and observed share over ten bins, for random budgets. */
  readonly calibrationError: number;
}

function judge(process: ErrorProcess, seed: number): Verdict {
  const chance = seededChance(seed);
  const intervals = new WaitIntervals();
  const stated = new Float64Array(10);
  const kept = new Float64Array(10);
  let below = 0;
  let above = 0;
  for (let i = 0; i < SAMPLES; i++) {
    const predictedMs = chance.between(20, 20_000);
    const actualMs = predictedMs * Math.exp(process(chance, i, predictedMs));
    const budgetMs = predictedMs * Math.exp(2 * chance.uniform() - 1);
    const [low, high] = intervals.interval(predictedMs);
    const probability = intervals.probabilityWithin(predictedMs, budgetMs);
    if (actualMs < low) below += 1;
    if (actualMs > high) above += 1;
    const bin = Math.min(9, Math.floor(10 * probability));
    stated[bin] = (stated[bin] ?? 0) + probability;
    kept[bin] = (kept[bin] ?? 0) + (actualMs <= budgetMs ? 1 : 0);
    intervals.observe(predictedMs, actualMs);
  }
  const gaps = stated.map((sum, bin) => Math.abs(sum - (kept[bin] ?? 0)));
  return {
    coverage: 1 - (below + above) / SAMPLES,
    below: below / SAMPLES,
    above: above / SAMPLES,
    calibrationError: gaps.reduce((sum, gap) => sum + gap, 0) / SAMPLES,
  };
}

describe.each(Object.entries(PROCESSES))('errors with %s', (_name, process) => {
  const verdict = judge(process, 11);

  test('the 80 % interval holds 78 to 82 % of the waits, its misses on both sides alike', () => {
    expect(verdict.coverage).toBeGreaterThan(0.78);
    expect(verdict.coverage).toBeLessThan(0.82);
    expect(Math.abs(verdict.below - verdict.above)).toBeLessThan(0.02);
  });

  test('on-time probabilities are off by at most 0.02 in the mean', () => {
    expect(verdict.calibrationError).toBeLessThan(0.02);
  });
});

describe('before anything was observed', () => {
  const fresh = new WaitIntervals();

  test('the interval is wide and around the prediction', () => {
    const [low, high] = fresh.interval(1_000);
    expect(low).toBeLessThan(600);
    expect(high).toBeGreaterThan(1_600);
    expect(fresh.medianMs(1_000)).toBeCloseTo(1_000, -1);
  });

  test('no budget is certain, and none that is gone can be kept', () => {
    expect(fresh.probabilityWithin(1_000, 1e7)).toBeLessThan(1);
    expect(fresh.probabilityWithin(1_000, 5)).toBeGreaterThan(0);
    expect(fresh.probabilityWithin(1_000, 0)).toBe(0);
    expect(fresh.probabilityWithin(1_000, NaN)).toBe(0);
  });
});

test('a steady bias is taken out of the median', () => {
  const intervals = new WaitIntervals();
  const chance = seededChance(2);
  for (let i = 0; i < 300; i++) intervals.observe(1_000, 1_500 * Math.exp(0.1 * chance.normal()));
  expect(intervals.medianMs(1_000) / 1_500).toBeCloseTo(1, 1);
});

test('a bucket without samples leans on the others', () => {
  const intervals = new WaitIntervals();
  for (let i = 0; i < 200; i++) intervals.observe(1_000, 2_000, 'seen');
  expect(intervals.medianMs(1_000, 'unseen') / 2_000).toBeCloseTo(1, 1);
});

test('errors that change sides from burst to burst are held by intervals that have seen both', () => {
  const chance = seededChance(4);
  const intervals = new WaitIntervals({ areBursty: true });
  const following = new WaitIntervals();
  const bursts = { all: 400, first: 50, size: 40 };
  const held = { bursty: 0, following: 0 };
  const isWithin = (actualMs: number, [low, high]: [number, number]) =>
    actualMs >= low && actualMs <= high ? 1 : 0;
  for (let burst = 0; burst < bursts.all; burst++) {
    const bias = 0.4 * chance.normal();
    // Nobody knows the outcome of any before all of the burst have been told.
    const told = { bursty: intervals.interval(1_000), following: following.interval(1_000) };
    for (let i = 0; i < bursts.size; i++) {
      const actualMs = 1_000 * Math.exp(bias + 0.1 * chance.normal());
      if (burst >= bursts.first) {
        held.bursty += isWithin(actualMs, told.bursty);
        held.following += isWithin(actualMs, told.following);
      }
      intervals.observe(1_000, actualMs, undefined, told.bursty);
      following.observe(1_000, actualMs, undefined, told.following);
    }
  }
  const samples = (bursts.all - bursts.first) * bursts.size;
  expect(held.bursty / samples).toBeGreaterThan(0.74);
  expect(held.bursty / samples).toBeLessThan(0.83);
  expect(held.following / samples).toBeLessThan(0.7);
});

test('misses of the intervals that were given widen those to come, whatever is known by then', () => {
  const given = new WaitIntervals();
  const recomputed = new WaitIntervals();
  for (let i = 0; i < 30; i++) {
    given.observe(1_000, 1_100, 'a', [900, 1_000]);
    recomputed.observe(1_000, 1_100, 'a');
  }
  expect(given.save().buckets[0]?.high).toBeLessThan(recomputed.save().buckets[0]?.high ?? 0);
});

test('more than 64 made-up buckets take no more memory', () => {
  const intervals = new WaitIntervals();
  for (let i = 0; i < 1_000; i++) intervals.observe(100, 120, `bucket-${i}`);
  expect(intervals.save().buckets.length).toBeLessThanOrEqual(65);
});

test('waits alike in length share a bucket', () => {
  expect(waitBucket(100)).toBe(waitBucket(105));
  expect(waitBucket(100)).not.toBe(waitBucket(300));
  expect(waitBucket(0)).toBe(waitBucket(10));
  expect(waitBucket(Infinity)).toBe(waitBucket(1e5));
});

test('what was saved as JSON goes on to the last bit', () => {
  const chance = seededChance(8);
  const intervals = new WaitIntervals();
  const observe = (target: WaitIntervals, predictedMs: number, error: number) => {
    target.observe(predictedMs, predictedMs * Math.exp(error));
  };
  for (let i = 0; i < 500; i++) observe(intervals, chance.between(10, 1e4), chance.normal());
  const copy = new WaitIntervals();
  copy.load(JSON.parse(JSON.stringify(intervals.save())) as ReturnType<WaitIntervals['save']>);
  expect(copy.save()).toEqual(intervals.save());
  for (let i = 0; i < 100; i++) {
    const predictedMs = chance.between(10, 1e4);
    const error = chance.normal();
    for (const each of [intervals, copy]) observe(each, predictedMs, error);
  }
  expect(copy.save()).toEqual(intervals.save());
});

test('what cannot have been saved is refused, whichever part of it is wrong', () => {
  const intervals = new WaitIntervals();
  for (let i = 1; i < 50; i++) intervals.observe(100, 90 + i);
  const saved = intervals.save();
  expect(new WaitIntervals().load(saved)).toBe(true);
  const wrong = { shift: 1e9, side: 2, all: null, buckets: {} };
  for (const [name, value] of Object.entries(wrong)) {
    const copy = new WaitIntervals();
    expect(copy.load({ ...saved, [name]: value }), name).toBe(false);
    expect(copy.save(), name).toEqual(new WaitIntervals().save());
  }
});
