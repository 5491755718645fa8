import { field, listOf, numberField, stringField } from './json-fields.ts';
import type { Alternative, TokenLogprob } from './types.ts';

/**
 * Reads `logprobs` of a choice, in either shape: of chat, `{"content":[{"token","logprob",
 * "top_logprobs":[{"token","logprob"}]}]}`, or of completions, `{"tokens":[],"token_logprobs":[],
 * "top_logprobs":[{"text":logprob}]}` (OpenAI API reference). They explain a text and are no part of it,
 * so what has another shape is left out rather than refused.
 *
 * Servers add the token that was chosen to the alternatives, and put it first or last.
 * @param top alternatives the request asked for
 */
export function readOpenAiLogprobs(logprobs: unknown, top: number): TokenLogprob[] {
  const content = field(logprobs, 'content');
  if (Array.isArray(content)) {
    return readTokenLogprobs(content, top);
  }
  const values = listOf(field(logprobs, 'token_logprobs'));
  const alternatives = listOf(field(logprobs, 'top_logprobs'));
  return listOf(field(logprobs, 'tokens')).flatMap((token, at) =>
    tokenOf(
      { token, logprob: values[at] },
      likeliest(Object.entries(alternatives[at] ?? {}).flatMap(entryOf), top),
    ),
  );
}

/** Reads tokens with their alternatives, `[{"token","logprob","top_logprobs":[{"token","logprob"}]}]`. */
export function readTokenLogprobs(entries: unknown, top: number): TokenLogprob[] {
  return listOf(entries).flatMap((entry) =>
    tokenOf(entry, likeliest(listOf(field(entry, 'top_logprobs')).flatMap(alternativeOf), top)),
  );
}

function tokenOf(entry: unknown, top: readonly Alternative[]): TokenLogprob[] {
  return alternativeOf(entry).map((own) => ({ ...own, top }));
}

function alternativeOf(entry: unknown): Alternative[] {
  const token = stringField(entry, 'token');
  const logprob = numberField(entry, 'logprob');
  // The logarithm of a probability that rounding has carried past 1.
  return token === undefined || logprob === undefined
    ? []
    : [{ token, logprob: Math.min(0, logprob) }];
}

function entryOf([token, logprob]: readonly [string, unknown]): Alternative[] {
  return alternativeOf({ token, logprob });
}

function likeliest(alternatives: readonly Alternative[], top: number): Alternative[] {
  return alternatives.toSorted((a, b) => b.logprob - a.logprob).slice(0, top);
}
