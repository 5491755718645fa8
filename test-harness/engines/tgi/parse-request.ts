import { renderChat } from '../kit/chat.ts';
import type { GenerationRequest } from '../kit/generation.ts';
import { parseObject, SimHttpError } from '../kit/http-answers.ts';
import type { JsonBody } from '../kit/http-answers.ts';
import { countPromptTokens } from '../kit/vocabulary.ts';
import { InferError, validationError } from './refusals.ts';

/** A request of either route, as the router's validation leaves it (router/src/validation.rs). */
export interface TgiRequest extends GenerationRequest {
  /** No sampler is named: the seed is neither used nor reported. */
  readonly greedy: boolean;
  /** The chat route ends with a chunk that counts tokens. */
  readonly includeUsage: boolean;
}

export interface RequestBounds {
  /** `--max-total-tokens` */
  readonly ctx: number;
  /** `--max-stop-sequences` */
  readonly stopSequences: number;
}

const MAX_TOP_N_TOKENS = 5;

/** @throws SimHttpError 400 in plain text for a body that is not JSON */
export function parseBody(text: string): JsonBody {
  const body = parseObject(text);
  if (body === undefined) throw new SimHttpError(400, 'Failed to parse the request body as JSON');
  return body;
}

/** @throws SimHttpError 422 in plain text, which quotes the value, for a field of another type */
export function parseInputs(body: JsonBody): string {
  const { inputs } = body;
  if (typeof inputs === 'string') return inputs;
  throw undecodable(`inputs: invalid type: ${JSON.stringify(inputs)}, expected a string`);
}

/** @throws InferError `validation` */
export function parseGenerate(body: JsonBody, bounds: RequestBounds): TgiRequest {
  const prompt = parseInputs(body);
  const parameters = objectOf(body['parameters']);
  const number = (key: string) => numberOf(parameters, key);
  if (shareOf(parameters, 'temperature', 1) <= 0) {
    throw validationError('`temperature` must be strictly positive');
  }
  for (const key of ['top_p', 'typical_p']) {
    const share = shareOf(parameters, key, 0.5);
    if (share <= 0 || share >= 1) throw validationError(`\`${key}\` must be > 0.0 and < 1.0`);
  }
  if ((number('top_k') ?? 1) <= 0) throw validationError('`top_k` must be strictly positive');
  if ((number('top_n_tokens') ?? 0) > MAX_TOP_N_TOKENS) {
    throw validationError(`\`top_n_tokens\` must be >= 0 and <= ${MAX_TOP_N_TOKENS}`);
  }
  checkGrammar(parameters['grammar']);
  const samplers = ['temperature', 'top_p', 'typical_p', 'top_k'];
  const isSampled =
    parameters['do_sample'] === true || samplers.some((key) => number(key) !== undefined);
  const stop = stringsOf(parameters['stop']);
  const request = { prompt, maxTokens: number('max_new_tokens'), seed: number('seed'), stop };
  return validated(request, bounds, { greedy: !isSampled, includeUsage: false });
}

/** @throws InferError `template_error`, which has its status, or `validation`, which comes in the stream */
export function parseChat(body: JsonBody, bounds: RequestBounds): TgiRequest {
  const prompt = renderMessages(body);
  const number = (key: string) => numberOf(body, key);
  const topP = shareOf(body, 'top_p', 0.5);
  if (topP <= 0 || topP >= 1) throw validationError('`top_p` must be > 0.0 and < 1.0');
  checkGrammar(body['response_format']);
  const stop = stringsOf(body['stop']);
  const request = {
    prompt,
    maxTokens: number('max_tokens') ?? DEFAULT_CHAT_TOKENS,
    seed: number('seed'),
    stop,
  };
  return validated(request, bounds, {
    greedy: number('temperature') === 0,
    includeUsage: objectOf(body['stream_options'])['include_usage'] === true,
  });
}

const DEFAULT_CHAT_TOKENS = 100;

/** The text of the messages. @throws InferError `template_error` */
export function renderMessages({ messages }: JsonBody): string {
  try {
    return renderChat(messages);
  } catch (error) {
    throw new InferError(`Template error: ${String(error)}`);
  }
}

function validated(
  given: {
    readonly prompt: string;
    readonly maxTokens: number | undefined;
    readonly seed: number | undefined;
    readonly stop: readonly string[];
  },
  { ctx, stopSequences }: RequestBounds,
  shape: Pick<TgiRequest, 'greedy' | 'includeUsage'>,
): TgiRequest {
  const { prompt, maxTokens = Infinity, seed = 0, stop } = given;
  if (maxTokens === 0) throw validationError('`max_new_tokens` must be strictly positive');
  if (stop.length > stopSequences) {
    const bound = `\`stop\` supports up to ${stopSequences} stop sequences`;
    throw validationError(`${bound}. Given: ${stop.length}`);
  }
  if (prompt === '') throw validationError('`inputs` cannot be empty');
  const tokens = countPromptTokens(prompt);
  if (tokens + (maxTokens === Infinity ? 0 : maxTokens) > ctx) {
    const bound = `\`inputs\` tokens + \`max_new_tokens\` must be <= ${ctx}`;
    throw validationError(
      `${bound}. Given: ${tokens} \`inputs\` tokens and ${maxTokens} \`max_new_tokens\``,
    );
  }
  if (tokens >= ctx) throw tooLongInput(tokens, ctx);
  return { ...shape, prompt, maxTokens, seed, stop, keepsStop: true, stopsAfterToken: true };
}

export function tooLongInput(tokens: number, ctx: number): InferError {
  return validationError(`\`inputs\` must have less than ${ctx - 1} tokens. Given: ${tokens}`);
}

/** A schema needs properties. */
function checkGrammar(grammar: unknown): void {
  const { type, value } = objectOf(grammar);
  if (type === 'json' && objectOf(value)['properties'] === undefined) {
    throw validationError("grammar is not valid: Grammar must have a 'properties' field");
  }
}

function objectOf(value: unknown): JsonBody {
  return typeof value === 'object' && value !== null ? (value as JsonBody) : {};
}

function numberOf(body: JsonBody, key: string): number | undefined {
  const value = body[key] ?? undefined;
  if (value === undefined || typeof value === 'number') return value;
  throw undecodable(`${key}: invalid type: ${JSON.stringify(value)}, expected a number`);
}

/** The router reads fractions in single precision. */
function shareOf(body: JsonBody, key: string, fallback: number): number {
  return Math.fround(numberOf(body, key) ?? fallback);
}

function stringsOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.map(String) : [];
}

function undecodable(what: string): SimHttpError {
  const message = 'Failed to deserialize the JSON body into the target type';
  return new SimHttpError(422, `${message}: ${what}`);
}
