import type { SlotTable } from '../kit/slots.ts';
import { SIM_MODEL } from './parse-request.ts';
import { BLOCK_TOKENS } from './prefix-cache.ts';
import type { VllmOptions } from './sim.ts';

/** The bodies of vLLM's informational routes. */

export const SIM_VERSION = '0.29.0+simulator';

export function modelsAnswer({ ctx }: VllmOptions): object {
  return {
    object: 'list',
    data: [
      {
        id: SIM_MODEL,
        object: 'model',
        created: 0,
        owned_by: 'vllm',
        root: '/models/sim',
        parent: null,
        max_model_len: ctx,
        permission: [],
      },
    ],
  };
}

/** Series of one engine, `engine="0"`, in the order of a scrape. */
export function metricsAnswer(table: SlotTable, options: VllmOptions, generated: number): string {
  const held = table.slots.reduce((sum, slot) => sum + (slot.busy ? (slot.heldTokens ?? 0) : 0), 0);
  const blocks = Math.ceil((options.slots * options.ctx) / BLOCK_TOKENS);
  const { busy, deferred } = table;
  return [
    gauge('num_requests_running', busy),
    gauge('num_requests_waiting', deferred),
    gauge('num_requests_waiting_by_reason', deferred, ',reason="capacity"'),
    gauge('num_requests_waiting_by_reason', 0, ',reason="deferred"'),
    gauge('kv_cache_usage_perc', Math.ceil(held / BLOCK_TOKENS) / blocks),
    series('generation_tokens_total', 'counter', generated),
    `# TYPE vllm:cache_config_info gauge\nvllm:cache_config_info{block_size="${BLOCK_TOKENS}",cache_dtype="auto",engine="0",num_gpu_blocks="${blocks}"} 1.0\n`,
  ].join('');
}

function gauge(name: string, value: number, labels = ''): string {
  return series(name, 'gauge', value, labels);
}

function series(name: string, type: 'counter' | 'gauge', value: number, labels = ''): string {
  const number = Number.isInteger(value) ? value.toFixed(1) : String(value);
  return `# HELP vllm:${name} Simulated.\n# TYPE vllm:${name} ${type}\nvllm:${name}{engine="0",model_name="${SIM_MODEL}"${labels}} ${number}\n`;
}
