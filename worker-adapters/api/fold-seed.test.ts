import fc from 'fast-check';
import { expect, test } from 'vitest';
import { foldSeed } from './fold-seed.ts';

const RANDOM = 2 ** 32 - 1;

test('OC-ADAPT-5012 seeds an engine accepts pass unchanged', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: RANDOM - 1 }), (seed) => {
      expect(foldSeed(BigInt(seed))).toBe(seed);
    }),
  );
});

test('OC-ADAPT-5012 every int64 lands in range, never on the value that means random', () => {
  const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
  fc.assert(
    fc.property(int64, (seed) => {
      const folded = foldSeed(seed);
      expect(Number.isInteger(folded)).toBe(true);
      expect(folded).toBeGreaterThanOrEqual(0);
      expect(folded).toBeLessThan(RANDOM);
    }),
    { examples: [[-1n], [2n ** 32n - 1n], [2n ** 63n - 1n], [-(2n ** 63n)]] },
  );
});

test('OC-ADAPT-5012 the mapping of large seeds is fixed', () => {
  expect([2n ** 32n - 1n, 2n ** 32n, 2n ** 63n - 1n, -1n].map(foldSeed)).toMatchInlineSnapshot(`
    [
      1945472389,
      3906056488,
      3553495483,
      2812023672,
    ]
  `);
});
