import fc from 'fast-check';
import { expect, test } from 'vitest';
import { backoffDelayMs, StormBound } from './restart-policy.ts';

test('a delay never leaves its doubled bound, however many failures there were', () => {
  fc.assert(
    fc.property(
      fc.nat({ max: 5000 }),
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      (n, jitter) => {
        const delay = backoffDelayMs(n, { baseMs: 250, maxMs: 30_000 }, jitter);
        expect(delay).toBeGreaterThanOrEqual(0);
        expect(delay).toBeLessThanOrEqual(Math.min(30_000, 250 * 2 ** n));
      },
    ),
  );
});

test('ORCH-3053 no window of time ever holds more restarts of a pool than its bound', () => {
  const request = fc.tuple(fc.nat({ max: 300 }), fc.nat({ max: 2000 }));
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5 }),
      fc.array(request, { maxLength: 60 }),
      (stormMax, requests) => {
        const windowMs = 1000;
        const bound = new StormBound({ stormMax, windowMs });
        let nowMs = 0;
        const startsAtMs: number[] = [];
        for (const [passMs, delayMs] of requests) {
          nowMs += passMs;
          const kept = bound.book(nowMs, delayMs);
          expect(kept).toBeGreaterThanOrEqual(delayMs);
          startsAtMs.push(nowMs + kept);
        }
        for (const from of startsAtMs) {
          const inWindow = startsAtMs.filter((at) => at >= from && at < from + windowMs);
          expect(inWindow.length).toBeLessThanOrEqual(stormMax);
        }
      },
    ),
  );
});

test('below the bound a restart waits for nothing but its own delay', () => {
  const bound = new StormBound({ stormMax: 2, windowMs: 1000 });
  expect([bound.book(0, 10), bound.book(0, 20), bound.book(5, 0)]).toEqual([10, 20, 1005]);
});
