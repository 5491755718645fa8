import { expect, test } from 'vitest';
import { readOpenAiLogprobs } from './openai-logprobs.ts';

const EXPECTED = [
  {
    token: ' a',
    logprob: -2,
    top: [
      { token: ' the', logprob: -0.5 },
      { token: '7', logprob: -1 },
    ],
  },
  { token: ' b', logprob: 0, top: [{ token: ' b', logprob: 0 }] },
];

test('OC-ADAPT-5018 completions list tokens and map alternatives', () => {
  const logprobs = {
    text_offset: [0, 2],
    tokens: [' a', ' b'],
    token_logprobs: [-2, 1e-7],
    top_logprobs: [{ ' a': -2, ' the': -0.5, '7': -1 }, { ' b': 1e-7 }],
  };
  expect(readOpenAiLogprobs(logprobs, 2)).toEqual(EXPECTED);
});

test('OC-ADAPT-5018 chat lists tokens with their alternatives', () => {
  const one = (token: string, logprob: number) => ({ token, logprob, bytes: [] });
  const logprobs = {
    content: [
      { ...one(' a', -2), top_logprobs: [one(' a', -2), one(' the', -0.5), one('7', -1)] },
      { ...one(' b', 1e-7), top_logprobs: [one(' b', 1e-7)] },
    ],
  };
  expect(readOpenAiLogprobs(logprobs, 2)).toEqual(EXPECTED);
});

test.each([
  [undefined],
  [null],
  [{}],
  [{ content: null }],
  [{ content: [null, 3, { token: 3, logprob: -1 }] }],
  [{ tokens: ['a'], token_logprobs: [null], top_logprobs: [null] }],
  [{ tokens: ['a'] }],
])('OC-ADAPT-5018 probabilities of another shape are none: %j', (logprobs) => {
  expect(readOpenAiLogprobs(logprobs, 2)).toEqual([]);
});

test('OC-ADAPT-5018 a token without alternatives keeps its own probability', () => {
  const logprobs = { tokens: ['a'], token_logprobs: [-1], top_logprobs: null };
  expect(readOpenAiLogprobs(logprobs, 2)).toEqual([{ token: 'a', logprob: -1, top: [] }]);
});
