import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compareOutputs } from './compare-outputs.ts';

test('OC-CTRL-2140 the same bytes match, however they are cut into tokens', () => {
  const texts = fc.array(fc.string({ unit: 'grapheme' }));
  fc.assert(
    fc.property(texts, (tokens) => {
      const whole = { tokensCompared: tokens.length, firstDifference: undefined };
      expect(compareOutputs(tokens, tokens)).toEqual(whole);
      expect(compareOutputs(tokens, [tokens.join('')])).toEqual(whole);
    }),
  );
});

test('OC-CTRL-2140 one changed token is found, with its index and both texts', () => {
  const token = fc.stringMatching(/^[a-z]{1,4} $/);
  fc.assert(
    fc.property(fc.array(token, { minLength: 1 }), fc.nat(), (tokens, pick) => {
      const index = pick % tokens.length;
      const actual = tokens.with(index, 'OTHER ');
      expect(compareOutputs(tokens, actual)).toEqual({
        tokensCompared: index + 1,
        firstDifference: { index, expected: tokens[index], actual: 'OTHER ' },
      });
    }),
  );
});

test('an output that ends early, or goes on, differs where one of them has no token', () => {
  expect(compareOutputs(['a', 'b'], ['a'])).toEqual({
    tokensCompared: 2,
    firstDifference: { index: 1, expected: 'b' },
  });
  expect(compareOutputs(['a'], ['a', 'b'])).toEqual({
    tokensCompared: 1,
    firstDifference: { index: 1, actual: 'b' },
  });
});
