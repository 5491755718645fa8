import { expect, test } from 'vitest';
import { readMetrics } from './metrics.ts';

const gauges = (rank: number, running: number, waiting: number, usage: number) =>
  `sglang:num_running_reqs{model_name="m",dp_rank="${rank}"} ${running}
sglang:num_queue_reqs{model_name="m",dp_rank="${rank}"} ${waiting}
sglang:num_queue_reqs_total{model_name="m"} 99
sglang:token_usage{model_name="m",dp_rank="${rank}"} ${usage}
`;

test('OC-ADAPT-5086 ranks add up, and the fullest tells the KV use', () => {
  const text = gauges(0, 2, 1, 0.25) + gauges(1, 3, 0, 0.5);
  expect(readMetrics(text)).toEqual({ running: 5, waiting: 1, kvUsage: 0.5 });
});

test('OC-ADAPT-5086 a missing gauge is never zero', () => {
  const text = gauges(0, 2, 1, 0.25);
  expect(readMetrics(text.replace('sglang:token_usage', 'x')).kvUsage).toBeUndefined();
  for (const name of ['sglang:num_running_reqs{', 'sglang:num_queue_reqs{']) {
    expect(() => readMetrics(text.replace(name, 'x{'))).toThrow(
      expect.objectContaining({ fault: 'garbage' }),
    );
  }
});
