import { expect, test } from 'vitest';
import { kvTokensOf, readMetrics } from './metrics.ts';

const EXPOSITION = `# TYPE tgi_request_count counter
tgi_request_count 41

# TYPE tgi_batch_current_size gauge
tgi_batch_current_size 2

# TYPE tgi_queue_size gauge
tgi_queue_size 7

# TYPE tgi_batch_current_max_tokens gauge
tgi_batch_current_max_tokens 512

# TYPE tgi_batch_max_total_tokens gauge
tgi_batch_max_total_tokens 2048

# TYPE tgi_batch_inference_count counter
tgi_batch_inference_count{method="prefill"} 3
`;

const without = (name: string) =>
  EXPOSITION.split('\n')
    .filter((line) => !line.startsWith(`${name} `))
    .join('\n');

test('OC-ADAPT-5040 running, waiting and KV use are the gauges of the batch and the queue', () => {
  expect(readMetrics(EXPOSITION)).toEqual({ running: 2, waiting: 7, kvUsage: 0.25 });
  expect(kvTokensOf(EXPOSITION)).toBe(2048);
});

test('OC-ADAPT-5049 a series that is not there is unknown, never zero', () => {
  const nothing = { running: undefined, waiting: undefined, kvUsage: undefined };
  expect(readMetrics('')).toEqual(nothing);
  expect(kvTokensOf('')).toBeUndefined();
  expect(readMetrics(without('tgi_queue_size'))).toEqual({
    running: 2,
    waiting: undefined,
    kvUsage: 0.25,
  });
});

test.each(['tgi_batch_max_total_tokens', 'tgi_batch_current_max_tokens'])(
  'OC-ADAPT-5049 without %s KV use is unknown',
  (name) => {
    expect(readMetrics(without(name)).kvUsage).toBeUndefined();
  },
);

test('a batch that may outgrow the cache uses all of it', () => {
  const full = EXPOSITION.replace('current_max_tokens 512', 'current_max_tokens 4096');
  expect(readMetrics(full).kvUsage).toBe(1);
});
