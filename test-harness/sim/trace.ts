/** A trace: requests in order of arrival, with what only the simulator may know of them. */
import type { Priority } from './policy.ts';

export interface TraceRequest {
  readonly arrivalMs: number;
  readonly promptTokens: number;
  /** At least 1. */
  readonly outputTokens: number;
  /** Ids of the prompt's leading 512-token blocks; equal ids mean an equal prefix. */
  readonly blocks: readonly number[];
  readonly tenant: string;
  readonly priority: Priority;
  /** Time from arrival within which the first token is wanted. */
  readonly ttftSloMs: number | undefined;
  readonly maxTokens: number | undefined;
}

export type Trace = readonly TraceRequest[];

/** The same requests `factor` times as fast. */
export function speedUp(trace: Trace, factor: number): Trace {
  return trace.map((request) => ({ ...request, arrivalMs: request.arrivalMs / factor }));
}

/** Rows `from` up to but not including `to`, moved so that the first arrives at 0. */
export function sliceTrace(trace: Trace, from: number, to = trace.length): Trace {
  const rows = trace.slice(from, to);
  const startMs = rows[0]?.arrivalMs ?? 0;
  return rows.map((request) => ({ ...request, arrivalMs: request.arrivalMs - startMs }));
}

/** Several traces as one, in order of arrival; rows of equal time keep the order given. */
export function mergeTraces(...traces: readonly Trace[]): Trace {
  return traces.flat().sort((a, b) => a.arrivalMs - b.arrivalMs);
}
