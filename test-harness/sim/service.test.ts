import { expect, test } from 'vitest';
import { FAIR_WEIGHTS, PLAIN_WEIGHTS, servedBy, totalServed } from './service.ts';
import { backloggedUntilMs } from './service-gap.ts';
import { request } from './testing/tiny-trace.ts';
import type { RequestRecord } from './world.ts';

const RECORD: RequestRecord = {
  dispatchMs: 0,
  firstTokenMs: 1_000,
  finishMs: 3_000,
  cachedTokens: 0,
  rejectedMs: NaN,
  replica: 0,
  preemptions: 0,
};

test('a prompt counts with the first token, the output as it is made', () => {
  const row = request({ promptTokens: 700, outputTokens: 100 });
  const at = (atMs: number) => servedBy(row, RECORD, atMs, FAIR_WEIGHTS);
  expect([999, 1_000, 2_000, 3_000, 9_000].map(at)).toEqual([0, 700, 800, 900, 900]);
  expect(servedBy(row, RECORD, Infinity, PLAIN_WEIGHTS)).toBe(800);
  expect(servedBy(row, { ...RECORD, finishMs: NaN }, Infinity, PLAIN_WEIGHTS)).toBe(0);
});

test('totals can be had of a part of the requests', () => {
  const trace = [request({ tenant: 'a' }), request({ tenant: 'b' })];
  const result = { records: [RECORD, RECORD], busyMs: [], endMs: 3_000, idleWhileHeldMs: 0 };
  const ofA = totalServed(trace, result, Infinity, PLAIN_WEIGHTS, ({ tenant }) => tenant === 'a');
  expect(ofA).toBe(1_010);
});

test('backlog lasts until the first tenant has nothing waiting', () => {
  const trace = [request({ tenant: 'a' }), request({ tenant: 'a' }), request({ tenant: 'b' })];
  const waits = (dispatchMs: number) => ({ ...RECORD, dispatchMs });
  const records = [waits(2_500), waits(7_500), waits(5_500)];
  const result = { records, busyMs: [], endMs: 20_000, idleWhileHeldMs: 0 };
  expect(backloggedUntilMs(trace, result)).toBe(5_000);
});
