/** Figures of one run. Times in seconds, since that is what the tables show. */
import type { RunResult } from './world.ts';
import type { Trace } from './trace.ts';

export interface Slo {
  /** For requests without an SLO of their own. */
  readonly ttftMs: number;
  /** Mean time per output token after the first. */
  readonly tpotMs: number;
}

export interface Summary {
  readonly requests: number;
  readonly rejected: number;
  readonly ttftMeanS: number;
  readonly ttftP50S: number;
  readonly ttftP99S: number;
  readonly tpotP99S: number;
  /** Requests that met both SLOs, of all offered. */
  readonly goodput: number;
  /** Requests with their first token in time, of all offered. */
  readonly onTimeShare: number;
  /** Requests that were served, but too late, of all offered. */
  readonly servedLateShare: number;
  /** Prompt tokens spared by prefix caches, of all prompt tokens. */
  readonly hitRatio: number;
  /** Completed requests by the end of the run, per second. */
  readonly throughput: number;
  readonly preemptions: number;
  /** Replica time with nothing to do while the policy held a request. */
  readonly idleWhileHeldS: number;
}

export function summarize(trace: Trace, result: RunResult, slo: Slo): Summary {
  const ttfts: number[] = [];
  const tpots: number[] = [];
  let good = 0;
  let onTime = 0;
  let rejected = 0;
  let cached = 0;
  let prompts = 0;
  for (const [index, record] of result.records.entries()) {
    const request = trace[index];
    if (request === undefined) continue;
    prompts += request.promptTokens;
    cached += record.cachedTokens;
    if (Number.isNaN(record.finishMs)) {
      rejected += 1;
      continue;
    }
    const ttftMs = record.firstTokenMs - request.arrivalMs;
    ttfts.push(ttftMs / 1000);
    const gaps = request.outputTokens - 1;
    const tpotMs = gaps === 0 ? 0 : (record.finishMs - record.firstTokenMs) / gaps;
    if (gaps > 0) tpots.push(tpotMs / 1000);
    if (ttftMs > (request.ttftSloMs ?? slo.ttftMs)) continue;
    onTime += 1;
    if (tpotMs <= slo.tpotMs) good += 1;
  }
  return {
    requests: trace.length,
    rejected,
    ttftMeanS: mean(ttfts),
    ttftP50S: quantile(ttfts, 0.5),
    ttftP99S: quantile(ttfts, 0.99),
    tpotP99S: quantile(tpots, 0.99),
    goodput: good / trace.length,
    onTimeShare: onTime / trace.length,
    servedLateShare: (trace.length - rejected - onTime) / trace.length,
    hitRatio: cached / prompts,
    throughput: (trace.length - rejected) / (result.endMs / 1000),
    preemptions: result.records.reduce((sum, record) => sum + record.preemptions, 0),
    idleWhileHeldS: result.idleWhileHeldMs / 1000,
  };
}

export function mean(values: readonly number[]): number {
  let total = 0;
  for (const value of values) total += value;
  return values.length === 0 ? NaN : total / values.length;
}

/** The least value that at least the share `q` of all values does not exceed. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? NaN;
}
