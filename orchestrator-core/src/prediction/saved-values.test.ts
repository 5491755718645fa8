import { expect, test } from 'vitest';
import { areWithin, fieldsOf, isCount, isWithin } from './saved-values.ts';

test('only objects have fields', () => {
  expect(fieldsOf({ a: 1 })).toEqual({ a: 1 });
  for (const value of [undefined, null, 1, 'ab', [1]]) expect(fieldsOf(value)).toEqual({});
});

test('numbers are within bounds that they may touch, and nothing else is', () => {
  expect([0, 0.5, 1].every((value) => isWithin(value, 0, 1))).toBe(true);
  expect([-0.1, 1.1, NaN, '0', null].some((value) => isWithin(value, 0, 1))).toBe(false);
});

test('counts are whole', () => {
  expect([0, 3, 1e15].every(isCount)).toBe(true);
  expect([-1, 0.5, NaN, Infinity, 1e300, '3'].some(isCount)).toBe(false);
});

test('a list has its length and every value in it is checked', () => {
  expect(areWithin([0, 1], 2, 0, 1)).toBe(true);
  expect(areWithin([0, 1, 1], 2, 0, 1)).toBe(false);
  expect(areWithin([0, null], 2, 0, 1)).toBe(false);
  expect(areWithin({ length: 2, 0: 0, 1: 1 }, 2, 0, 1)).toBe(false);
});
