/** From a task request to what an engine is asked to complete. */
import { OrchError, type PromptFormat, type TaskRequest } from '@llama-orch/contracts';
import type { ReplicaHandle } from '@llama-orch/pool-managerd';
import type { EnginePrompt, Sampling } from '@llama-orch/worker-adapters';

/**
 * Applies the model's chat template where the request asks for it. A bare prompt under a template that
 * copies content verbatim costs no round trip to the engine (`PromptEnvelope`). Messages are returned
 * as they are where only the engine can render them.
 * @param format applies to a bare prompt: `auto` wraps it when the model has a template
 * @throws OrchError INVALID_PARAMS when a template is asked for and the model has none
 * @throws EngineError
 */
export function renderPrompt(
  request: TaskRequest,
  format: PromptFormat,
  replica: ReplicaHandle,
  signal: AbortSignal,
): EnginePrompt | Promise<EnginePrompt> {
  const { messages, prompt = '' } = request;
  const { envelope, adapter } = replica;
  if (messages !== undefined) {
    if (envelope === undefined) throw noTemplate('/messages');
    return envelope === 'engine' ? messages : adapter.applyTemplate(messages, signal);
  }
  if (format === 'raw') return prompt;
  if (envelope === undefined) {
    if (format === 'chat') throw noTemplate('/prompt_format');
    return prompt;
  }
  if (envelope === 'engine') return [{ role: 'user', content: prompt }];
  return envelope === 'render'
    ? adapter.applyTemplate([{ role: 'user', content: prompt }], signal)
    : envelope.prefix + prompt + envelope.suffix;
}

function noTemplate(path: string): OrchError {
  const message = 'the model has no chat template';
  return new OrchError('INVALID_PARAMS', message, { details: [{ path, message }] });
}

/**
 * Sampling profile `v1`: what a request leaves open, made explicit so that no engine's own defaults
 * leak in (OC-ADAPT-5010). The values are llama.cpp's.
 */
export const SAMPLING_V1 = { temperature: 0.8, topK: 40, topP: 0.95, minP: 0.05 } as const;

export function toSampling(request: TaskRequest): Sampling {
  return {
    temperature: request.temperature ?? SAMPLING_V1.temperature,
    topK: request.top_k ?? SAMPLING_V1.topK,
    topP: request.top_p ?? SAMPLING_V1.topP,
    minP: request.min_p ?? SAMPLING_V1.minP,
    stop: request.stop ?? [],
    grammar: request.grammar,
    jsonSchema: request.json_schema,
    logprobs: request.logprobs ?? 0,
  };
}
