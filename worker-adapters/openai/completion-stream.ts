import { createOpenAiReader } from '../api/openai-stream.ts';
import { toFailure } from './errors.ts';

/**
 * A reader for one stream of the server, see `createOpenAiReader`.
 * @param logprobs alternatives per token the request asked for; 0: it asked for no probabilities
 * @param onReasoning called at each chunk of reasoning, which is no part of the text
 */
export function createStreamReader(logprobs: number, onReasoning: () => void) {
  return createOpenAiReader({ engine: 'openai', logprobs, toFailure, onReasoning });
}
