import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DecayingHistogram, positionOf, rankOf } from './decaying-histogram.ts';

const BINS = 16;
const position = fc.double({ min: -4, max: BINS + 4, noNaN: true });
const weights = fc
  .array(fc.double({ min: 0, max: 100, noNaN: true }), { minLength: BINS, maxLength: BINS })
  .filter((values) => values.some((value) => value > 1e-6))
  .map((values) => Float64Array.from(values));

function weightsOf(histogram: DecayingHistogram): number[] {
  return Array.from({ length: BINS }, (_, bin) => histogram.weight(bin));
}

test('a rank never falls as the position grows, from 0 to 1', () => {
  fc.assert(
    fc.property(weights, position, position, (all, a, b) => {
      const [low, high] = [Math.min(a, b), Math.max(a, b)];
      expect(rankOf(all, high)).toBeGreaterThanOrEqual(rankOf(all, low));
      expect(rankOf(all, 0)).toBe(0);
      expect(rankOf(all, BINS)).toBeCloseTo(1);
    }),
  );
});

test('the position of a rank has that rank', () => {
  fc.assert(
    fc.property(weights, fc.double({ min: 0, max: 1, noNaN: true }), (all, rank) => {
      expect(rankOf(all, positionOf(all, rank))).toBeCloseTo(rank, 6);
    }),
  );
});

test('weights equal those of a list in which every sample fades, however many there were', () => {
  fc.assert(
    fc.property(
      fc.array(position, { maxLength: 300, size: 'max' }),
      fc.integer({ min: 2, max: 50 }),
      (all, memory) => {
        const histogram = new DecayingHistogram(BINS, memory);
        const plain = new Array<number>(BINS).fill(0);
        for (const each of all) {
          histogram.add(each);
          for (let bin = 0; bin < BINS; bin++) plain[bin] = (plain[bin] ?? 0) * (1 - 1 / memory);
          const bin = Math.min(BINS - 1, Math.max(0, Math.floor(each)));
          plain[bin] = (plain[bin] ?? 0) + 1;
        }
        for (const [bin, weight] of weightsOf(histogram).entries()) {
          expect(weight).toBeCloseTo(plain[bin] ?? NaN, 6);
        }
        expect(histogram.total).toBeLessThanOrEqual(memory + 1e-6);
      },
    ),
  );
});
