import { expect, test } from 'vitest';
import { quantile, summarize } from './summary.ts';
import { request } from './testing/tiny-trace.ts';
import type { RequestRecord, RunResult } from './world.ts';

const unserved: RequestRecord = {
  firstTokenMs: NaN,
  finishMs: NaN,
  cachedTokens: 0,
  rejectedMs: NaN,
  replica: 0,
  dispatchMs: 0,
  preemptions: 0,
};

function result(...records: readonly Partial<RequestRecord>[]): RunResult {
  return {
    records: records.map((record) => ({ ...unserved, ...record })),
    busyMs: [0],
    endMs: 10_000,
    idleWhileHeldMs: 0,
  };
}

test('OC-SIM-7209 a refused request counts as offered and as nothing else', () => {
  const trace = [request({ outputTokens: 11 }), request()];
  const summary = summarize(
    trace,
    result({ firstTokenMs: 400, finishMs: 800, cachedTokens: 500 }, { rejectedMs: 3 }),
    { ttftMs: 1000, tpotMs: 50 },
  );
  expect(summary).toMatchObject({
    rejected: 1,
    ttftMeanS: 0.4,
    tpotP99S: 0.04,
    goodput: 0.5,
    onTimeShare: 0.5,
    servedLateShare: 0,
    hitRatio: 0.25,
    throughput: 0.1,
  });
});

test('good is on time by both measures; a request’s own deadline goes before the common one', () => {
  const served = { firstTokenMs: 2_000, finishMs: 2_900 };
  const trace = [request({ ttftSloMs: 5_000 }), request(), request({ ttftSloMs: 5_000 })];
  const summary = summarize(trace, result(served, served, { ...served, finishMs: 9_000 }), {
    ttftMs: 1_000,
    tpotMs: 100,
  });
  expect(summary.onTimeShare).toBeCloseTo(2 / 3);
  expect(summary.servedLateShare).toBeCloseTo(1 / 3);
  expect(summary.goodput).toBeCloseTo(1 / 3);
});

test('a quantile is a value that occurred', () => {
  const values = Array.from({ length: 100 }, (_, index) => 100 - index);
  expect(quantile(values, 0.5)).toBe(50);
  expect(quantile(values, 0.99)).toBe(99);
  expect(quantile([7], 0.99)).toBe(7);
  expect(quantile([], 0.5)).toBeNaN();
});
