import type { SlotTable } from '../kit/slots.ts';
import type { SimStats } from '../kit/sim-options.ts';
import { tokenizeBytes } from '../kit/vocabulary.ts';
import type { TgiOptions } from './sim.ts';

/** The bodies of TGI's informational routes. */

export const SIM_VERSION = '3.3.6';
const SIM_COMMIT = 'db931fcf00000000000000000000000000000000';
export const SIM_MODEL = 'llama-orch/sim';
/** `{version}-{docker label}` */
export const SIM_FINGERPRINT = `${SIM_VERSION}-native`;

/** Requests taken at once, running or waiting: `--max-concurrent-requests`. */
export function maxConcurrentRequests({ slots, queue }: TgiOptions): number {
  return slots + queue;
}

export function infoAnswer(options: TgiOptions): object {
  return {
    model_id: SIM_MODEL,
    model_sha: null,
    model_pipeline_tag: null,
    max_concurrent_requests: maxConcurrentRequests(options),
    max_best_of: 2,
    max_stop_sequences: options.stopSequences,
    max_input_tokens: options.ctx - 1,
    max_total_tokens: options.ctx,
    validation_workers: 2,
    max_client_batch_size: 4,
    router: 'text-generation-router',
    version: SIM_VERSION,
    sha: SIM_COMMIT,
    docker_label: null,
  };
}

export function modelsAnswer(): object {
  const model = { id: SIM_MODEL, object: 'model', created: 0, owned_by: SIM_MODEL };
  return { object: 'list', data: [model] };
}

/** Without places: a byte is no character of the text. */
export function tokensAnswer(text: string): object[] {
  return tokenizeBytes(text, true).map((id) => ({ id, text: '', start: 0, stop: 0 }));
}

/** Series of requests appear with the first one. */
export function metricsAnswer(options: TgiOptions, table: SlotTable, stats: SimStats): string {
  const families: (readonly [name: string, type: 'counter' | 'gauge', value: number])[] = [];
  if (options.batchMaxTotalTokens !== undefined) {
    families.push(['tgi_batch_max_total_tokens', 'gauge', options.batchMaxTotalTokens]);
  }
  if (stats.completions > 0) {
    const reserved = table.slots
      .filter((slot) => slot.busy)
      .reduce((sum, slot) => sum + (slot.heldTokens ?? 0) + slot.remaining, 0);
    families.push(
      ['tgi_request_count', 'counter', stats.completions],
      ['tgi_request_success', 'counter', stats.finished],
      ['tgi_queue_size', 'gauge', stats.deferred],
      ['tgi_batch_current_size', 'gauge', stats.busySlots],
      ['tgi_batch_current_max_tokens', 'gauge', reserved],
    );
  }
  return families
    .map(([name, type, value]) => `# TYPE ${name} ${type}\n${name} ${value}\n`)
    .join('\n');
}
