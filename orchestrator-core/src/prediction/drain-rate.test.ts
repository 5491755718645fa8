import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DrainRate } from './drain-rate.ts';

const MODEL = { holdMs: 4_000, slots: 4 };

/** Frees a place every `gapMs`, with more work waiting each time. */
function freeEvery(rate: DrainRate, gapMs: number, times: number, fromMs = 0): number {
  let nowMs = fromMs;
  for (let i = 0; i < times; i++) {
    nowMs += gapMs;
    rate.freed(nowMs, true);
  }
  return nowMs;
}

test('before anything was measured the model tells: hold time over slots', () => {
  expect(new DrainRate().msUntilFree(1, 0, MODEL)).toBe(1_000);
  expect(new DrainRate().msUntilFree(3, 0, MODEL)).toBe(3_000);
});

test('the measured gap takes the place of the model', () => {
  const rate = new DrainRate();
  const nowMs = freeEvery(rate, 250, 40);
  expect(rate.msUntilFree(1, nowMs, MODEL) / 250).toBeCloseTo(1, 1);
  expect(rate.msUntilFree(8, nowMs, MODEL) / 2_000).toBeCloseTo(1, 1);
});

test('idle time is no gap', () => {
  const rate = new DrainRate();
  let nowMs = freeEvery(rate, 250, 40);
  for (let i = 0; i < 20; i++) {
    rate.freed(nowMs + 250, false);
    nowMs = freeEvery(rate, 250, 3, nowMs + 3_600_000);
  }
  expect(rate.msUntilFree(1, nowMs, MODEL) / 250).toBeCloseTo(1, 1);
});

test('one stall moves it little, a lasting change is followed', () => {
  const rate = new DrainRate();
  let nowMs = freeEvery(rate, 250, 100);
  nowMs = freeEvery(rate, 600_000, 1, nowMs);
  expect(rate.msUntilFree(1, nowMs, MODEL)).toBeLessThan(350);
  nowMs = freeEvery(rate, 1_000, 100, nowMs);
  expect(rate.msUntilFree(1, nowMs, MODEL)).toBeGreaterThan(900);
});

test('the wait shrinks as time goes by, and grows again when nothing is freed for long', () => {
  const rate = new DrainRate();
  const nowMs = freeEvery(rate, 1_000, 50);
  const atOnce = rate.msUntilFree(1, nowMs, MODEL);
  expect(rate.msUntilFree(1, nowMs + 400, MODEL)).toBeCloseTo(atOnce - 400, -1);
  expect(rate.msUntilFree(1, nowMs + 600_000, MODEL)).toBeGreaterThan(5 * atOnce);
});

test('whatever happens, the wait is finite, above 0, not less for more places, and saved whole', () => {
  const event = fc.record({ gapMs: fc.nat(1e7), waiting: fc.boolean() });
  fc.assert(
    fc.property(fc.array(event), fc.nat(1_000), fc.nat(1e7), (events, places, laterMs) => {
      const rate = new DrainRate();
      let nowMs = 0;
      for (const { gapMs, waiting } of events) rate.freed((nowMs += gapMs), waiting);
      const ms = rate.msUntilFree(places, nowMs + laterMs, MODEL);
      expect(ms).toBeGreaterThan(0);
      expect(ms).toBeLessThan(Infinity);
      expect(rate.msUntilFree(places + 1, nowMs + laterMs, MODEL)).toBeGreaterThanOrEqual(ms);
      const copy = new DrainRate();
      expect(copy.load(JSON.parse(JSON.stringify(rate.save())))).toBe(true);
      expect(copy.save()).toEqual(rate.save());
    }),
  );
});

test('the gap that is open when it is saved is not gone on with: nobody may have looked for most of it', () => {
  const rate = new DrainRate();
  const nowMs = freeEvery(rate, 1_000, 50);
  const copy = new DrainRate();
  copy.load(rate.save());
  expect(copy.msUntilFree(1, nowMs + 3_600_000, MODEL)).toBe(copy.msUntilFree(1, nowMs, MODEL));
  expect(copy.msUntilFree(1, nowMs, MODEL)).toBeCloseTo(rate.msUntilFree(1, nowMs, MODEL));
});
