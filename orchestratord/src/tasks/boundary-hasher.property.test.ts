import fc from 'fast-check';
import { blocksUpTo } from '@llama-orch/orchestrator-core';
import { expect, test } from 'vitest';
import { BLOCK_BYTES, hashBoundaries } from './boundary-hasher.ts';

/** Bytes of the parts as the hasher should see them. */
const bytesOf = (parts: readonly string[]) =>
  Buffer.concat(parts.flatMap((part) => [Buffer.from(part), Buffer.of(0xff)]));

const placesIn = (bytes: number) => {
  let count = 0;
  while (blocksUpTo(count + 1) * BLOCK_BYTES <= bytes) count += 1;
  return count;
};

/** Long enough to cross blocks and pieces, of one to four bytes a character and halves of pairs. */
const text = fc
  .array(
    fc.tuple(
      fc.oneof(
        fc.string({ unit: 'grapheme', minLength: 1 }),
        fc.constantFrom('😀', 'é', 'a\ud800'),
      ),
      fc.integer({ min: 1, max: 9_000 }),
    ),
    { maxLength: 3 },
  )
  .map((runs) => runs.map(([run, times]) => run.repeat(times).slice(0, 40_000)).join(''));
const texts = fc.array(text, { minLength: 1, maxLength: 3 });

test('two texts share the hashes of exactly the places before their first difference', () => {
  fc.assert(
    fc.property(texts, texts, texts, (common, left, right) => {
      const [a, b] = [
        [...common, ...left],
        [...common, ...right],
      ] as const;
      const [bytesA, bytesB] = [bytesOf(a), bytesOf(b)];
      let same = 0;
      while (same < Math.min(bytesA.length, bytesB.length) && bytesA[same] === bytesB[same]) {
        same += 1;
      }
      const [hashesA, hashesB] = [hashBoundaries(a, 7), hashBoundaries(b, 7)];
      expect(hashesA).toHaveLength(placesIn(bytesA.length));
      const shared = placesIn(same);
      expect(hashesA.slice(0, shared)).toEqual(hashesB.slice(0, shared));
      for (let at = shared; at < Math.min(hashesA.length, hashesB.length); at += 1) {
        expect(hashesA[at]).not.toBe(hashesB[at]);
      }
    }),
    { numRuns: 60 },
  );
});
