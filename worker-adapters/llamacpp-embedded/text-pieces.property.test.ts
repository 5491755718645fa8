import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createStopFilter, createTokenText } from './text-pieces.ts';

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

/** The definition, applied to the whole text: the stop that is complete first, longest of a tie. */
const straight = (text: string, stops: readonly string[]) => {
  for (let end = 1; end <= text.length; end += 1) {
    const done = stops
      .filter((stop) => stop !== '' && text.slice(0, end).endsWith(stop))
      .sort((a, b) => b.length - a.length)[0];
    if (done !== undefined) return { text: text.slice(0, end - done.length), stop: done };
  }
  return { text, stop: undefined };
};

const letters = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 24 });
const stopLists = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 4 }), {
  maxLength: 3,
});

test('OC-EMBED-4122 a stop string never leaks, and where the text ends does not depend on the cuts', () => {
  fc.assert(
    fc.property(letters, stopLists, sizes, (text, stops, cuts) => {
      const filter = createStopFilter(stops);
      let out = '';
      let stop: string | undefined;
      for (const piece of cutBytes(text, cuts)) {
        const step = filter.push(piece.toString('utf8'));
        out += step.text;
        stop = step.stop;
        // Whatever follows, what is out already must be a part of the final text.
        expect(straight(text, stops).text.startsWith(out)).toBe(true);
        if (stop !== undefined) break;
      }
      if (stop === undefined) out += filter.flush();
      expect({ text: out, stop }).toEqual(straight(text, stops));
    }),
    { numRuns: 1000 },
  );
});

test('only what could begin a stop string is held back', () => {
  const filter = createStopFilter(['\n\nUser:']);
  expect(filter.push('a haiku\n')).toEqual({ text: 'a haiku', stop: undefined });
  expect(filter.push('\nUs')).toEqual({ text: '', stop: undefined });
  expect(filter.push('age')).toEqual({ text: '\n\nUsage', stop: undefined });
});
