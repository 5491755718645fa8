import { parseObject } from '../kit/http-answers.ts';
import type { JsonBody, SimHttpError } from '../kit/http-answers.ts';
import { refusal } from './refusals.ts';

export interface CompletionRequest {
  readonly prompt: string;
  /** -1 is "until the end". */
  readonly nPredict: number;
  readonly seed: number;
  readonly stop: readonly string[];
  readonly stream: boolean;
  readonly cachePrompt: boolean;
  readonly idSlot: number;
  /** Alternatives to report per token; 0 reports no probabilities. */
  readonly nProbs: number;
}

/** @throws SimHttpError 500 for a body that is not JSON: llama-server quotes it in the message. */
export function parseBody(text: string): JsonBody {
  const body = parseObject(text);
  if (body === undefined) throw refusal(500, 'server_error', `parse error; last read: '${text}'`);
  return body;
}

/** @throws SimHttpError 400 for a missing prompt or a wrong type */
export function parseCompletion(body: JsonBody): CompletionRequest {
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

export function invalid(message: string): SimHttpError {
  return refusal(400, 'invalid_request_error', message);
}
