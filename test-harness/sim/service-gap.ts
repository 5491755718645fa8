/**
 * How unevenly tenants were served: the largest difference in service that two tenants got over
 * any window in which both had work waiting all the time. Service is input + 2 × output tokens.
 */
import { FAIR_WEIGHTS, servedBy } from './service.ts';
import type { RunResult } from './world.ts';
import type { Trace } from './trace.ts';

const STEP_MS = 1_000;
/** Windows start at every step, unless a caller wants them further apart. */
const DEFAULT_STRIDE_MS = STEP_MS;
const GAP_WINDOWS_MS: readonly number[] = [30_000, 60_000, 120_000];

export function largestServiceGap(
  trace: Trace,
  result: RunResult,
  strideMs = DEFAULT_STRIDE_MS,
): number {
  return Math.max(0, ...serviceGaps(trace, result, strideMs));
}

/** The difference in service between the best and the worst served, for each shared window. */
export function serviceGaps(
  trace: Trace,
  result: RunResult,
  strideMs = DEFAULT_STRIDE_MS,
): number[] {
  const steps = Math.ceil(result.endMs / STEP_MS) + 1;
  const tenants = [...new Set(trace.map((request) => request.tenant))].map((tenant) => ({
    served: servedAt(trace, result, tenant, steps),
    idleSteps: idleSteps(trace, result, tenant, steps),
  }));
  const stride = Math.max(1, Math.round(strideMs / STEP_MS));
  const gaps: number[] = [];
  for (const windowMs of GAP_WINDOWS_MS) {
    const width = windowMs / STEP_MS;
    for (let from = 0; from + width < steps; from += stride) {
      const shares: number[] = [];
      for (const { served, idleSteps } of tenants) {
        if ((idleSteps[from + width] ?? 0) > (idleSteps[from] ?? 0)) continue;
        shares.push((served[from + width] ?? 0) - (served[from] ?? 0));
      }
      if (shares.length > 1) gaps.push(Math.max(...shares) - Math.min(...shares));
    }
  }
  return gaps;
}

/** Service received by the end of each step, cumulative. */
function servedAt(trace: Trace, result: RunResult, tenant: string, steps: number): Float64Array {
  const served = new Float64Array(steps);
  for (const [index, request] of trace.entries()) {
    const record = result.records[index];
    if (request.tenant !== tenant || record === undefined || Number.isNaN(record.finishMs))
      continue;
    for (let step = Math.ceil(record.firstTokenMs / STEP_MS); step < steps; step += 1) {
      const now = servedBy(request, record, step * STEP_MS, FAIR_WEIGHTS);
      served[step] = (served[step] ?? 0) + now;
    }
  }
  return served;
}

/** Steps so far in which the tenant had a moment without waiting work, cumulative. */
function idleSteps(trace: Trace, result: RunResult, tenant: string, steps: number): Float64Array {
  const waits: { fromMs: number; toMs: number }[] = [];
  for (const [index, request] of trace.entries()) {
    const record = result.records[index];
    if (request.tenant !== tenant || record === undefined) continue;
    const toMs = Number.isNaN(record.dispatchMs) ? record.rejectedMs : record.dispatchMs;
    waits.push({ fromMs: request.arrivalMs, toMs });
  }
  const idle = new Float64Array(steps);
  let next = 0;
  let busyToMs = 0;
  for (let step = 1; step < steps; step += 1) {
    const startMs = (step - 1) * STEP_MS;
    let isIdle = busyToMs <= startMs && (waits[next]?.fromMs ?? Infinity) > startMs;
    for (; (waits[next]?.fromMs ?? Infinity) <= step * STEP_MS; next += 1) {
      const wait = waits[next];
      if (wait === undefined) break;
      if (wait.fromMs > Math.max(busyToMs, startMs)) isIdle = true;
      busyToMs = Math.max(busyToMs, wait.toMs);
    }
    if (busyToMs < step * STEP_MS) isIdle = true;
    idle[step] = (idle[step - 1] ?? 0) + (isIdle ? 1 : 0);
  }
  return idle;
}

/**
 * The first time at which one of the tenants has nothing waiting, ms: until then all of them are
 * backlogged from their first arrivals on.
 */
export function backloggedUntilMs(trace: Trace, result: RunResult): number {
  const steps = Math.ceil(result.endMs / STEP_MS) + 1;
  const tenants = new Set(trace.map((request) => request.tenant));
  let until = steps - 1;
  for (const tenant of tenants) {
    const idle = idleSteps(trace, result, tenant, steps);
    const start = idle[1] ?? 0;
    const first = idle.findIndex((count) => count > start);
    if (first > 0) until = Math.min(until, first - 1);
  }
  return until * STEP_MS;
}
