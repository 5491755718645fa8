import { field } from '../api/json-fields.ts';
import { readRanking } from '../api/pooling.ts';
import type { RerankResult } from '../api/types.ts';

/**
 * Reads SGLang's ranking, a bare list `[{"index","score"}]` of all documents
 * (srt/entrypoints/openai/serving_rerank.py). Undefined when it is none, or names a document there is not.
 */
export function readSglangRanking(answer: unknown, count: number): RerankResult | undefined {
  if (!Array.isArray(answer)) return undefined;
  const results = (answer as readonly unknown[]).map((entry) => ({
    index: field(entry, 'index'),
    relevance_score: field(entry, 'score'),
  }));
  return readRanking({ results }, count);
}
