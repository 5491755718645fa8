import { expect, test } from 'vitest';
import type { NamedPolicy } from '../policy.ts';
import { BLOCK_TOKENS } from '../prefix-cache.ts';
import { largestServiceGap } from '../service-gap.ts';
import { request } from '../testing/tiny-trace.ts';
import type { Trace } from '../trace.ts';
import { DEFAULT_SCENARIO, simulate, type Scenario } from '../world.ts';
import { dynamo, llmdBlend, llmdSticky, sglangCacheAware } from './cache-aware.ts';
import { centralFcfs, centralShortest, edf, edfReject, tightShortestReject } from './central.ts';
import { INPUT_WEIGHT, OUTPUT_WEIGHT, sfq, tenantRoundRobin, vtc } from './fair.ts';
import { leastRequests, leastTokens, minTtft, roundRobin } from './push.ts';

const SCENARIO: Scenario = { ...DEFAULT_SCENARIO, replicas: 2, cacheTokens: 100_000 };
const ONE_SLOT: Scenario = { ...DEFAULT_SCENARIO, replicas: 1, slots: 1 };

function replicasUsed(trace: Trace, policy: NamedPolicy, scenario = SCENARIO): number[] {
  return simulate(trace, scenario, policy).records.map(({ replica }) => replica);
}

/** Row numbers in order of their first tokens. */
function order(trace: Trace, policy: NamedPolicy, scenario = ONE_SLOT): number[] {
  const { records } = simulate(trace, scenario, policy);
  return records
    .map(({ firstTokenMs }, row) => ({ firstTokenMs, row }))
    .filter(({ firstTokenMs }) => !Number.isNaN(firstTokenMs))
    .toSorted((a, b) => a.firstTokenMs - b.firstTokenMs)
    .map(({ row }) => row);
}

test('round robin takes the replicas in turn', () => {
  expect(replicasUsed([request(), request(), request()], roundRobin)).toEqual([0, 1, 0]);
});

test('least requests counts requests, least tokens and least time weigh them', () => {
  const trace = [
    request({ promptTokens: 40_000 }),
    ...[1, 2, 3].map((arrivalMs) => request({ arrivalMs, promptTokens: 10, outputTokens: 500 })),
  ];
  expect(replicasUsed(trace, leastRequests)).toEqual([0, 1, 0, 1]);
  expect(replicasUsed(trace, leastTokens)).toEqual([0, 1, 1, 1]);
  expect(replicasUsed(trace, minTtft)).toEqual([0, 1, 1, 1]);
});

test.each([sglangCacheAware, llmdBlend, llmdSticky, dynamo, minTtft, centralFcfs])(
  '$name returns to the replica that holds the prefix',
  (policy) => {
    const blocks = [1, 2, 3, 4, 5, 6, 7, 8];
    const promptTokens = 8 * BLOCK_TOKENS + 100;
    const trace = [
      request({ promptTokens: 100, outputTokens: 600 }),
      request({ arrivalMs: 1, promptTokens, blocks, outputTokens: 2 }),
      request({ arrivalMs: 2_000, promptTokens, blocks, outputTokens: 2 }),
    ];
    const [, first, second] = replicasUsed(trace, policy);
    expect(first).toBe(1);
    expect(second).toBe(first);
  },
);

test('SGLang leaves the prefix when the replicas are far out of balance', () => {
  const blocks = [1, 2, 3, 4];
  const like = { promptTokens: 4 * BLOCK_TOKENS + 1, blocks, outputTokens: 2_000 };
  const trace = Array.from({ length: 80 }, (_, row) => request({ ...like, arrivalMs: 500 * row }));
  const used = replicasUsed(trace, sglangCacheAware);
  expect(used.slice(0, 60).every((replica) => replica === used[0])).toBe(true);
  expect(new Set(used).size).toBe(2);
});

test('llm-d sticky leaves the prefix when its replica is more than a second behind', () => {
  const blocks = [1, 2, 3, 4];
  const like = { promptTokens: 4 * BLOCK_TOKENS + 1, blocks };
  const behind = (promptTokens: number) =>
    replicasUsed(
      [
        request(like),
        request({ arrivalMs: 3_000, promptTokens, blocks: [...blocks, 9] }),
        request({ ...like, arrivalMs: 3_002 }),
      ],
      llmdSticky,
    );
  expect(behind(10_000)).toEqual([0, 0, 0]);
  expect(behind(40_000)).toEqual([0, 0, 1]);
});

