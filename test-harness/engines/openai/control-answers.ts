import type { SlotTable } from '../kit/slots.ts';
import type { SimFlavor } from './flavors.ts';
import { SIM_MODEL } from './parse-request.ts';
import type { OpenAiSimOptions } from './sim.ts';

/** The bodies of the informational routes, those of OpenAI's API and each server's own. */

export const SIM_VERSION = '0.0.0-simulator';
/** SHA-256 as Ollama writes it, without a prefix. */
export const SIM_DIGEST = 'c0ffee'.padEnd(64, '0');

export function modelsAnswer({ flavor, ctx }: OpenAiSimOptions): object {
  const id = flavor === 'ollama' ? `${SIM_MODEL}:latest` : SIM_MODEL;
  const model = { id, object: 'model', created: 1, owned_by: OWNERS[flavor] };
  const sglang = { root: SIM_MODEL, parent: null, max_model_len: ctx };
  return { object: 'list', data: [flavor === 'sglang' ? { ...model, ...sglang } : model] };
}

const OWNERS: Readonly<Record<SimFlavor, string>> = {
  generic: 'simulator',
  sglang: 'sglang',
  ollama: 'library',
  lmstudio: 'organization_owner',
};

/** `GET /get_server_info`: the arguments of the server, what its scheduler found, its state, its version. */
export function serverInfoAnswer({ slots, ctx }: OpenAiSimOptions): object {
  return {
    model_path: '/models/sim',
    served_model_name: SIM_MODEL,
    max_running_requests: slots,
    context_length: ctx,
    chunked_prefill_size: 8192,
    enable_metrics: true,
    max_total_num_tokens: slots * ctx,
    max_req_input_len: ctx - 1,
    internal_states: [{ last_gen_throughput: 0 }],
    version: SIM_VERSION,
  };
}

export function ollamaTagsAnswer(): object {
  return { models: [OLLAMA_MODEL] };
}

/** The models in memory. */
export function ollamaRunningAnswer({ ctx, loaded }: OpenAiSimOptions): object {
  const running = {
    ...OLLAMA_MODEL,
    expires_at: '2026-01-01T00:00:00Z',
    size_vram: 1,
    context_length: ctx,
  };
  return { models: loaded ? [running] : [] };
}

const OLLAMA_MODEL = {
  name: `${SIM_MODEL}:latest`,
  model: `${SIM_MODEL}:latest`,
  modified_at: '2026-01-01T00:00:00Z',
  size: 1,
  digest: SIM_DIGEST,
  details: { format: 'gguf', family: 'sim', parameter_size: '1', quantization_level: 'F32' },
};

/** `GET /api/v0/models` of LM Studio. */
export function lmStudioModelsAnswer({ ctx, loaded }: OpenAiSimOptions): object {
  const model = {
    id: SIM_MODEL,
    object: 'model',
    type: 'llm',
    publisher: 'simulator',
    arch: 'sim',
    compatibility_type: 'gguf',
    quantization: 'F32',
    state: loaded ? 'loaded' : 'not-loaded',
    max_context_length: 1_000_000,
    ...(loaded ? { loaded_context_length: ctx } : {}),
  };
  return { object: 'list', data: [model] };
}

/** SGLang's gauges, with the labels it puts on every series. */
export function metricsAnswer(table: SlotTable, options: OpenAiSimOptions): string {
  const held = table.slots.reduce((sum, { heldTokens = 0 }) => sum + heldTokens, 0);
  const gauges: readonly (readonly [string, number])[] = [
    ['num_running_reqs', table.busy],
    ['num_queue_reqs', table.deferred],
    ['num_used_tokens', held],
    ['token_usage', Math.min(1, held / (options.slots * options.ctx))],
    ['gen_throughput', 0],
  ];
  return gauges
    .map(
      ([name, value]) =>
        `# HELP sglang:${name} Simulated.\n# TYPE sglang:${name} gauge\nsglang:${name}{model_name="${SIM_MODEL}",tp_rank="0"} ${value}\n`,
    )
    .join('');
}
