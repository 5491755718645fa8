import { gaugeOf, samplesOf } from '../api/prometheus-gauges.ts';
import type { EngineMetrics } from '../api/types.ts';

/**
 * Reads the gauges of `GET /metrics` (vLLM, docs/design/metrics.md). One process may run several engines
 * (data parallelism), told apart by the label `engine`: what runs and waits is their sum, KV use
 * their mean. A gauge that is missing (`--disable-log-stats`) is unknown, never zero.
 */
export function readMetrics(exposition: string): EngineMetrics {
  return {
    running: gaugeOf(exposition, 'vllm:num_requests_running'),
    waiting: gaugeOf(exposition, 'vllm:num_requests_waiting'),
    kvUsage:
      meanOf(exposition, 'vllm:kv_cache_usage_perc') ??
      // Its name in older releases.
      meanOf(exposition, 'vllm:gpu_cache_usage_perc'),
  };
}

/** Tokens the KV caches of all engines hold; undefined where the exposition does not say. */
export function readKvTokens(exposition: string): number | undefined {
  let tokens = 0;
  for (const { labels } of samplesOf(exposition, 'vllm:cache_config_info')) {
    const held = countOf(labels, 'block_size') * countOf(labels, 'num_gpu_blocks');
    if (!Number.isSafeInteger(held)) return undefined;
    tokens += held;
  }
  return tokens > 0 ? tokens : undefined;
}

function meanOf(exposition: string, name: string): number | undefined {
  const sum = gaugeOf(exposition, name);
  return sum === undefined ? undefined : Math.min(1, sum / samplesOf(exposition, name).length);
}

/** NaN for a label that is missing or `None`. */
function countOf(labels: ReadonlyMap<string, string>, key: string): number {
  const text = labels.get(key) ?? '';
  return /^\d+$/.test(text) ? Number(text) : NaN;
}
