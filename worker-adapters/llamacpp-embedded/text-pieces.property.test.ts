import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createTokenText } from './text-pieces.ts';

/** A byte-level vocabulary without merges: token ids index a list of byte strings. */
const decode = (pieces: readonly Buffer[]) => (tokens: readonly number[]) =>
  Buffer.concat(tokens.map((token) => pieces[token] ?? Buffer.alloc(0))).toString('utf8');

/** Cuts bytes at random places. */
const cutBytes = (text: string, sizes: readonly number[]): Buffer[] => {
  const bytes = Buffer.from(text);
  const pieces: Buffer[] = [];
  for (let at = 0, i = 0; at < bytes.length; i += 1) {
    const size = sizes[i % sizes.length] ?? 1;
    pieces.push(bytes.subarray(at, at + size));
    at += size;
  }
  return pieces;
};

const wellFormed = fc
  .string({ unit: 'grapheme', maxLength: 60 })
  .filter((s) => !s.includes('\uFFFD'));
const sizes = fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 8 });

test('OC-EMBED-4121 pieces are whole code points and join to the straight text, however bytes are cut', () => {
  fc.assert(
    fc.property(wellFormed, sizes, (text, cuts) => {
      const pieces = cutBytes(text, cuts);
      const detokenize = decode(pieces);
      const joiner = createTokenText(detokenize, []);
      const out = pieces.map((_, token) => joiner.push(token) ?? '');
      expect(out.join('')).toBe(text);
      for (const piece of out) expect(piece).not.toContain('\uFFFD');
    }),
    { numRuns: 500 },
  );
});

test('OC-EMBED-4121 bytes that never become text do not hold the stream for more than four tokens', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 4, maxLength: 40 }), (bytes) => {
      const pieces = [...bytes].map((byte) => Buffer.of(byte));
      const joiner = createTokenText(decode(pieces), []);
      let silent = 0;
      for (let token = 0; token < pieces.length; token += 1) {
        silent = joiner.push(token) === undefined ? silent + 1 : 0;
        expect(silent).toBeLessThan(4);
      }
    }),
  );
});

test('a code point that never closes is not emitted', () => {
  const pieces = [Buffer.from('rain '), Buffer.of(0xe2, 0x82)];
  const joiner = createTokenText(decode(pieces), []);
  expect(joiner.push(0)).toBe('rain ');
  expect(joiner.push(1)).toBeUndefined();
});
