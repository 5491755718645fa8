import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { TokenBucket, type RateLimit } from './token-bucket.ts';

const limits: fc.Arbitrary<RateLimit> = fc.record({
  rps: fc.oneof(
    fc.double({ min: 0.001, max: 10, noNaN: true }),
    fc.integer({ min: 1, max: 100_000 }),
  ),
  burst: fc.integer({ min: 1, max: 20 }),
});
/** Epoch milliseconds, as the daemon's clock gives them. */
const START_MS = 1_767_225_600_000;
/** Pauses between calls: crowds, and rests long enough to fill any bucket. */
const pauses = fc.array(
  fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 50 }), fc.integer({ min: 0, max: 100_000 })),
  { minLength: 1, maxLength: 200 },
);

function timesOf(gaps: readonly number[]): readonly number[] {
  let now = START_MS;
  return gaps.map((gap) => (now += gap));
}

describe('OC-CTRL-2046 a token bucket', () => {
  test('ORCH-3006 grants at most burst + rps × t over any time t', () => {
    fc.assert(
      fc.property(limits, pauses, (limit, gaps) => {
        const bucket = new TokenBucket(limit);
        const granted = timesOf(gaps).filter((now) => bucket.take(now) === 0);
        for (const [first, from] of granted.entries()) {
          for (const [last, to] of granted.entries()) {
            if (last < first) continue;
            const bound = limit.burst + (limit.rps * (to - from)) / 1000;
            expect(last - first + 1).toBeLessThanOrEqual(bound + 1e-6);
          }
        }
      }),
    );
  });

  test('refuses nobody who keeps to the rate', () => {
    fc.assert(
      fc.property(limits, fc.integer({ min: 1, max: 100 }), (limit, calls) => {
        const bucket = new TokenBucket(limit);
        const gap = Math.ceil(1000 / limit.rps);
        for (const now of timesOf(Array.from({ length: calls }, () => gap))) {
          expect(bucket.take(now)).toBe(0);
        }
      }),
    );
  });

  test('grants a full burst after a rest', () => {
    fc.assert(
      fc.property(limits, pauses, (limit, gaps) => {
        const bucket = new TokenBucket(limit);
        const times = timesOf(gaps);
        for (const now of times) bucket.take(now);
        const rested = (times.at(-1) ?? START_MS) + Math.ceil((limit.burst * 1000) / limit.rps);
        for (let i = 0; i < limit.burst; i += 1) expect(bucket.take(rested)).toBe(0);
        expect(bucket.take(rested)).toBeGreaterThan(0);
      }),
    );
  });

  test('names the shortest wait: one more is granted then, and none before', () => {
    fc.assert(
      fc.property(limits, pauses, (limit, gaps) => {
        const bucket = new TokenBucket(limit);
        for (const now of timesOf(gaps)) {
          const wait = bucket.take(now);
          if (wait === 0) continue;
          const due = now + Math.ceil(wait);
          // Within rounding of a whole millisecond either may be it.
          const isEarly = due - 1 > now && now + wait - (due - 1) > 1e-3;
          if (isEarly) expect(bucket.take(due - 1)).toBeGreaterThan(0);
          expect(bucket.take(due)).toBe(0);
          return;
        }
      }),
    );
  });

  test('a refusal costs nothing: refused calls do not push the next grant away', () => {
    const bucket = new TokenBucket({ rps: 1, burst: 1 });
    expect(bucket.take(START_MS)).toBe(0);
    for (let i = 0; i < 1_000; i += 1) expect(bucket.take(START_MS + 500)).toBe(500);
    expect(bucket.take(START_MS + 1_000)).toBe(0);
  });

  test('a clock that was set back gives nothing away', () => {
    const bucket = new TokenBucket({ rps: 1, burst: 1 });
    expect(bucket.take(START_MS)).toBe(0);
    expect(bucket.take(START_MS - 60_000)).toBe(1_000);
    expect(bucket.take(START_MS + 1_000)).toBe(0);
  });
});
