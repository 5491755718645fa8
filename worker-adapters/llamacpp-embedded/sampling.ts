import { field, integerField, invalid, numberField, type Body } from './body-fields.ts';
import { HttpFault } from './http-fault.ts';

/** How one request samples. Every value is explicit: nothing is left to a library's default. */
export interface SamplingParams {
  /** 0 is greedy. */
  readonly temperature: number;
  /** 0 keeps the whole vocabulary. */
  readonly topK: number;
  readonly topP: number;
  readonly minP: number;
  /** uint32, already drawn where the request left it open. */
  readonly seed: number;
  readonly repeatPenalty: number;
  readonly presencePenalty: number;
  readonly frequencyPenalty: number;
  /** Newest tokens the penalties look at; 0 switches them off. */
  readonly repeatLastN: number;
}

/** llama-server's own defaults (`tools/server/README.md`). */
export const SAMPLING_DEFAULTS = {
  temperature: 0.8,
  topK: 40,
  topP: 0.95,
  minP: 0.05,
  repeatPenalty: 1,
  presencePenalty: 0,
  frequencyPenalty: 0,
  repeatLastN: 64,
} as const satisfies Omit<SamplingParams, 'seed'>;

/** Stands for "draw one" on the wire, as -1 does. */
export const RANDOM_SEED = 0xffff_ffff;

const INT32_MAX = 2 ** 31 - 1;

/** The order node-llama-cpp samples in, and what leaving a sampler out means. */
const SAMPLER_ORDER = ['penalties', 'top_k', 'top_p', 'min_p', 'temperature'] as const;
const LEFT_OUT: Readonly<Record<(typeof SAMPLER_ORDER)[number], Partial<SamplingParams>>> = {
  penalties: { repeatLastN: 0 },
  top_k: { topK: 0 },
  top_p: { topP: 1 },
  min_p: { minP: 0 },
  temperature: { temperature: 1 },
};
/** Samplers that are neutral here, see `completion-request.ts`; naming them changes nothing. */
const NEUTRAL_SAMPLERS: readonly string[] = ['dry', 'top_n_sigma', 'typ_p', 'typical_p', 'xtc'];

/**
 * Reads the sampling fields of a `/completion` body. Values out of range clamp where llama-server's do.
 * @param ctx context per slot, tokens.
 * @param randomSeed draws a uint32 for requests that leave the seed open.
 * @throws HttpFault `invalid_request_error` or `not_supported_error`
 */
export function parseSampling(body: Body, ctx: number, randomSeed: () => number): SamplingParams {
  const d = SAMPLING_DEFAULTS;
  const lastN = integerField(body, 'repeat_last_n', d.repeatLastN, { min: -1, max: INT32_MAX });
  const seed = integerField(body, 'seed', -1, { min: -1, max: RANDOM_SEED });
  const topK = integerField(body, 'top_k', d.topK, { min: -INT32_MAX, max: INT32_MAX });
  return {
    temperature: Math.max(0, numberField(body, 'temperature', d.temperature)),
    topK: Math.max(0, topK),
    topP: clamp(numberField(body, 'top_p', d.topP), 0, 1),
    minP: clamp(numberField(body, 'min_p', d.minP), 0, 1),
    seed: seed === -1 || seed === RANDOM_SEED ? randomSeed() : seed,
    repeatPenalty: numberField(body, 'repeat_penalty', d.repeatPenalty),
    presencePenalty: numberField(body, 'presence_penalty', d.presencePenalty),
    frequencyPenalty: numberField(body, 'frequency_penalty', d.frequencyPenalty),
    repeatLastN: lastN === -1 ? ctx : Math.min(lastN, ctx),
    ...parseSamplers(field(body, 'samplers')),
  };
}

/** The samplers a list leaves out, switched off. Another order than ours is refused. */
function parseSamplers(value: unknown): Partial<SamplingParams> {
  if (value === undefined) return {};
  if (!Array.isArray(value)) throw invalid("Field 'samplers': type must be array");
  const named = value.filter((name) => !NEUTRAL_SAMPLERS.includes(name as string));
  const inOrder = SAMPLER_ORDER.filter((name) => named.includes(name));
  if (inOrder.length !== named.length || inOrder.some((name, at) => name !== named[at])) {
    throw new HttpFault(
      'not_supported_error',
      `Field 'samplers': this engine samples in the order ${SAMPLER_ORDER.join(', ')}`,
    );
  }
  const leftOut = SAMPLER_ORDER.filter((name) => !named.includes(name));
  return Object.assign({}, ...leftOut.map((name) => LEFT_OUT[name])) as Partial<SamplingParams>;
}

function clamp(value: number, min: number, max: number): number {
  return Math.min(max, Math.max(min, value));
}

export function hasPenalties(params: SamplingParams): boolean {
  return (
    params.repeatLastN > 0 &&
    (params.repeatPenalty !== 1 || params.presencePenalty !== 0 || params.frequencyPenalty !== 0)
  );
}
