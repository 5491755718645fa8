import { openAiErrorOf, openAiFault, toOpenAiFailure } from '../api/openai-errors.ts';
import type { OpenAiError } from '../api/openai-errors.ts';
import { EngineError } from '../api/types.ts';

/** The failure an HTTP answer other than 200 stands for. */
export function refusal(status: number, body: string): EngineError {
  return toFailure(openAiErrorOf(status, body));
}

/**
 * Names a failure by what may be done next, in HTTP answers and in streams alike. 503 is a queue at its
 * bound (`--max-num-queued-reqs`, `--max-num-queued-tokens`), and never loading: until it has loaded,
 * vLLM does not listen.
 */
export function toFailure(error: OpenAiError): EngineError {
  const fault = error.status === 503 ? 'busy' : openAiFault(error);
  return toOpenAiFailure('vllm', 'vLLM', error, fault);
}

/**
 * What a pooling route's failure means: vLLM has the route only when the model is made for it, so a
 * missing one is no sign of another kind of server.
 */
export function toPoolingFailure(error: unknown, task: string): unknown {
  if (!(error instanceof EngineError) || error.status !== 404) return error;
  return new EngineError('permanent', 'vllm', `the model does not ${task}`, { status: 404 });
}
