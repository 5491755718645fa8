import { gaugeOf } from '../api/prometheus-gauges.ts';
import type { EngineMetrics } from '../api/types.ts';

/**
 * Reads the gauges of `GET /metrics` (docs/source/reference/metrics.md). TGI writes a series only once it
 * has a value, so before the first request there is none: that is unknown, not zero.
 *
 * KV use is the most tokens the running batch may come to hold, which is what TGI admits by, over the
 * tokens it has room for.
 */
export function readMetrics(text: string): EngineMetrics {
  const held = gaugeOf(text, 'tgi_batch_current_max_tokens');
  const room = kvTokensOf(text);
  return {
    running: gaugeOf(text, 'tgi_batch_current_size'),
    waiting: gaugeOf(text, 'tgi_queue_size'),
    kvUsage:
      held === undefined || room === undefined || room <= 0 ? undefined : Math.min(held / room, 1),
  };
}

/** Tokens the KV cache has room for over all requests; undefined where this build does not say. */
export function kvTokensOf(text: string): number | undefined {
  return gaugeOf(text, 'tgi_batch_max_total_tokens');
}
