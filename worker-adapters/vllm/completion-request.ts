import { toOpenAiBody, toResponseFormat } from '../api/openai-request.ts';
import type { EngineRequest } from '../api/types.ts';

/** vLLM refuses 0; so little of the probability keeps one token, as 0 does elsewhere. */
const LEAST_TOP_P = 1e-6;

/**
 * The body of `POST /v1/completions` and `/v1/chat/completions` (vLLM,
 * `vllm/entrypoints/openai/{completion,chat_completion}/protocol.py`).
 *
 * OC-ADAPT-5010: every field that shapes the output is sent, because vLLM takes what is missing from the
 * model's `generation_config.json`. What an operator can add there and no request can take away (further
 * stop tokens, a lower bound on the output) goes with `--generation-config vllm`.
 *
 * @param maxTokens what the request says, or the rest of the context: for text, vLLM itself would stop
 * after 16 tokens
 */
export function toVllmBody(
  request: EngineRequest,
  maxTokens: number,
  model: string | undefined,
): string {
  const { sampling } = request;
  return JSON.stringify({
    ...toOpenAiBody({ ...request, maxTokens }, { model, chatMaxTokens: 'max_completion_tokens' }),
    top_p: Math.max(sampling.topP, LEAST_TOP_P),
    // -1 is "all tokens" to every version, 0 only to newer ones.
    top_k: sampling.topK === 0 ? -1 : sampling.topK,
    min_p: sampling.minP,
    repetition_penalty: 1,
    min_tokens: 0,
    ignore_eos: false,
    include_stop_str_in_output: false,
    skip_special_tokens: true,
    spaces_between_special_tokens: true,
    ...(typeof request.prompt === 'string'
      ? { add_special_tokens: true }
      : { add_special_tokens: false, add_generation_prompt: true }),
    ...(sampling.logprobs > 0 ? { return_tokens_as_token_ids: false } : {}),
    ...constraintOf(sampling),
    // Shared with no other request, and so a cold start.
    ...(request.reuseKv ? {} : { cache_salt: request.taskId }),
  });
}

/** A grammar wins over a schema: vLLM takes one constraint. */
function constraintOf({ grammar, jsonSchema }: EngineRequest['sampling']): object {
  if (grammar !== undefined) return { structured_outputs: { grammar } };
  return jsonSchema === undefined ? {} : { response_format: toResponseFormat(jsonSchema) };
}
