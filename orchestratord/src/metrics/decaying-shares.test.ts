import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DecayingShares } from './decaying-shares.ts';

const KEYS = ['a', 'b', 'c'] as const;

test('OC-METRICS-7121 shares are within 0 and 1 and add up to 1, whatever the times', () => {
  const amount = fc.integer({ min: 1, max: 100_000 });
  const observation = fc.tuple(fc.constantFrom(...KEYS), amount, fc.nat(30_000));
  fc.assert(
    fc.property(
      fc.array(observation, { minLength: 1, maxLength: 100, size: 'max' }),
      (observations) => {
        const shares = new DecayingShares();
        let now = 1_700_000_000_000;
        for (const [key, amount, gapMs] of observations)
          shares.observe(key, amount, (now += gapMs));
        const all = KEYS.map((key) => shares.share(key, now) ?? -1);
        for (const share of all) expect(share >= 0 && share <= 1).toBe(true);
        expect(all.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 9);
      },
    ),
  );
});

test('OC-METRICS-7121 an observation fades by a factor of e a minute', () => {
  const shares = new DecayingShares();
  shares.observe('old', 1, 0);
  shares.observe('new', 1, 60_000);
  expect(shares.share('old', 60_000)).toBeCloseTo(1 / (1 + Math.E), 9);
  expect(shares.share('never', 60_000)).toBe(0);
});

test('OC-METRICS-7121 what counts is how much it was, not how often', () => {
  const shares = new DecayingShares();
  shares.observe('one', 900, 0);
  for (let n = 0; n < 10; n += 1) shares.observe('many', 10, 0);
  expect(shares.share('one', 0)).toBeCloseTo(0.9, 9);
  expect(shares.share('many', 0)).toBeCloseTo(0.1, 9);
});

test('OC-METRICS-7121 once all has faded there is no share to tell', () => {
  const shares = new DecayingShares();
  expect(shares.share('a', 0)).toBeUndefined();
  shares.observe('a', 1e6, 0);
  shares.observe('a', 0, 200_000);
  expect(shares.share('a', 299_000)).toBe(1);
  expect(shares.share('a', 301_000)).toBeUndefined();
});
