import { renderChat } from '../kit/chat.ts';
import { parseObject } from '../kit/http-answers.ts';
import type { JsonBody } from '../kit/http-answers.ts';
import { refusal, wrongType } from './refusals.ts';

export const SIM_MODEL = 'sim';
/** What a text completion without a bound gets. */
const DEFAULT_MAX_TOKENS = 16;
/** `--max-logprobs` */
const MAX_LOGPROBS = 20;

export type Route = 'completion' | 'chat';

export interface VllmRequest {
  readonly route: Route;
  readonly prompt: string;
  /** Undefined: the rest of the context. */
  readonly maxTokens: number | undefined;
  readonly seed: number;
  readonly stop: readonly string[];
  readonly keepsStop: boolean;
  readonly stream: boolean;
  readonly includeUsage: boolean;
  /** Alternatives to report per token; undefined reports no probabilities. */
  readonly logprobs: number | undefined;
  readonly cacheSalt: string;
}

/** @throws SimHttpError 400 for a body that is no JSON object */
export function parseBody(text: string): JsonBody {
  const body = parseObject(text);
  if (body === undefined) throw wrongType('', text, 'json_invalid');
  return body;
}

/** @throws SimHttpError 400 or 404 for what vLLM refuses; what it does not know it ignores */
export function parseRequest(route: Route, body: JsonBody): VllmRequest {
  checkModel(body);
  const number = numberReader(body);
  checkSampling(body, number);
  const isStream = body['stream'] === true;
  const streamOptions = body['stream_options'] as { include_usage?: unknown } | null | undefined;
  if (streamOptions && !isStream) {
    throw refusal(400, 'Stream options can only be defined when `stream=True`.', 'stream_options');
  }
  return {
    route,
    prompt: route === 'chat' ? parseMessages(body) : parsePrompt(body),
    maxTokens:
      route === 'chat'
        ? (number('max_completion_tokens') ?? number('max_tokens'))
        : (number('max_tokens') ?? DEFAULT_MAX_TOKENS),
    // Without a seed the process's own generator decides.
    seed: number('seed') ?? 0,
    stop: parseStop(body),
    keepsStop: body['include_stop_str_in_output'] === true,
    stream: isStream,
    includeUsage: streamOptions?.include_usage === true,
    logprobs: parseLogprobs(route, body, number),
    cacheSalt: parseCacheSalt(body),
  };
}

/** @throws SimHttpError 404 for a model that is not served */
export function checkModel(body: JsonBody): void {
  const model = body['model'] ?? SIM_MODEL;
  if (typeof model !== 'string') throw wrongType('model', model, 'string');
  if (model === SIM_MODEL) return;
  throw refusal(404, `The model \`${model}\` does not exist.`, 'model');
}

/** The text that the chat template makes of `messages`. @throws SimHttpError 400 */
export function parseMessages(body: JsonBody): string {
  try {
    return renderChat(body['messages']);
  } catch {
    throw wrongType('messages', body['messages'], 'list');
  }
}

/** @throws SimHttpError 400 */
export function parsePrompt(body: JsonBody): string {
  const prompt = body['prompt'] ?? '';
  if (typeof prompt !== 'string') throw wrongType('prompt', prompt, 'string');
  if (prompt !== '') return prompt;
  const message = 'Either prompt or prompt_embeds must be provided and non-empty.';
  throw refusal(400, message, 'prompt');
}

type NumberReader = (key: string) => number | undefined;

function numberReader(body: JsonBody): NumberReader {
  return (key) => {
    const value = body[key] ?? undefined;
    if (value === undefined || typeof value === 'number') return value;
    throw wrongType(key, value, key === 'seed' || key.startsWith('max_') ? 'int' : 'float');
  };
}

/** The bounds of `SamplingParams` (`vllm/sampling_params.py`). */
function checkSampling(body: JsonBody, number: NumberReader): void {
  const bounds: readonly (readonly [string, boolean, string])[] = [
    ['temperature', (number('temperature') ?? 1) >= 0, 'must be non-negative'],
    ['top_p', isWithin(number('top_p'), Number.MIN_VALUE, 1), 'must be in (0, 1]'],
    ['top_k', (number('top_k') ?? 0) >= -1, 'must be 0 or -1 (disable), or at least 1'],
    ['min_p', isWithin(number('min_p'), 0, 1), 'must be in [0, 1]'],
    ['repetition_penalty', (number('repetition_penalty') ?? 1) > 0, 'must be greater than zero'],
    ['max_tokens', (number('max_tokens') ?? 1) >= 1, 'must be at least 1'],
    ['n', (number('n') ?? 1) === 1, 'must be 1 in this simulator'],
  ];
  const bad = bounds.find(([, isFine]) => !isFine);
  if (bad !== undefined)
    throw refusal(400, `${bad[0]} ${bad[2]}, got ${String(body[bad[0]])}.`, bad[0]);
}

function isWithin(value: number | undefined, least: number, most: number): boolean {
  return value === undefined || (value >= least && value <= most);
}

function parseStop(body: JsonBody): string[] {
  const stop = body['stop'] ?? [];
  const words = (Array.isArray(stop) ? (stop as unknown[]) : [stop]).map(String);
  if (words.includes('')) throw refusal(400, 'stop cannot contain an empty string.', 'stop');
  return words;
}

function parseLogprobs(route: Route, body: JsonBody, number: NumberReader): number | undefined {
  const isAsked = route === 'completion' || body['logprobs'] === true;
  const asked = route === 'completion' ? number('logprobs') : (number('top_logprobs') ?? 0);
  if (!isAsked || asked === undefined) return undefined;
  if (asked >= 0 && asked <= MAX_LOGPROBS) return asked;
  const message = `Requested sample logprobs of ${asked}, which is greater than max allowed: ${MAX_LOGPROBS}`;
  throw refusal(400, message, 'logprobs');
}

function parseCacheSalt(body: JsonBody): string {
  const salt = body['cache_salt'] ?? undefined;
  if (salt === undefined) return '';
  if (typeof salt === 'string' && salt.length > 0 && salt.length <= 1024) return salt;
  throw refusal(
    400,
    "Parameter 'cache_salt' must be a non-empty string if provided.",
    'cache_salt',
  );
}
