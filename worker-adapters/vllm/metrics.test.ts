import { expect, test } from 'vitest';
import { readKvTokens, readMetrics } from './metrics.ts';

const gauges = (engine: number, running: number, waiting: number, kv: number) => `
vllm:num_requests_running{engine="${engine}",model_name="m"} ${running}.0
vllm:num_requests_waiting{engine="${engine}",model_name="m"} ${waiting}.0
vllm:num_requests_waiting_by_reason{engine="${engine}",model_name="m",reason="capacity"} 99.0
vllm:kv_cache_usage_perc{engine="${engine}",model_name="m"} ${kv}
`;
const config = (engine: number, labels: string) =>
  `vllm:cache_config_info{engine="${engine}",${labels},cache_dtype="auto"} 1.0\n`;

test('OC-ADAPT-5025 load is read by whole names', () => {
  expect(readMetrics(gauges(0, 2, 7, 0.25))).toEqual({ running: 2, waiting: 7, kvUsage: 0.25 });
});

test('OC-ADAPT-5025 the engines of one process are added up', () => {
  expect(readMetrics(gauges(0, 2, 7, 0.25) + gauges(1, 3, 0, 0.75))).toEqual({
    running: 5,
    waiting: 7,
    kvUsage: 0.5,
  });
});

test('OC-ADAPT-5025 the older name of KV use counts as well', () => {
  const older = gauges(0, 0, 0, 0.5).replace('kv_cache_usage', 'gpu_cache_usage');
  expect(readMetrics(older).kvUsage).toBe(0.5);
});

test('OC-ADAPT-5025 what is missing is unknown, never zero', () => {
  const none = { running: undefined, waiting: undefined, kvUsage: undefined };
  expect(readMetrics('# HELP up\nup 1\n')).toEqual(none);
});

test('OC-ADAPT-5020 the KV cache holds its blocks times their size, of all engines', () => {
  const one = config(0, 'block_size="16",num_gpu_blocks="661"');
  expect(readKvTokens(one)).toBe(10_576);
  expect(readKvTokens(one + config(1, 'block_size="16",num_gpu_blocks="661"'))).toBe(21_152);
});

test.each([
  '',
  config(0, 'block_size="16"'),
  config(0, 'block_size="",num_gpu_blocks="661"'),
  config(0, 'block_size="16",num_gpu_blocks="None"'),
])('OC-ADAPT-5020 without them the size is unknown: %j', (exposition) => {
  expect(readKvTokens(exposition)).toBeUndefined();
});
