import { expect, test } from 'vitest';
import { readSglangRanking } from './ranking.ts';

test('a bare list of scores is a ranking, best first', () => {
  const answer = [
    { score: 0.1, document: 'a', index: 0, meta_info: {} },
    { score: 0.9, document: 'b', index: 1, meta_info: {} },
  ];
  expect(readSglangRanking(answer, 2)?.results).toEqual([
    { index: 1, score: 0.9 },
    { index: 0, score: 0.1 },
  ]);
});

test.each([
  ['no list', { results: [] }],
  ['no score', [{ index: 0 }]],
  ['a document there is not', [{ index: 2, score: 1 }]],
])('%s is no ranking', (_name, answer) => {
  expect(readSglangRanking(answer, 2)).toBeUndefined();
});
