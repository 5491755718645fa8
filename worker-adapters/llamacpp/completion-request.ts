import type { EngineRequest } from '../api/types.ts';

/** What an engine's `/props` says about reusing a prefix; see `readProps`. */
export interface RequestShape {
  /** A prefix hit gives the same bytes as a cold prompt. */
  readonly exactPrefixReuse: boolean;
}

/**
 * The body of `POST /completion` (llama-server, tools/server/README.md and server-schema.cpp).
 *
 * OC-ADAPT-5010: every field that shapes the output is sent, so neither a launch flag nor a newer
 * default of the engine can change it. Samplers the contract has no name for are switched off.
 *
 * llama.cpp does not promise the same logits for another batch shape, so a strict task gives up
 * prefix reuse unless the engine says that its reuse is exact.
 */
export function toCompletionBody(
  request: EngineRequest,
  prompt: string,
  shape: RequestShape,
): string {
  const { sampling } = request;
  return JSON.stringify({
    // A lone surrogate would be refused as malformed JSON, and look like a fault of the engine.
    prompt: prompt.toWellFormed(),
    n_predict: request.maxTokens ?? -1,
    seed: request.seed,
    stop: sampling.stop.map((text) => text.toWellFormed()),
    grammar: sampling.grammar,
    json_schema: sampling.grammar === undefined ? sampling.jsonSchema : undefined,
    temperature: sampling.temperature,
    top_k: sampling.topK,
    top_p: sampling.topP,
    min_p: sampling.minP,
    n_probs: sampling.logprobs,
    samplers: ['top_k', 'top_p', 'min_p', 'temperature'],
    typical_p: 1,
    repeat_penalty: 1,
    repeat_last_n: 0,
    presence_penalty: 0,
    frequency_penalty: 0,
    dry_multiplier: 0,
    xtc_probability: 0,
    dynatemp_range: 0,
    mirostat: 0,
    ignore_eos: false,
    n_keep: 0,
    id_slot: request.slotId ?? -1,
    cache_prompt: request.reuseKv && (!request.deterministic || shape.exactPrefixReuse),
    stream: true,
    return_tokens: false,
    return_progress: false,
    timings_per_token: false,
  });
}
