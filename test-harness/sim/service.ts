/**
 * Tokens that requests were served, as they came: the prompt counts with the first token, the output
 * evenly from there to the end. What was refused counts nothing.
 */
import { INPUT_WEIGHT, OUTPUT_WEIGHT } from './policies/fair.ts';
import type { Trace, TraceRequest } from './trace.ts';
import type { RequestRecord, RunResult } from './world.ts';

/** Cost of a token of each kind. */
export interface TokenWeights {
  readonly input: number;
  readonly output: number;
}

/** As fairness counts: an output token costs two of the prompt. */
export const FAIR_WEIGHTS: TokenWeights = { input: INPUT_WEIGHT, output: OUTPUT_WEIGHT };
/** Every token alike: plain throughput. */
export const PLAIN_WEIGHTS: TokenWeights = { input: 1, output: 1 };

/** Service of one request by `atMs`. */
export function servedBy(
  request: TraceRequest,
  record: RequestRecord,
  atMs: number,
  weights: TokenWeights,
): number {
  const { firstTokenMs, finishMs } = record;
  if (Number.isNaN(finishMs) || atMs < firstTokenMs) return 0;
  const elapsed = Math.min(atMs, finishMs) - firstTokenMs;
  const made = finishMs === firstTokenMs ? 1 : elapsed / (finishMs - firstTokenMs);
  return weights.input * request.promptTokens + weights.output * request.outputTokens * made;
}

/** Service of all requests that `keep` holds for, by `atMs`. */
export function totalServed(
  trace: Trace,
  result: RunResult,
  atMs: number,
  weights: TokenWeights,
  keep: (request: TraceRequest) => boolean = () => true,
): number {
  let total = 0;
  for (const [index, request] of trace.entries()) {
    const record = result.records[index];
    if (record !== undefined && keep(request)) total += servedBy(request, record, atMs, weights);
  }
  return total;
}
