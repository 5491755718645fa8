import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createStopFilter } from './stop-filter.ts';

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

/** Cuts a text at random places. */
const cut = (text: string, sizes: readonly number[]): string[] => {
  const pieces: string[] = [];
  for (let at = 0, i = 0; at < text.length; i += 1) {
    const size = sizes[i % sizes.length] ?? 1;
    pieces.push(text.slice(at, at + size));
    at += size;
  }
  return pieces;
};

const letters = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 24 });
const stopLists = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 4 }), {
  maxLength: 3,
});
const cutSizes = fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 8 });

test('OC-EMBED-4122 a stop string never leaks, and where the text ends does not depend on the cuts', () => {
  fc.assert(
    fc.property(letters, stopLists, cutSizes, (text, stops, cuts) => {
      const filter = createStopFilter(stops);
      let out = '';
      let stop: string | undefined;
      for (const piece of cut(text, cuts)) {
        const step = filter.push(piece);
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
