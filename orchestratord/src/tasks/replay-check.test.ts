import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ReplayCheck, ReplayDivergedError } from './replay-check.ts';
import { tokenText } from './task-log.ts';

/** Cuts a text into pieces at the given places. */
function cut(text: string, places: readonly number[]): string[] {
  const ends = [...new Set(places.map((place) => place % (text.length + 1)))].sort((a, b) => a - b);
  return [...ends, text.length].map((end, at) =>
    text.slice(at === 0 ? 0 : (ends[at - 1] ?? 0), end),
  );
}

test('ORCH-3045 a re-run of the same text, cut in any way, yields exactly what was not shown yet', () => {
  fc.assert(
    fc.property(
      fc.string(),
      fc.nat(),
      fc.array(fc.nat()),
      fc.array(fc.nat()),
      (text, shownUpTo, places, reads) => {
        const shown = text.slice(0, shownUpTo % (text.length + 1));
        const replay = new ReplayCheck(shown);
        const pieces = cut(text, places);
        let fresh = '';
        let from = 0;
        for (const to of [
          ...reads.map((at) => at % (pieces.length + 1)).sort((a, b) => a - b),
          pieces.length,
        ]) {
          fresh += replay.accept(pieces.slice(from, to)).map(tokenText).join('');
          from = to;
        }
        replay.finish();
        expect(shown + fresh).toBe(text);
      },
    ),
  );
});

test('other text than was shown is refused, wherever it differs', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), fc.nat(), (shown, at) => {
      const place = at % shown.length;
      const other = shown.charAt(place) === 'a' ? 'b' : 'a';
      const text = shown.slice(0, place) + other + shown.slice(place + 1);
      expect(() => new ReplayCheck(shown).accept([text])).toThrow(ReplayDivergedError);
    }),
  );
});

test('a re-run that ends early is refused', () => {
  const replay = new ReplayCheck('abc');
  expect(replay.accept(['ab'])).toEqual([]);
  expect(() => replay.finish()).toThrow(ReplayDivergedError);
});

test('a first run passes through untouched', () => {
  const pieces = ['a', 'b'];
  expect(new ReplayCheck('').accept(pieces)).toBe(pieces);
});

test('OC-CTRL-2027 what was not shown keeps its own probabilities, except a token shown in part', () => {
  const weighed = (token: string) => ({ token, logprobs: [{ token, logprob: -1, top: [] }] });
  const tokens = ['ab', 'cd', 'ef'].map(weighed);
  expect(new ReplayCheck('ab').accept(tokens)).toEqual([weighed('cd'), weighed('ef')]);
  expect(new ReplayCheck('abc').accept(tokens)).toEqual(['d', weighed('ef')]);
});
