import { CHAT_TEMPLATE } from '../kit/chat.ts';
import type { SlotTable } from '../kit/slots.ts';
import type { LlamaCppOptions } from './sim.ts';

/** The bodies of llama-server's informational routes. */

export const SIM_BUILD_INFO = 'b1-simulator';

export function propsAnswer(options: LlamaCppOptions): object {
  return {
    default_generation_settings: { params: {}, n_ctx: options.ctx },
    total_slots: options.slots,
    model_alias: 'sim',
    model_ftype: 'F32',
    model_path: '/models/sim.gguf',
    modalities: { vision: false, audio: false },
    build_info: SIM_BUILD_INFO,
    endpoint_slots: true,
    endpoint_metrics: options.metrics,
    chat_template: CHAT_TEMPLATE,
    chat_template_caps: {},
    bos_token: '<s>',
    eos_token: '</s>',
    is_sleeping: false,
    ...options.extraProps,
  };
}

export function slotsAnswer(table: SlotTable, ctx: number): object[] {
  return table.slots.map((slot) => ({
    id: slot.id,
    n_ctx: ctx,
    speculative: false,
    is_processing: slot.busy,
    ...(slot.heldTokens === undefined
      ? {}
      : {
          id_task: slot.taskId,
          n_prompt_tokens: slot.heldTokens,
          n_prompt_tokens_processed: 0,
          n_prompt_tokens_cache: 0,
          params: {},
          next_token: [
            {
              has_next_token: slot.busy,
              has_new_line: false,
              n_remain: slot.remaining,
              n_decoded: slot.decoded,
            },
          ],
        }),
  }));
}

export function metricsAnswer(table: SlotTable, tokensPredicted: number): string {
  const families: readonly (readonly [string, 'counter' | 'gauge', number])[] = [
    ['tokens_predicted_total', 'counter', tokensPredicted],
    ['requests_processing', 'gauge', table.busy],
    ['requests_deferred', 'gauge', table.deferred],
  ];
  return families
    .map(
      ([name, type, value]) =>
        `# HELP llamacpp:${name} Simulated.\n# TYPE llamacpp:${name} ${type}\nllamacpp:${name} ${value}\n`,
    )
    .join('');
}
