import { countPromptTokens } from './vocabulary.ts';

/** Vectors and scores that are functions of their texts, so that a test can compute them. */

const DIMENSIONS = 8;

/** Shares of byte values modulo 8: texts that share letters lie near each other. */
export function embeddingOf(text: string): number[] {
  const vector = new Array<number>(DIMENSIONS).fill(0);
  const bytes = Buffer.from(text);
  for (const byte of bytes) {
    const at = byte % DIMENSIONS;
    vector[at] = (vector[at] ?? 0) + 1;
  }
  return vector.map((count) => count / Math.max(bytes.length, 1));
}

/** Dot product of the two embeddings. */
export function scoreOf(query: string, document: string): number {
  const other = embeddingOf(document);
  return embeddingOf(query).reduce((sum, value, at) => sum + value * (other[at] ?? 0), 0);
}

/** The documents' places and scores, best first, at most `topN`. */
export function rankingOf(query: string, documents: readonly string[], topN: number) {
  return documents
    .map((document, index) => ({ index, score: scoreOf(query, document) }))
    .sort((a, b) => b.score - a.score)
    .slice(0, topN);
}

export function countTokensOf(texts: readonly string[]): number {
  return texts.reduce((sum, text) => sum + countPromptTokens(text), 0);
}
