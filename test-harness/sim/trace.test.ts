import { expect, test } from 'vitest';
import { FLOODING_TENANT, withFlood } from './flood.ts';
import { generateTrace } from './generated-trace.ts';
import { MIXED_DEADLINES, withDeadlines, withTenants } from './overlays.ts';
import { BLOCK_TOKENS } from './prefix-cache.ts';
import { request } from './testing/tiny-trace.ts';
import { mergeTraces, sliceTrace, speedUp } from './trace.ts';

test('a sped-up trace has the same requests closer together', () => {
  expect(speedUp([request({ arrivalMs: 300 })], 3)).toEqual([request({ arrivalMs: 100 })]);
});

test('a slice starts at 0 and keeps its distances', () => {
  const trace = [0, 100, 250, 700].map((arrivalMs) => request({ arrivalMs }));
  expect(sliceTrace(trace, 1, 3).map((row) => row.arrivalMs)).toEqual([0, 150]);
  expect(sliceTrace(trace, 4)).toEqual([]);
});

test('merged traces are in order of time, rows of equal time in the order given', () => {
  const one = [request({ arrivalMs: 1, tenant: 'a' }), request({ arrivalMs: 5, tenant: 'a' })];
  const other = [request({ arrivalMs: 1, tenant: 'b' })];
  expect(mergeTraces(one, other).map(({ tenant }) => tenant)).toEqual(['a', 'b', 'a']);
});

test('a row keeps its overlay whatever else is in the trace', () => {
  const trace = Array.from({ length: 2000 }, () => request());
  const overlaid = withTenants(withDeadlines(trace, MIXED_DEADLINES, 7), ['a', 'b', 'c'], 7);
  const short = withTenants(
    withDeadlines(trace.slice(0, 10), MIXED_DEADLINES, 7),
    ['a', 'b', 'c'],
    7,
  );
  expect(overlaid.slice(0, 10)).toEqual(short);
  const tight = overlaid.filter(({ ttftSloMs }) => ttftSloMs === 1_000).length;
  expect(Math.abs(tight / 2000 - 0.5)).toBeLessThan(0.04);
  const first = overlaid.filter(({ tenant }) => tenant === 'a').length;
  expect(Math.abs(first / 2000 - 1 / 3)).toBeLessThan(0.04);
});

test('a flood comes at its rate for as long as the trace lasts', () => {
  const trace = [request({ arrivalMs: 0 }), request({ arrivalMs: 2_000 })];
  const flood = withFlood(trace, 8, 1).filter(({ tenant }) => tenant === FLOODING_TENANT);
  expect(flood.map(({ arrivalMs }) => arrivalMs)).toEqual(
    Array.from({ length: 16 }, (_, index) => index * 125),
  );
});

test('the generated trace is the same for a seed and has every trait', () => {
  const trace = generateTrace({ seed: 3 });
  expect(generateTrace({ seed: 3 })).toEqual(trace);
  expect(generateTrace({ seed: 4 })).not.toEqual(trace);
  expect(new Set(trace.map(({ tenant }) => tenant)).size).toBe(4);
  expect(new Set(trace.map(({ priority }) => priority)).size).toBe(2);
  const starts = new Set(trace.map(({ blocks }) => blocks[0]));
  expect(starts.size).toBeLessThan(trace.length / 10);
  for (const [index, { arrivalMs, promptTokens, outputTokens, blocks }] of trace.entries()) {
    expect(arrivalMs).toBeGreaterThanOrEqual(trace[index - 1]?.arrivalMs ?? 0);
    expect(outputTokens).toBeGreaterThan(0);
    expect(Math.ceil(promptTokens / BLOCK_TOKENS)).toBe(blocks.length);
  }
});
