import { expect, test } from 'vitest';
import { percentile, spread } from './statistics.ts';

test('a percentile is the nearest rank, whatever the order', () => {
  const values = [5, 1, 4, 2, 3, 10, 9, 8, 7, 6];
  expect([0, 0.5, 0.95, 1].map((share) => percentile(values, share))).toEqual([1, 5, 10, 10]);
});

test('a percentile of numbers sorts them as numbers', () => {
  expect(percentile([100, 9, 20], 0.5)).toBe(20);
});

test('a percentile of nothing is no number', () => {
  expect(percentile([], 0.5)).toBeNaN();
});

test('a spread is median, least and most', () => {
  expect(spread([3, 1, 9])).toEqual({ median: 3, min: 1, max: 9 });
});
