import { gaugeOf, samplesOf } from '../api/prometheus-gauges.ts';
import { EngineError } from '../api/types.ts';
import type { EngineMetrics } from '../api/types.ts';

/** What is known of the load of a server that does not tell it. */
export const UNKNOWN_LOAD: EngineMetrics = {
  running: undefined,
  waiting: undefined,
  kvUsage: undefined,
};

/**
 * Reads SGLang's `GET /metrics` (docs/references/production_metrics.md). Data-parallel ranks are series of
 * their own: their requests add up, and the fullest one tells the KV use.
 * @throws EngineError `garbage` when a gauge is missing
 */
export function readMetrics(text: string): EngineMetrics {
  const usage = samplesOf(text, 'sglang:token_usage').map(({ value }) => value);
  return {
    running: required(text, 'sglang:num_running_reqs'),
    waiting: required(text, 'sglang:num_queue_reqs'),
    kvUsage: usage.length === 0 ? undefined : Math.max(...usage),
  };
}

function required(text: string, name: string): number {
  const value = gaugeOf(text, name);
  if (value === undefined) throw new EngineError('garbage', 'openai', `/metrics has no ${name}`);
  return value;
}
