import type { CompletionRequest } from './generation.ts';

/** An answer other than 200, in llama-server's words. */
export class SimHttpError extends Error {
  readonly status: number;
  readonly type: string;
  readonly extra: object;

  constructor(status: number, type: string, message: string, extra: object = {}) {
    super(message);
    this.status = status;
    this.type = type;
    this.extra = extra;
  }

  toJson(): string {
    const { status: code, message, type, extra } = this;
    return JSON.stringify({ error: { code, message, type, ...extra } });
  }
}

/** @throws SimHttpError 500 for a body that is not JSON: llama-server quotes it in the message. */
export function parseBody(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch {
    // Answered below, with values that are JSON but no object.
  }
  throw new SimHttpError(500, 'server_error', `parse error; last read: '${text}'`);
}

/** @throws SimHttpError 400 for a missing prompt or a wrong type */
export function parseCompletion(body: Readonly<Record<string, unknown>>): CompletionRequest {
  const number = (key: string, fallback: number): number => {
    const value = body[key] ?? fallback;
    if (typeof value === 'number') return value;
    throw invalid(`Field '${key}': type must be number, but is ${typeof value}`);
  };
  const prompt = body['prompt'];
  if (typeof prompt !== 'string') throw invalid("Field 'prompt': type must be string");
  number('temperature', 0.8);
  const seed = number('seed', -1);
  if (seed < -1 || seed > 0xffff_ffff) throw invalid("Field 'seed' is out of range");
  const stop = body['stop'] ?? [];
  return {
    prompt,
    nPredict: number('n_predict', -1),
    seed,
    stop: (Array.isArray(stop) ? stop : [stop]).filter((word) => typeof word === 'string'),
    stream: body['stream'] === true,
    cachePrompt: body['cache_prompt'] !== false,
    idSlot: number('id_slot', -1),
    nProbs: number('n_probs', 0),
  };
}

function invalid(message: string): SimHttpError {
  return new SimHttpError(400, 'invalid_request_error', message);
}
