import { expect, test } from 'vitest';
import { DecodeSet } from './decode-set.ts';

test('what a sequence went through is the mean of its own iterations', () => {
  const set = new DecodeSet();
  set.add('before', 100, 0);
  set.passed(5, { tokens: 1_000, belowKnee: 500, pairs: 9_000 });
  set.add('asked', 50, 1_000);
  expect(set.context).toBe(100 + 6 + 50 + 1);
  set.passed(2, { tokens: 40, belowKnee: 20, pairs: 400 });
  set.passed(2);
  expect(set.context).toBe(100 + 10 + 50 + 5);
  set.remove('before');
  set.passed(1, { tokens: 10, belowKnee: 5, pairs: 100 });
  expect(set.aheadBy('asked', 6, false)).toBe(0);
  // Contexts at the beginning of the five: both sequences in four of them, then one.
  const contexts = [157, 159, 161, 163, 55];
  expect(set.remove('asked', 1_400)).toEqual({
    tokens: 5,
    ms: 400,
    load: {
      decoding: 9 / 5,
      decodeContext: contexts.reduce((sum, context) => sum + context) / 5,
      prefillTokens: 50 / 5,
      prefillBelowKnee: 25 / 5,
      prefillPairs: 500 / 5,
    },
  });
});

test('a sequence tells nothing without a second token, without time or without an iteration', () => {
  const set = new DecodeSet();
  set.add('one token', 10, 0);
  set.passed(1);
  expect(set.remove('one token', 50)).toBeUndefined();
  set.add('no time', 10, 50);
  set.passed(3);
  set.aheadBy('no time', 4, false);
  expect(set.remove('no time', 50)).toBeUndefined();
  set.add('no iteration', 10, 50);
  set.aheadBy('no iteration', 4, false);
  expect(set.remove('no iteration', 90)).toBeUndefined();
  expect(set.remove('unknown', 90)).toBeUndefined();
  expect(set.context).toBe(0);
});

test('a first report settles which iteration a sequence began with, later ones say what passed unseen', () => {
  const set = new DecodeSet();
  set.add('a', 10, 0);
  set.passed(3);
  expect(set.aheadBy('a', 4, false)).toBe(0);
  expect(set.aheadBy('a', 4, false)).toBeUndefined();
  expect(set.aheadBy('a', 9, false)).toBe(5);
  set.add('b', 10, 0);
  set.passed(1);
  expect(set.aheadBy('b', 4, false)).toBeUndefined();
  expect(set.context).toBe(10 + 5 + 10 + 4);
  set.passed(1);
  expect(set.aheadBy('b', 5, false)).toBe(0);
  expect(set.aheadBy('b', 9, true)).toBe(0);
  expect(set.context).toBe(10 + 6 + 10 + 9);
});
