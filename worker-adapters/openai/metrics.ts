import { requiredGauge, samplesOf } from '../api/prometheus-gauges.ts';
import type { EngineMetrics } from '../api/types.ts';

/**
 * Reads SGLang's `GET /metrics` (docs/references/production_metrics.md). Data-parallel ranks are series of
 * their own: their requests add up, and the fullest one tells the KV use.
 * @throws EngineError `garbage` when a gauge is missing
 */
export function readMetrics(text: string): EngineMetrics {
  const usage = samplesOf(text, 'sglang:token_usage').map(({ value }) => value);
  return {
    running: requiredGauge('openai', text, 'sglang:num_running_reqs'),
    waiting: requiredGauge('openai', text, 'sglang:num_queue_reqs'),
    kvUsage: usage.length === 0 ? undefined : Math.max(...usage),
  };
}
