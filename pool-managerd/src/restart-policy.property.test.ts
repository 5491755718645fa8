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

/** Restarts that are asked for after a pause each, with a delay of their own. */
const requests = fc.array(fc.tuple(fc.nat({ max: 300 }), fc.nat({ max: 2000 })), { maxLength: 60 });
const windowMs = 1000;

/** When they are asked for, wanted and permitted, ms. */
function book(stormMax: number, asked: readonly (readonly [number, number])[]) {
  const bound = new StormBound({ stormMax, windowMs });
  let nowMs = 0;
  return asked.map(([passMs, delayMs]) => {
    nowMs += passMs;
    return { nowMs, wantedMs: nowMs + delayMs, atMs: nowMs + bound.book(nowMs, delayMs) };
  });
}

test('ORCH-3053 OC-POOL-3011 no time, short or long, ever holds more restarts of a pool than its bound', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5 }), requests, (stormMax, asked) => {
      const startsAtMs = book(stormMax, asked).map(({ atMs }) => atMs);
      for (const fromMs of startsAtMs) {
        for (const toMs of startsAtMs.filter((atMs) => atMs >= fromMs)) {
          const held = startsAtMs.filter((atMs) => atMs >= fromMs && atMs <= toMs);
          const most = stormMax + ((toMs - fromMs) * stormMax) / windowMs;
          expect(held.length).toBeLessThanOrEqual(most + 1e-6);
        }
      }
    }),
  );
});

test('ORCH-3053 OC-POOL-3011 a restart waits for those booked before it and no longer: a pool never goes dark', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5 }), requests, (stormMax, asked) => {
      const booked = book(stormMax, asked);
      const spacingMs = windowMs / stormMax;
      for (const [index, { nowMs, wantedMs, atMs }] of booked.entries()) {
        expect(atMs).toBeGreaterThanOrEqual(wantedMs);
        const before = booked.slice(0, index).map((each) => each.atMs);
        const lastMs = Math.max(nowMs, ...before);
        expect(atMs).toBeLessThanOrEqual(Math.max(wantedMs, lastMs + spacingMs) + 1);
      }
    }),
  );
});

test('below the bound a restart waits for nothing but its own delay, beyond it for its turn', () => {
  const bound = new StormBound({ stormMax: 2, windowMs: 1000 });
  expect([bound.book(0, 10), bound.book(0, 20), bound.book(5, 0)]).toEqual([10, 20, 505]);
  expect(bound.book(1000, 0)).toBe(10);
  expect([bound.book(3000, 0), bound.book(3000, 0), bound.book(3000, 0)]).toEqual([0, 0, 500]);
});
