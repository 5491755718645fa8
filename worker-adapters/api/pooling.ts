import { field, numberField } from './json-fields.ts';
import type { EmbedResult, RerankRequest, RerankResult } from './types.ts';

/** What every server takes that embeds as OpenAI does. */
export function embeddingBody(inputs: readonly string[]) {
  return { input: inputs.map((text) => text.toWellFormed()), encoding_format: 'float' };
}

/** What every server takes that ranks; not all of them know `top_n`. */
export function rankingBody({ query, documents }: RerankRequest) {
  return {
    query: query.toWellFormed(),
    documents: documents.map((text) => text.toWellFormed()),
  };
}

/**
 * Reads an OpenAI list of embeddings, `{"data":[{"index","embedding"}],"usage":{"prompt_tokens"}}`.
 * Undefined when it is none, or lacks a vector for one of the `count` inputs.
 */
export function readEmbeddings(answer: unknown, count: number): EmbedResult | undefined {
  const data = field(answer, 'data');
  if (!Array.isArray(data)) return undefined;
  const embeddings = new Array<readonly number[] | undefined>(count);
  for (const [at, entry] of (data as readonly unknown[]).entries()) {
    const vector = field(entry, 'embedding');
    if (!isVector(vector)) return undefined;
    embeddings[numberField(entry, 'index') ?? at] = vector;
  }
  if (embeddings.length !== count || embeddings.includes(undefined)) return undefined;
  return {
    embeddings: embeddings as readonly (readonly number[])[],
    tokensIn: tokensInOf(answer),
  };
}

/**
 * Reads a ranking in the shape of Jina and Cohere, `{"results":[{"index","relevance_score"}]}`, and
 * puts the best first. Undefined when it is none, or names a document there is not, or one twice.
 */
export function readRanking(answer: unknown, count: number): RerankResult | undefined {
  const results = field(answer, 'results');
  if (!Array.isArray(results)) return undefined;
  const ranking: { readonly index: number; readonly score: number }[] = [];
  for (const entry of results as readonly unknown[]) {
    const index = numberField(entry, 'index');
    const score = numberField(entry, 'relevance_score');
    if (index === undefined || score === undefined) return undefined;
    if (!Number.isInteger(index) || index < 0 || index >= count) return undefined;
    ranking.push({ index, score });
  }
  if (new Set(ranking.map(({ index }) => index)).size < ranking.length) return undefined;
  return { results: ranking.sort((a, b) => b.score - a.score), tokensIn: tokensInOf(answer) };
}

function isVector(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.length > 0 && value.every((each) => Number.isFinite(each));
}

function tokensInOf(answer: unknown): number {
  const usage = field(answer, 'usage');
  return numberField(usage, 'prompt_tokens') ?? numberField(usage, 'total_tokens') ?? 0;
}
