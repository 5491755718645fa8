import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DecayingShares } from './decaying-shares.ts';

const KEYS = ['a', 'b', 'c'] as const;

test('OC-METRICS-7121 shares are within 0 and 1 and add up to 1, whatever the times', () => {
  const observation = fc.tuple(fc.constantFrom(...KEYS), fc.nat(30_000));
  fc.assert(
    fc.property(fc.array(observation, { minLength: 1, maxLength: 100 }), (observations) => {
      const shares = new DecayingShares();
      let now = 1_700_000_000_000;
      for (const [key, gapMs] of observations) shares.observe(key, (now += gapMs));
      const all = KEYS.map((key) => shares.share(key, now) ?? -1);
      for (const share of all) expect(share >= 0 && share <= 1).toBe(true);
      expect(all.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 9);
    }),
  );
});

test('OC-METRICS-7121 an observation fades by a factor of e a minute', () => {
  const shares = new DecayingShares();
  shares.observe('old', 0);
  shares.observe('new', 60_000);
  expect(shares.share('old', 60_000)).toBeCloseTo(1 / (1 + Math.E), 9);
  expect(shares.share('never', 60_000)).toBe(0);
});

test('OC-METRICS-7121 once all has faded there is no share to tell', () => {
  const shares = new DecayingShares();
  expect(shares.share('a', 0)).toBeUndefined();
  shares.observe('a', 0);
  expect(shares.share('a', 299_000)).toBe(1);
  expect(shares.share('a', 301_000)).toBeUndefined();
});
