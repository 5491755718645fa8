import type { ServerResponse } from 'node:http';
import { SimHttpError } from '../kit/http-answers.ts';
import { SSE_HEADERS } from '../kit/token-stream.ts';

/** How the message of each of the router's own errors begins, its type and its status. */
const ERRORS = [
  { says: 'Model is overloaded', type: 'overloaded', status: 429 },
  { says: 'Input validation error', type: 'validation', status: 422 },
  { says: 'Template error', type: 'template_error', status: 422 },
  { says: 'Request failed during generation', type: 'generation', status: 424 },
  { says: 'Incomplete generation', type: 'incomplete_generation', status: 500 },
] as const;

/** An answer other than 200, in TGI's words; without a message an empty body, as of a route it lacks. */
export function refusal(status: number, type: string, message: string): SimHttpError {
  return new SimHttpError(status, message === '' ? '' : { error: message, error_type: type });
}

/** What the router says of a request it has understood: with a status, or in the stream asked for. */
export class InferError extends SimHttpError {
  readonly type: string;
  /** Named `text` because an `Error` has a message of its own. */
  readonly text: string;

  /** @param message what is none of the router's own is a failure of a shard */
  constructor(message: string) {
    const known = ERRORS.find(({ says }) => message.startsWith(says));
    const text = known === undefined ? `Request failed during generation: ${message}` : message;
    const { type, status } = known ?? { type: 'generation', status: 424 };
    super(status, { error: text, error_type: type });
    this.type = type;
    this.text = text;
  }

  /** As it stands in `/generate_stream`. */
  nativeEvent(): string {
    return `data: ${JSON.stringify(this.body)}\n\n`;
  }

  /** As it stands in `/v1/chat/completions`: of no type, and always 422. */
  chatEvents(): string {
    const error = { message: this.text, http_status_code: 422 };
    return `data: ${JSON.stringify({ error })}\n\ndata: [DONE]\n\n`;
  }
}

/** A refusal under status 200, as the whole of the stream that was asked for. */
export class StreamRefusal extends SimHttpError {
  constructor(events: string) {
    super(200, events);
  }

  override send(res: ServerResponse): void {
    res.writeHead(this.status, SSE_HEADERS);
    res.end(this.body);
  }
}

export function validationError(message: string): InferError {
  return new InferError(`Input validation error: ${message}`);
}
