import { renderChat } from '../kit/chat.ts';
import { parseObject } from '../kit/http-answers.ts';
import type { JsonBody } from '../kit/http-answers.ts';
import { FLAVOR_RULES } from './flavors.ts';
import type { SimFlavor } from './flavors.ts';
import { noSuchModel, refusal } from './refusals.ts';

export const SIM_MODEL = 'sim';

export interface CompletionRequest {
  readonly isChat: boolean;
  readonly prompt: string;
  /** Infinity is "until the end". */
  readonly maxTokens: number;
  readonly seed: number;
  readonly stop: readonly string[];
  readonly stream: boolean;
  readonly includeUsage: boolean;
  /** Alternatives to report per token; undefined reports no probabilities. */
  readonly logprobs: number | undefined;
}

/** What OpenAI documents of both routes, as far as it is simulated. */
const COMMON_FIELDS = [
  ...['model', 'n', 'stream', 'stream_options', 'seed', 'temperature', 'top_p', 'stop'],
  ...['presence_penalty', 'frequency_penalty', 'max_tokens', 'logprobs', 'logit_bias', 'user'],
];
const TEXT_FIELDS = new Set([...COMMON_FIELDS, 'prompt', 'echo', 'best_of', 'suffix']);
const CHAT_FIELDS = new Set([
  ...COMMON_FIELDS,
  ...['messages', 'max_completion_tokens', 'top_logprobs', 'response_format'],
]);

/** @throws SimHttpError 400 for a body that is not JSON */
export function parseBody(flavor: SimFlavor, text: string): JsonBody {
  const body = parseObject(text);
  if (body === undefined)
    throw invalid(flavor, 'We could not parse the JSON body of your request.');
  return body;
}

/** @throws SimHttpError 400 for a wrong field, 404 for a model there is not */
export function parseCompletion(
  flavor: SimFlavor,
  body: JsonBody,
  isChat: boolean,
): CompletionRequest {
  if (flavor === 'generic') refuseUnknownFields(body, isChat ? CHAT_FIELDS : TEXT_FIELDS);
  checkModel(flavor, body['model']);
  const number = (key: string, fallback: number): number => {
    const value = body[key] ?? fallback;
    if (typeof value === 'number') return value;
    throw invalid(flavor, `Invalid type for '${key}': expected a number.`);
  };
  number('temperature', 1);
  number('top_p', 1);
  if (flavor === 'sglang' && (number('top_k', -1) < -1 || number('top_k', -1) === 0)) {
    throw invalid(flavor, 'top_k must be -1 (disable) or at least 1.');
  }
  const stop = body['stop'] ?? [];
  if (flavor === 'generic' && Array.isArray(body['stop']) && body['stop'].length === 0) {
    throw invalid(flavor, "[] is too short - 'stop'");
  }
  const options = body['stream_options'] as { include_usage?: unknown } | undefined;
  return {
    isChat,
    prompt: isChat ? renderMessages(flavor, body['messages']) : textOf(flavor, body['prompt']),
    maxTokens: number('max_tokens', isChat ? Infinity : FLAVOR_RULES[flavor].defaultMaxTokens),
    seed: number('seed', 0),
    stop: (Array.isArray(stop) ? stop : [stop]).filter((word) => typeof word === 'string'),
    stream: body['stream'] === true,
    includeUsage: FLAVOR_RULES[flavor].tellsUsage && options?.include_usage === true,
    logprobs: FLAVOR_RULES[flavor].tellsLogprobs ? logprobsOf(flavor, body) : undefined,
  };
}

/** A server of one model takes a request that names none. */
export function checkModel(flavor: SimFlavor, model: unknown): void {
  if (model === undefined && flavor !== 'generic') return;
  if (typeof model !== 'string') throw invalid(flavor, 'you must provide a model parameter');
  const names = flavor === 'ollama' ? [SIM_MODEL, `${SIM_MODEL}:latest`] : [SIM_MODEL];
  if (!names.includes(model)) throw noSuchModel(flavor, model);
}

/** `/completions` takes a number, `/chat/completions` a flag and a number beside it. */
function logprobsOf(flavor: SimFlavor, body: JsonBody): number | undefined {
  const { logprobs, top_logprobs: top } = body;
  if (logprobs === true) return typeof top === 'number' ? top : 0;
  if (typeof logprobs !== 'number') return undefined;
  if (flavor === 'generic' && logprobs > 5) {
    throw invalid(flavor, 'The maximum value for logprobs is 5.');
  }
  return logprobs;
}

function refuseUnknownFields(body: JsonBody, known: ReadonlySet<string>): void {
  const unknown = Object.keys(body).find((key) => !known.has(key));
  if (unknown === undefined) return;
  throw invalid('generic', `Unrecognized request argument supplied: ${unknown}`);
}

function renderMessages(flavor: SimFlavor, messages: unknown): string {
  try {
    return renderChat(messages);
  } catch (error) {
    throw invalid(flavor, String(error));
  }
}

function textOf(flavor: SimFlavor, prompt: unknown): string {
  if (typeof prompt !== 'string') throw invalid(flavor, "Invalid type for 'prompt'.");
  return prompt;
}

function invalid(flavor: SimFlavor, message: string) {
  return refusal(flavor, 400, message);
}
