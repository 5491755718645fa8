import fc from 'fast-check';
import { expect, test } from 'vitest';
import { canonicalPositions, prefillChunks, reusablePositions } from './prefill.ts';

const tokens = fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 1, maxLength: 80 });
const chunks = fc.integer({ min: 1, max: 20 });

test('OC-EMBED-4110 batches start at multiples of the chunk and cover the prompt exactly', () => {
  fc.assert(
    fc.property(tokens, chunks, (prompt, chunk) => {
      const batches = prefillChunks(prompt, 0, chunk);
      expect(batches.flat()).toEqual(prompt);
      for (const batch of batches.slice(0, -1)) expect(batch).toHaveLength(chunk);
    }),
  );
});

test('OC-EMBED-4111 reuse is a common prefix of whole chunks that leaves a token to evaluate', () => {
  fc.assert(
    fc.property(tokens, tokens, chunks, (held, prompt, chunk) => {
      const canonical = held.slice(0, canonicalPositions(held.length, held.length, chunk));
      const reuse = reusablePositions(canonical, prompt, chunk);
      expect(reuse % chunk).toBe(0);
      expect(reuse).toBeLessThan(prompt.length);
      expect(canonical.slice(0, reuse)).toEqual(prompt.slice(0, reuse));
      expect([...prompt.slice(0, reuse), ...prefillChunks(prompt, reuse, chunk).flat()]).toEqual(
        prompt,
      );
    }),
  );
});

test('generated tokens may be reused only with chunks of one', () => {
  expect(canonicalPositions(20, 60, 16)).toBe(16);
  expect(canonicalPositions(20, 60, 1)).toBe(60);
  expect(canonicalPositions(40, 32, 16)).toBe(32);
});
