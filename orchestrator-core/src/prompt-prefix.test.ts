import { expect, test } from 'vitest';
import { blocksUpTo, tokensUpTo } from './prompt-prefix.ts';

test('the places of a prompt lie at every block first, then 32 to a doubling', () => {
  const places = (from: number, count: number) =>
    Array.from({ length: count }, (_, at) => blocksUpTo(from + at));
  expect(places(0, 4)).toEqual([0, 1, 2, 3]);
  expect(places(62, 6)).toEqual([62, 63, 64, 66, 68, 70]);
  expect(places(95, 3)).toEqual([126, 128, 132]);
  expect(places(127, 3)).toEqual([252, 256, 264]);
});

test('no two neighbouring places are further apart than a block or 1/32 of the way', () => {
  for (let count = 1; count < 1_000; count += 1) {
    const gap = blocksUpTo(count) - blocksUpTo(count - 1);
    expect(gap).toBeGreaterThan(0);
    expect(gap).toBeLessThanOrEqual(Math.max(1, blocksUpTo(count - 1) / 32));
  }
});

test('a prompt of 16 MB has 384 places at blocks of 256 bytes', () => {
  expect(blocksUpTo(384) * 256).toBe(16 * 2 ** 20);
});

test('tokens up to a place are whole, also where a block is not', () => {
  const prefix = { blockTokens: 60.4, hashes: [] };
  expect([0, 1, 2, 5].map((count) => tokensUpTo(prefix, count))).toEqual([0, 60, 120, 302]);
});
