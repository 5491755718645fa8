import { booleanField, field, integerField, invalid, tokenId, type Body } from './body-fields.ts';
import { checkConstraintLimits } from './constraint-limits.ts';
import { HttpFault } from './http-fault.ts';
import { parseSampling, type SamplingParams } from './sampling.ts';
import type { ConstraintSource, TokenModel } from './token-model.ts';

/** A `/completion` body, checked and with nothing left open. */
export interface CompletionParams {
  readonly prompt: readonly number[];
  readonly sampling: SamplingParams;
  /** Infinity: until the model or the context ends it. */
  readonly maxTokens: number;
  readonly stop: readonly string[];
  readonly ignoreEos: boolean;
  readonly stream: boolean;
  readonly returnTokens: boolean;
  readonly cachePrompt: boolean;
  readonly pinnedSlot: number | undefined;
  readonly constraint: ConstraintSource | undefined;
  /** Likely tokens to report beside each sampled one; 0 reports no probabilities. */
  readonly probs: number;
}

const INT32_MAX = 2 ** 31 - 1;
const MAX_PROBS = 20;
const MAX_STOPS = 64;
const MAX_STOP_CHARS = 1024;

/**
 * Fields that would change the text in ways this engine cannot, and the values at which they do
 * nothing. Any other value is refused rather than silently ignored.
 */
const UNSUPPORTED: Readonly<Record<string, readonly unknown[]>> = {
  logprobs: [0, false],
  post_sampling_probs: [false],
  n_cmpl: [1],
  n: [1],
  typical_p: [1],
  top_n_sigma: [-1],
  xtc_probability: [0],
  dry_multiplier: [0],
  dynatemp_range: [0],
  mirostat: [0],
  t_max_predict_ms: [0, -1],
  n_indent: [0],
  min_keep: [0],
};
const UNSUPPORTED_LISTS = ['logit_bias', 'lora'] as const;

/**
 * @param randomSeed draws a uint32 for requests that leave the seed open.
 * @throws HttpFault `invalid_request_error`, `not_supported_error` or `exceed_context_size_error`
 */
export function parseCompletion(
  body: Body,
  model: TokenModel,
  randomSeed: () => number,
): CompletionParams {
  refuseUnsupported(body);
  const prompt = parsePrompt(field(body, 'prompt'), model);
  if (prompt.length >= model.ctx) {
    throw new HttpFault(
      'exceed_context_size_error',
      `the request exceeds the available context size (${prompt.length} >= ${model.ctx} tokens)`,
      { n_prompt_tokens: prompt.length, n_ctx: model.ctx },
    );
  }
  const pin = integerField(body, 'id_slot', -1, { min: -1, max: INT32_MAX });
  return {
    prompt,
    sampling: parseSampling(body, model.ctx, randomSeed),
    maxTokens: parseMaxTokens(body),
    stop: parseStop(field(body, 'stop')),
    ignoreEos: booleanField(body, 'ignore_eos', false),
    stream: booleanField(body, 'stream', false),
    returnTokens: booleanField(body, 'return_tokens', false),
    cachePrompt: booleanField(body, 'cache_prompt', true),
    pinnedSlot: pin < 0 ? undefined : pin,
    constraint: parseConstraint(body),
    probs: parseProbs(body, model),
  };
}

function refuseUnsupported(body: Body): void {
  for (const [name, neutral] of Object.entries(UNSUPPORTED)) {
    const value = field(body, name);
    if (value !== undefined && !neutral.includes(value)) throw notSupported(name);
  }
  for (const name of UNSUPPORTED_LISTS) {
    const value = field(body, name);
    if (value !== undefined && !isEmpty(value)) throw notSupported(name);
  }
}

function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}

function notSupported(name: string): HttpFault {
  return new HttpFault('not_supported_error', `Field '${name}' is not supported by this engine`);
}

/** A string, token ids, or a list mixing both. A list of one prompt is that prompt. */
function parsePrompt(value: unknown, model: TokenModel): number[] {
  if (value === undefined) throw invalid('"prompt" must be provided');
  if (typeof value === 'string') return joinPrompt([value], model);
  if (!Array.isArray(value)) throw invalid("Field 'prompt': type must be string or array");
  const parts: readonly unknown[] = value;
  const arePrompts = parts.every((part) => typeof part === 'string') || parts.some(Array.isArray);
  if (arePrompts && parts.length > 1) {
    throw new HttpFault('not_supported_error', 'several prompts in one request are not supported');
  }
  const [only] = parts;
  return joinPrompt(Array.isArray(only) ? only : parts, model);
}

function joinPrompt(parts: readonly unknown[], model: TokenModel): number[] {
  return parts.flatMap((part, index) =>
    typeof part === 'string'
      ? model.tokenize(part, { addSpecial: index === 0, parseSpecial: true })
      : tokenId(part, 'prompt', model.vocabSize),
  );
}

function parseMaxTokens(body: Body): number {
  const name = ['n_predict', 'max_completion_tokens', 'max_tokens'].find(
    (candidate) => field(body, candidate) !== undefined,
  );
  if (name === undefined) return Infinity;
  const limit = integerField(body, name, -1, { min: -1, max: INT32_MAX });
  // llama-server samples one token before it looks at the limit, so 0 yields one too.
  return limit === -1 ? Infinity : Math.max(1, limit);
}

function parseProbs(body: Body, model: TokenModel): number {
  const probs = integerField(body, 'n_probs', 0, { min: 0, max: MAX_PROBS });
  // See `TokenSequence.weigh`.
  if (probs > 0 && !model.sequences.every((sequence) => sequence.keepsPrefix)) {
    throw notSupported('n_probs');
  }
  return probs;
}

function parseStop(value: unknown): string[] {
  if (value === undefined) return [];
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (list.length > MAX_STOPS) throw invalid(`Field 'stop': at most ${MAX_STOPS} strings`);
  return list.map((stop) => {
    if (typeof stop !== 'string') throw invalid("Field 'stop': type must be string or string[]");
    if (stop.length > MAX_STOP_CHARS) {
      throw invalid(`Field 'stop': at most ${MAX_STOP_CHARS} characters each`);
    }
    return stop;
  });
}

/** With both given, the grammar counts, as in llama-server. */
function parseConstraint(body: Body): ConstraintSource | undefined {
  const source = constraintSource(body);
  if (source !== undefined) checkConstraintLimits(source);
  return source;
}

function constraintSource(body: Body): ConstraintSource | undefined {
  const gbnf = field(body, 'grammar');
  if (gbnf !== undefined && typeof gbnf !== 'string') {
    throw invalid("Field 'grammar': type must be string");
  }
  if (gbnf !== undefined && gbnf !== '') return { kind: 'grammar', gbnf };
  const schema = field(body, 'json_schema');
  if (schema === undefined) return undefined;
  if (typeof schema !== 'object' || schema === null || Array.isArray(schema)) {
    throw invalid("Field 'json_schema': type must be object");
  }
  return { kind: 'schema', schema };
}
