import { openAiErrorOf, openAiFault, toOpenAiFailure } from '../api/openai-errors.ts';
import type { OpenAiError } from '../api/openai-errors.ts';
import { EngineError } from '../api/types.ts';

/** The failure an HTTP answer other than 200 stands for. */
export function refusal(status: number, body: string): EngineError {
  return toFailure(openAiErrorOf(status, body));
}

/** The failure an error stands for, in an HTTP body or inside a stream. */
export function toFailure(error: OpenAiError): EngineError {
  const fault = wantsMessages(error) ? 'permanent' : openAiFault(error);
  return toOpenAiFailure('openai', 'the server', error, fault);
}

/**
 * What a route that is not there means for one kind of work: the request itself asks for what this
 * server does not do. All other failures stay what they are.
 */
export function asUnserved(error: unknown, work: string): unknown {
  const isMissing = error instanceof EngineError && error.status === 404;
  if (!isMissing || error.fault === 'broken') return error;
  const message = `the server has no route for ${work}`;
  return new EngineError('permanent', 'openai', message, { status: 404, cause: error });
}

/** OpenAI answers 404 where a chat model is asked to complete text, as it does for no such model. */
function wantsMessages({ status, message }: OpenAiError): boolean {
  return status === 404 && /\bchat\b/i.test(message);
}
