import { expect, test } from 'vitest';
import type { Backlog } from './prediction.ts';
import { MeanHoldPredictor } from './prediction.ts';
import { DEFAULT_TUNING } from './tuning.ts';

const IDLE: Backlog = {
  slots: 1,
  hasReadySlot: true,
  ahead: { interactive: 0, batch: 0 },
  running: { interactive: { count: 0, elapsedMs: 0 }, batch: { count: 0, elapsedMs: 0 } },
};
const busy = (count: number, elapsedMs: number) => ({
  interactive: { count, elapsedMs },
  batch: { count: 0, elapsedMs: 0 },
});
const create = () => new MeanHoldPredictor(DEFAULT_TUNING);

test('the first samples weigh equally, later ones by the tuned weight', () => {
  const predictor = create();
  for (const holdMs of [100, 200, 300]) predictor.observe('interactive', holdMs);
  expect(predictor.estimates().interactive).toEqual({ meanMs: 200, samples: 3 });
  for (let i = 0; i < 500; i += 1) predictor.observe('interactive', 1_000);
  expect(predictor.estimates().interactive.meanMs).toBeCloseTo(1_000, 3);
});

test('OC-CORE-1018 a single server with known hold times is predicted exactly', () => {
  const predictor = create();
  predictor.observe('interactive', 400);
  const ahead = { interactive: 2, batch: 0 };
  expect(predictor.startMs({ ...IDLE, ahead, running: busy(1, 150) })).toBe(2 * 400 + 250);
});

test('more slots share the work ahead', () => {
  const predictor = create();
  predictor.observe('interactive', 400);
  const ahead = { interactive: 4, batch: 0 };
  expect(predictor.startMs({ ...IDLE, slots: 4, ahead })).toBe(400);
});

test('an attempt that overstays its mean counts as about to end, never as negative work', () => {
  const predictor = create();
  predictor.observe('interactive', 400);
  expect(predictor.startMs({ ...IDLE, running: busy(1, 9_000) })).toBe(1);
});

test('a class without samples borrows the other, and both fall back on the default', () => {
  const predictor = create();
  const ahead = { interactive: 0, batch: 1 };
  expect(predictor.startMs({ ...IDLE, ahead })).toBe(DEFAULT_TUNING.initialHoldMs);
  predictor.observe('interactive', 70);
  expect(predictor.startMs({ ...IDLE, ahead })).toBe(70);
});

test('while nothing is ready the load time is added', () => {
  const cold = { ...IDLE, hasReadySlot: false };
  expect(create().startMs(cold)).toBe(DEFAULT_TUNING.coldStartMs);
  expect(create().retryAfterMs(cold)).toBeGreaterThan(DEFAULT_TUNING.coldStartMs);
});

test('ORCH-2007 OC-CORE-1009 retry advice follows the drain rate and stays within its bounds', () => {
  const predictor = create();
  predictor.observe('interactive', 400);
  predictor.observe('batch', 4_000);
  expect(predictor.retryAfterMs({ ...IDLE, running: busy(1, 0) })).toBe(400);
  const mixed = {
    interactive: { count: 1, elapsedMs: 0 },
    batch: { count: 1, elapsedMs: 0 },
  };
  expect(predictor.retryAfterMs({ ...IDLE, slots: 2, running: mixed })).toBe(1_100);
  expect(predictor.retryAfterMs({ ...IDLE, slots: 100_000 })).toBe(1);
  const slow = create();
  slow.observe('interactive', 1e9);
  expect(slow.retryAfterMs(IDLE)).toBe(DEFAULT_TUNING.maxRetryAfterMs);
});

test('loaded estimates are the ones that were saved', () => {
  const predictor = create();
  predictor.observe('batch', 123);
  const copy = create();
  copy.load(predictor.estimates());
  expect(copy.estimates()).toEqual(predictor.estimates());
});
