import { expect, test } from 'vitest';
import { haikuPrompt, inWords, linesOf } from './haiku-prompt.ts';

test.each([
  [0, 'zero'],
  [9, 'nine'],
  [19, 'nineteen'],
  [20, 'twenty'],
  [41, 'forty-one'],
  [59, 'fifty-nine'],
])('%i is %s', (n, words) => {
  expect(inWords(n)).toBe(words);
});

test('OC-TEST-7801 every minute of a day, and every nonce, makes a prompt of its own', () => {
  const prompts = Array.from({ length: 24 * 60 }, (_, n) =>
    haikuPrompt({ date: new Date(2030, 0, 1, 0, n), nonce: 'n' }),
  );
  expect(new Set(prompts).size).toBe(24 * 60);
  expect(prompts[13 * 60 + 7]).toBe(
    'It is minute seven of hour thirteen, n. Write a haiku about rain.',
  );
});

test('lines that hold nothing are none', () => {
  expect(linesOf('\none\n \ntwo\n')).toEqual(['one', 'two']);
});
