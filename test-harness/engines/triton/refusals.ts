import type { ServerResponse } from 'node:http';
import { SimHttpError } from '../kit/http-answers.ts';
import { MODEL } from './models.ts';
import type { Backend } from './models.ts';

/** An answer other than 200, in Triton's words. */
export function refusal(status: number, error: string): SimHttpError {
  return new SimHttpError(status, { error });
}

/** The error of a first response: it sets the status, and comes as an event. */
export class FirstResponseError extends SimHttpError {
  readonly #error: string;

  constructor(status: number, error: string) {
    super(status, { error });
    this.#error = error;
  }

  override send(res: ServerResponse): void {
    res.writeHead(this.status, { 'content-type': 'text/event-stream; charset=utf-8' });
    res.end(`data: ${JSON.stringify({ error: this.#error })}\n\n`);
  }
}

export function unknownModel(name: string): SimHttpError {
  return refusal(404, `Request for unknown model: '${name}' is not found`);
}

export function notLoaded(): SimHttpError {
  return refusal(404, `Request for unknown model: '${MODEL}' has no available versions`);
}

/** A backend tells it by its first response, and in the words of its engine. */
export function tooLong(backend: Backend, promptTokens: number, ctx: number): SimHttpError {
  const texts: Record<Backend, string> = {
    trtllm: `Prompt length (${promptTokens}) exceeds maximum input length (${ctx}).`,
    llmapi: `Error generating request: The sum of prompt length (${promptTokens}.0), query length (0) should not exceed max_num_tokens (${ctx})`,
    vllm: `Error generating stream: The decoder prompt (length ${promptTokens}) is longer than the maximum model length of ${ctx}.`,
  };
  return new FirstResponseError(500, texts[backend]);
}
