import { createOpenAiReader } from '../api/openai-stream.ts';
import { toFailure } from './errors.ts';

/**
 * A reader for one stream of vLLM, text and chat alike (`vllm/entrypoints/openai/{completion,
 * chat_completion}/serving.py`): one chunk may hold several tokens, a chunk without text may hold
 * probabilities, usage comes on a chunk of its own, and after an error object the stream still says
 * `[DONE]`.
 * @param logprobs alternatives per token the request asked for
 */
export function createVllmReader(logprobs: number) {
  return createOpenAiReader({ engine: 'vllm', logprobs, toFailure });
}