test('the central queue is ordered by arrival, length or deadline', () => {
  const blocker = request({ outputTokens: 50 });
  const trace = [
    blocker,
    request({ arrivalMs: 1, promptTokens: 900, ttftSloMs: 60_000 }),
    request({ arrivalMs: 2, promptTokens: 500, ttftSloMs: 70_000 }),
    request({ arrivalMs: 3, promptTokens: 700, ttftSloMs: 50_000 }),
  ];
  expect(order(trace, centralFcfs)).toEqual([0, 1, 2, 3]);
  expect(order(trace, centralShortest)).toEqual([0, 2, 3, 1]);
  expect(order(trace, edf)).toEqual([0, 3, 1, 2]);
});

test('what would be late when its turn comes is refused, and nothing else', () => {
  const trace = [
    request({ outputTokens: 200 }),
    request({ arrivalMs: 1, ttftSloMs: 500 }),
    request({ arrivalMs: 2, ttftSloMs: 20_000 }),
  ];
  const { records } = simulate(trace, ONE_SLOT, edfReject);
  expect(records.map(({ rejectedMs }) => rejectedMs > 0)).toEqual([false, true, false]);
  expect(simulate(trace, ONE_SLOT, edf).records[1]?.firstTokenMs).toBeGreaterThan(501);
});

test('the tight class goes first, the shortest of it before', () => {
  const trace = [
    request({ outputTokens: 20 }),
    request({ arrivalMs: 1, promptTokens: 10, ttftSloMs: 20_000 }),
    request({ arrivalMs: 2, promptTokens: 900, ttftSloMs: 1_000 }),
    request({ arrivalMs: 3, promptTokens: 500, ttftSloMs: 1_000 }),
  ];
  expect(order(trace, tightShortestReject)).toEqual([0, 3, 2, 1]);
});

test('turns go round the tenants that wait, whatever one of them piles up', () => {
  const trace = [
    request({ tenant: 'a' }),
    ...[1, 2, 3].map((arrivalMs) => request({ arrivalMs, tenant: 'a' })),
    request({ arrivalMs: 4, tenant: 'b' }),
    request({ arrivalMs: 5, tenant: 'c' }),
  ];
  expect(order(trace, tenantRoundRobin)).toEqual([0, 4, 5, 1, 2, 3]);
});

/** Two tenants with unlike requests, both with more than can be served for a while. */
const CONTENDED: Trace = Array.from({ length: 200 }, (_, row) => [
  request({ arrivalMs: row, tenant: 'short', promptTokens: 50, outputTokens: 20 }),
  request({ arrivalMs: row, tenant: 'long', promptTokens: 400, outputTokens: 150 }),
]).flat();
const SMALL: Scenario = { ...DEFAULT_SCENARIO, replicas: 1, slots: 8, kvTokens: 8_000 };

test('VTC keeps two backlogged tenants within twice its unit of service', () => {
  const gap = largestServiceGap(CONTENDED, simulate(CONTENDED, SMALL, vtc));
  const unit = Math.max(INPUT_WEIGHT * 400, OUTPUT_WEIGHT * SMALL.kvTokens);
  expect(gap).toBeLessThanOrEqual(2 * unit);
  expect(gap).toBeLessThan(largestServiceGap(CONTENDED, simulate(CONTENDED, SMALL, centralFcfs)));
});

test('SFQ shares service where turns alone favour long requests', () => {
  const gapUnder = (policy: NamedPolicy) =>
    largestServiceGap(CONTENDED, simulate(CONTENDED, SMALL, policy));
  expect(gapUnder(sfq)).toBeLessThan(gapUnder(tenantRoundRobin) / 2);
});

test('VTC gives no credit for time spent idle', () => {
  const trace = [
    ...Array.from({ length: 30 }, (_, row) => request({ arrivalMs: row, tenant: 'steady' })),
    ...Array.from({ length: 30 }, (_, row) => request({ arrivalMs: 2_000 + row, tenant: 'late' })),
  ];
  const served = order(trace, vtc).map((row) => trace[row]?.tenant);
  const firstLate = served.indexOf('late');
  const after = served.slice(firstLate, firstLate + 10);
  expect(after.filter((tenant) => tenant === 'late').length).toBeLessThanOrEqual(6);
});
