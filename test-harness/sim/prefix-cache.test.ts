import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BLOCK_TOKENS, hitTokens, PrefixCache } from './prefix-cache.ts';

test('a hit is the run of leading blocks that are present', () => {
  const cache = new PrefixCache(10 * BLOCK_TOKENS);
  cache.touch([1, 2, 3]);
  expect(cache.matchBlocks([1, 2, 3, 4])).toBe(3);
  expect(cache.matchBlocks([1, 9, 3])).toBe(1);
  expect(cache.matchBlocks([2, 3])).toBe(2);
  expect(cache.matchBlocks([9, 1])).toBe(0);
});

test('the least recently used block goes first, and of one prompt its tail', () => {
  const cache = new PrefixCache(4 * BLOCK_TOKENS);
  cache.touch([1, 2, 3]);
  cache.touch([7]);
  cache.touch([8]);
  expect(cache.sizeBlocks).toBe(4);
  expect(cache.matchBlocks([1, 2, 3])).toBe(2);
});

test('less room than one block holds nothing', () => {
  const cache = new PrefixCache(BLOCK_TOKENS - 1);
  cache.touch([1]);
  expect(cache.matchBlocks([1])).toBe(0);
});

test('the last token of a prompt is always computed', () => {
  expect(hitTokens(2 * BLOCK_TOKENS, 2)).toBe(2 * BLOCK_TOKENS - 1);
  expect(hitTokens(2 * BLOCK_TOKENS + 10, 2)).toBe(2 * BLOCK_TOKENS);
  expect(hitTokens(100, 0)).toBe(0);
});

test('the cache holds what a plain list in order of use holds', () => {
  const uses = fc.array(fc.uniqueArray(fc.nat(12), { maxLength: 6 }), { maxLength: 40 });
  fc.assert(
    fc.property(uses, fc.integer({ min: 1, max: 8 }), (touches, blocks) => {
      const cache = new PrefixCache(blocks * BLOCK_TOKENS);
      let list: number[] = [];
      for (const ids of touches) {
        cache.touch(ids);
        list = [...list.filter((id) => !ids.includes(id)), ...ids.toReversed()].slice(-blocks);
        for (let id = 0; id <= 12; id += 1) {
          expect(cache.matchBlocks([id])).toBe(list.includes(id) ? 1 : 0);
        }
      }
    }),
  );
});
