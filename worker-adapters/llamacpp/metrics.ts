import { numberField } from '../api/json-fields.ts';
import { requiredGauge } from '../api/prometheus-gauges.ts';
import type { EngineMetrics } from '../api/types.ts';

/**
 * Reads the gauges of `GET /metrics` (Prometheus text 0.0.4, no labels).
 * @throws EngineError `garbage` when a gauge is missing
 */
export function readMetrics(text: string): Omit<EngineMetrics, 'kvUsage'> {
  return {
    running: requiredGauge('llamacpp', text, 'llamacpp:requests_processing'),
    waiting: requiredGauge('llamacpp', text, 'llamacpp:requests_deferred'),
  };
}

/**
 * Share of the context of all slots that holds tokens, 0..1, from `GET /slots`: llama-server has no
 * gauge for it. A slot that never ran has no `n_prompt_tokens` and holds nothing. Undefined when
 * `slots` is not a list of slots.
 */
export function kvUsageOf(slots: unknown): number | undefined {
  if (!Array.isArray(slots)) return undefined;
  let held = 0;
  let room = 0;
  for (const slot of slots as readonly unknown[]) {
    held += numberField(slot, 'n_prompt_tokens') ?? 0;
    room += numberField(slot, 'n_ctx') ?? 0;
  }
  return room > 0 ? Math.min(held / room, 1) : undefined;
}
