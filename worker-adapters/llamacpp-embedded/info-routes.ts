/** What the engine tells about itself, in llama-server's shapes. */
import type { EngineContext } from './engine-context.ts';
import { SAMPLING_DEFAULTS } from './sampling.ts';
import type { Slot } from './slots.ts';

export function propsObject({ options, model, board }: EngineContext): object {
  const d = SAMPLING_DEFAULTS;
  return {
    default_generation_settings: {
      params: {
        seed: -1,
        temperature: d.temperature,
        top_k: d.topK,
        top_p: d.topP,
        min_p: d.minP,
        repeat_last_n: d.repeatLastN,
        repeat_penalty: d.repeatPenalty,
        presence_penalty: d.presencePenalty,
        frequency_penalty: d.frequencyPenalty,
        n_predict: -1,
      },
      n_ctx: model.ctx,
    },
    total_slots: board.slots.length,
    model_alias: options.alias,
    model_ftype: model.description,
    model_path: options.modelPath,
    modalities: { vision: false, audio: false },
    endpoint_slots: true,
    endpoint_props: false,
    endpoint_metrics: true,
    chat_template: model.chatTemplate ?? '',
    bos_token: model.bosToken,
    eos_token: model.eosToken,
    build_info: model.buildInfo,
    is_sleeping: false,
    // Beyond llama-server: what a client may rely on here and not there.
    llama_orch: {
      engine: 'llamacpp-embedded',
      exact_prefix_reuse: true,
      prefill_chunk: options.prefillChunk,
    },
  };
}

export function modelsObject({ options, model }: EngineContext, startedAt: number): object {
  const { alias } = options;
  const meta = {
    n_vocab: model.vocabSize,
    n_ctx: model.ctx,
    n_ctx_train: model.trainCtx,
    size: model.sizeBytes,
    ftype: model.description,
  };
  const created = Math.floor(startedAt / 1000);
  return {
    object: 'list',
    data: [{ id: alias, aliases: [alias], object: 'model', created, owned_by: 'llamacpp', meta }],
  };
}

export function slotObject(slot: Slot, ctx: number): object {
  const { task } = slot;
  const head = { id: slot.id, n_ctx: ctx, speculative: false, is_processing: slot.busy };
  if (task === undefined) return head;
  return {
    ...head,
    id_task: task.id,
    n_prompt_tokens: slot.sequence.length,
    n_prompt_tokens_processed: task.processedTokens,
    n_prompt_tokens_cache: task.cachedTokens,
    params: task.settings,
    next_token: [
      {
        has_next_token: task.running,
        has_new_line: task.hasNewLine,
        n_remain: Number.isFinite(task.maxTokens) ? task.maxTokens - task.decodedTokens : -1,
        n_decoded: task.decodedTokens,
      },
    ],
  };
}
