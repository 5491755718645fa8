import { expect, test } from 'vitest';
import { readContract } from './contract-list.ts';
import { checkQuery } from './query-check.ts';

const contract = readContract();

test.each([
  ['sum by (pool_id) (rate(tasks_started_total{pool_id=~"$pool"}[5m]))', ['pool_id']],
  [
    'histogram_quantile(0.95, sum by (le, priority) (rate(latency_first_token_ms_bucket[5m])))',
    ['priority'],
  ],
  ['rate(ledger_commit_ms_sum[5m]) / rate(ledger_commit_ms_count[5m])', ['instance', 'job']],
  [
    'sum without (state) (replicas{state!="ready"}) > 2 * 3',
    ['engine', 'instance', 'job', 'pool_id'],
  ],
  ['up == 0', ['instance', 'job']],
  ['absent(sse_streams_open offset 5m)', []],
  [
    'sum by (pool_id) (queue_depth) > 0 unless on (pool_id) sum by (pool_id, engine) (replicas)',
    ['pool_id'],
  ],
])('%s gives %j', (query, labels) => {
  expect(checkQuery(contract, query)).toMatchObject({ faults: [], labels });
});

test.each([
  ['sum(rate(tasks_started_total[5m])', 'is no PromQL'],
  ['', 'is no PromQL'],
  ['rate(tasks_begun_total[5m])', "there is no metric 'tasks_begun_total'"],
  ['rate(latency_first_token_ms[5m])', "there is no metric 'latency_first_token_ms'"],
  ['rate(queue_depth_bucket[5m])', "there is no metric 'queue_depth_bucket'"],
  ['{pool_id="a"}', "there is no metric ''"],
  ['queue_depth{tenant="a"}', "queue_depth has no label 'tenant'"],
  ['sum by (tenant) (queue_depth)', "nothing there has the label 'tenant'"],
  ['sum by (pool_id) (sum by (priority) (queue_depth))', "nothing there has the label 'pool_id'"],
  ['replicas{state=~"ready|redy"}', "state of replicas is never 'redy'"],
  ['rate(tasks_failed_total{code="WORKER_REST"}[5m])', 'code of tasks_failed_total is never'],
  ['rate(queue_time_ms_bucket{le="2000"}[5m])', "le of queue_time_ms_bucket is never '2000'"],
  ['sum(tokens_out_total)', 'tokens_out_total only grows'],
  ['rate(queue_depth[5m])', 'queue_depth is a gauge'],
  ['histogram_quantile(0.9, sum(rate(queue_time_ms_bucket[5m])))', 'a quantile needs the label le'],
  ['sum by (pool_id) (queue_depth) / sum by (priority) (queue_depth)', 'never match'],
  ['queue_depth / on (state) replicas', "nothing there has the label 'state'"],
  ['label_replace(queue_depth, "a", "$1", "b", "(.*)")', 'label_replace hides'],
])('%s is refused: %s', (query, fault) => {
  expect(checkQuery(contract, query).faults.join('\n')).toContain(fault);
});

test('a recording rule is a series like others', () => {
  const recorded = new Map([['pool:errors:ratio', ['pool_id']]]);
  const query = 'pool:errors:ratio > 0.1';
  expect(checkQuery(contract, query, recorded).faults).toEqual([]);
  expect(checkQuery(contract, query).faults).toEqual(["there is no metric 'pool:errors:ratio'"]);
});
