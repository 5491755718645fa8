import { expect, test } from 'vitest';
import { largestServiceGap } from './service-gap.ts';
import { request } from './testing/tiny-trace.ts';
import type { RequestRecord, RunResult } from './world.ts';

/** Dispatched and at once served with its prompt; the output follows evenly to the end. */
function record(dispatchMs: number, finishMs: number): RequestRecord {
  return {
    dispatchMs,
    firstTokenMs: dispatchMs,
    finishMs,
    cachedTokens: 0,
    rejectedMs: NaN,
    replica: 0,
    preemptions: 0,
  };
}

function result(endMs: number, ...records: RequestRecord[]): RunResult {
  return { records, busyMs: [endMs], endMs, idleWhileHeldMs: 0 };
}

test('only windows in which both tenants had work waiting all the time count', () => {
  const trace = [
    request({ tenant: 'a', promptTokens: 700, outputTokens: 100 }),
    request({ tenant: 'a', arrivalMs: 1 }),
    request({ tenant: 'b', arrivalMs: 2 }),
  ];
  const waiting = [record(5_500, 10_500), record(40_000, 40_000), record(40_000, 40_000)];
  expect(largestServiceGap(trace, result(41_000, ...waiting))).toBeCloseTo(900, 6);
  const idle = [record(5_500, 10_500), record(5_500, 40_000), record(40_000, 40_000)];
  expect(largestServiceGap(trace, result(41_000, ...idle))).toBe(0);
});

test('a window takes the share of an answer that was made in it', () => {
  const trace = [
    request({ tenant: 'a', promptTokens: 700, outputTokens: 100 }),
    request({ tenant: 'a', arrivalMs: 1 }),
    request({ tenant: 'b', arrivalMs: 2 }),
  ];
  const records = [record(500, 60_500), record(31_500, 31_500), record(31_500, 31_500)];
  // From 1 s to 31 s half of 2 × 100 output tokens; the prompt came before.
  expect(largestServiceGap(trace, result(61_000, ...records))).toBeCloseTo(100, 0);
});
