import { field, numberField, stringField } from '../api/json-fields.ts';
import type { Alternative, TokenLogprob } from '../api/types.ts';

/**
 * Reads `completion_probabilities` of a native completion object: `[{id, token, bytes, logprob,
 * top_logprobs: [{id, token, bytes, logprob}]}]` (llama-server, tools/server/README.md). They explain a
 * text and are no part of it, so what has another shape is left out rather than refused.
 * @param top alternatives the task asked for; llama-server may give more
 */
export function readTokenLogprobs(event: unknown, top: number): TokenLogprob[] {
  return list(field(event, 'completion_probabilities')).flatMap((entry) => {
    const [own] = readAlternatives([entry]);
    if (own === undefined) return [];
    return [{ ...own, top: readAlternatives(list(field(entry, 'top_logprobs')).slice(0, top)) }];
  });
}

function readAlternatives(entries: readonly unknown[]): Alternative[] {
  return entries.flatMap((entry) => {
    const token = stringField(entry, 'token');
    const logprob = numberField(entry, 'logprob');
    // The logarithm of a probability that rounding has carried past 1.
    return token === undefined || logprob === undefined
      ? []
      : [{ token, logprob: Math.min(0, logprob) }];
  });
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
