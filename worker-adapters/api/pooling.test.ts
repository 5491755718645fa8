import { expect, test } from 'vitest';
import { readEmbeddings, readRanking } from './pooling.ts';

const vectors = (...entries: readonly object[]) => ({ data: entries, usage: { prompt_tokens: 5 } });

test('vectors are put in the order of their inputs', () => {
  const answer = vectors({ index: 1, embedding: [2] }, { index: 0, embedding: [1] });
  expect(readEmbeddings(answer, 2)).toEqual({ embeddings: [[1], [2]], tokensIn: 5 });
  expect(readEmbeddings(vectors({ embedding: [1] }, { embedding: [2] }), 2)?.embeddings).toEqual([
    [1],
    [2],
  ]);
});

test.each([
  undefined,
  {},
  vectors({ index: 0, embedding: [1] }),
  vectors({ index: 0, embedding: [1] }, { index: 0, embedding: [2] }),
  vectors({ index: 0, embedding: [1] }, { index: 1e9, embedding: [2] }),
  vectors({ index: 0, embedding: [1] }, { index: -1, embedding: [2] }),
  vectors({ index: 0, embedding: [1] }, { index: 1, embedding: [] }),
  vectors({ index: 0, embedding: [1] }, { index: 1, embedding: [null] }),
  vectors({ index: 0, embedding: [1] }, { index: 1, embedding: 'AAAA' }),
])('%j is not two vectors', (answer) => {
  expect(readEmbeddings(answer, 2)).toBeUndefined();
});

const ranked = (...entries: readonly (readonly [number, number])[]) => ({
  results: entries.map(([index, relevance_score]) => ({ index, relevance_score })),
});

test('documents are ranked best first, whatever their order in the answer', () => {
  expect(readRanking({ ...ranked([0, 0.1], [1, 0.9]), usage: { total_tokens: 7 } }, 2)).toEqual({
    results: [
      { index: 1, score: 0.9 },
      { index: 0, score: 0.1 },
    ],
    tokensIn: 7,
  });
});

test.each([
  {},
  ranked([2, 0.1]),
  ranked([-1, 0.1]),
  ranked([0.5, 0.1]),
  ranked([1, 0.2], [1, 0.1]),
  { results: [{ index: 0 }] },
])('%j ranks no two documents', (answer) => {
  expect(readRanking(answer, 2)).toBeUndefined();
});
