/**
 * How long a replica takes for prefill and for a token, learned from what the router can see.
 *
 * One iteration of a continuous-batching engine that computes n tokens, of which b are decodes, takes
 * about `max(A0 + A1 n, B0 + B1 n) + F + G b + KV (context of the decodes) + QK (attention pairs)`
 * (operator profiles of Vidur and BLIS). Summed over the iterations of a prefill that is linear in a
 * few counts, which are the features here. The maximum is a kink at some hundred tokens: below it an
 * iteration is bound by reading the weights. Two slopes, below and above `KNEE_TOKENS`, follow it.
 */
import type { SavedRegression } from './robust-regression.ts';
import { RobustRegression } from './robust-regression.ts';
import { fieldsOf } from './saved-values.ts';

const KNEE_TOKENS = 256;
const MEMORY_SAMPLES = 500;
const LATE_ITERATIONS = 1.25;
/** After so many iterations without word of a token nothing tells where the present one is. */
const FORGOTTEN_ITERATIONS = 8;
/** More tokens, pairs or sequences than any replica has: bounds what a wrong count can do. */
const MOST = 1e12;

/** An amount of prefill: of one prompt (`prefillWork`), or of several in a row. */
export interface PrefillWork {
  /** Tokens to compute. */
  readonly tokens: number;
  /** Pairs of a computed token and a token it attends to. */
  readonly pairs: number;
  /**
   * True when it starts with a dispatch to a replica without prefill: then come the overheads of a
   * request, and the wait for the running iteration. False when it follows another prefill.
   */
  readonly fromIdle: boolean;
}

/** What the replica does besides. */
export interface DecodeLoad {
  /** Sequences being decoded. */
  readonly decoding: number;
  /** Sum of their contexts, tokens. */
  readonly decodeContext: number;
  /** Time since a token was last seen from the replica, ms: tells how far its iteration is. */
  readonly sinceTokenMs?: number | undefined;
  /** Prompt tokens computed beside, those of them below the knee, and their pairs, per iteration. */
  readonly prefillTokens?: number | undefined;
  readonly prefillBelowKnee?: number | undefined;
  readonly prefillPairs?: number | undefined;
}

/** Constants to start from, ms; the model corrects them by what it sees. */
export interface LatencyConstants {
  readonly requestMs: number;
  readonly iterationMs: number;
  /** Per prompt token in an iteration, up to the knee and beyond. */
  readonly tokenMs: number;
  readonly moreTokenMs: number;
  readonly pairMs: number;
  readonly sequenceMs: number;
  readonly contextTokenMs: number;
  /** Most tokens the engine computes in one iteration, decodes included. Not learned. */
  readonly chunkTokens: number;
}

/** An 8B model in BF16 on an A100. */
export const DEFAULT_CONSTANTS: LatencyConstants = {
  requestMs: 1,
  iterationMs: 11.5,
  tokenMs: 0.034,
  moreTokenMs: 0.067,
  pairMs: 3.4e-6,
  sequenceMs: 0.031,
  contextTokenMs: 1.25e-4,
  chunkTokens: 2048,
};

export interface SavedLatency {
  readonly prefill: SavedRegression;
  readonly decode: SavedRegression;
}

/** Prefill of one prompt whose first `cached` tokens are in the cache already. */
export function prefillWork(uncached: number, cached: number): PrefillWork {
  return { tokens: uncached, pairs: uncached * (cached + uncached / 2), fromIdle: true };
}

export class LatencyModel {
  readonly #start: LatencyConstants;
  readonly #pool: LatencyModel | undefined;
  readonly #prefill: RobustRegression;
  readonly #decode: RobustRegression;
  readonly #prefillFeatures = new Float64Array(7);
  readonly #decodeFeatures = new Float64Array(6);
  #chunkTokens: number;

  /** @param pool learns along from every sample */
  constructor(start: LatencyConstants = DEFAULT_CONSTANTS, pool?: LatencyModel) {
    const { requestMs, iterationMs, tokenMs, moreTokenMs, pairMs } = start;
    const { sequenceMs, contextTokenMs } = start;
    this.#start = start;
    this.#chunkTokens = start.chunkTokens;
    this.#pool = pool;
    this.#prefill = new RobustRegression({
      initial: [requestMs, iterationMs, tokenMs, moreTokenMs, pairMs, sequenceMs, contextTokenMs],
      memory: MEMORY_SAMPLES,
    });
    this.#decode = new RobustRegression({
      initial: [iterationMs, sequenceMs, contextTokenMs, moreTokenMs, tokenMs, pairMs],
      memory: MEMORY_SAMPLES,
    });
  }

  /** A model for a new replica: starts from what its pool has learned, ready to differ, and shares its samples. */
  static startingFrom(pool: LatencyModel): LatencyModel {
    const model = new LatencyModel(pool.#start, pool);
    const { prefill, decode } = pool.save();
    model.#prefill.inherit(prefill);
    model.#decode.inherit(decode);
    return model;
  }

  /** The engine says what it computes in one iteration; its pool, of like engines, learns by the same. */
  setChunkTokens(tokens: number): void {
    this.#chunkTokens = tokens;
    this.#pool?.setChunkTokens(tokens);
  }

  /** Most prompt tokens of one iteration beside this many decodes. */
  chunkTokens(decoding: number): number {
    return Math.max(1, this.#chunkTokens - decoding);
  }

  /** How many of the prompt tokens of one iteration leave it no longer than reading the weights takes. */
  belowKnee(tokens: number, decoding: number): number {
    return Math.min(tokens, Math.max(0, KNEE_TOKENS - decoding));
  }

  /** Prefills observed. */
  get samples(): number {
    return this.#prefill.samples;
  }

  /** Time from the start of the work to its last token computed, ms; not less with more tokens. */
  prefillMs(work: PrefillWork, load: DecodeLoad): number {
    const waitMs = work.fromIdle ? this.joinMs(load) : 0;
    return this.#prefill.predict(this.#describePrefill(work, load)) + waitMs;
  }

  /** Time of one decode iteration, and so of a token of each sequence, ms. */
  tokenMs(load: DecodeLoad): number {
    return this.#decode.predict(this.#describeDecode(load));
  }

  /**
   * Time until a prompt can join the work of a replica that does not prefill, ms: what is left of the
   * running decode iteration, half of it when nothing tells how far it is.
   */
  joinMs(load: DecodeLoad): number {
    if (!(load.decoding > 0)) return 0;
    const iterationMs = this.tokenMs(load);
    const sinceMs = load.sinceTokenMs;
    // The next one begins at this very moment, and takes what comes with it.
    if (sinceMs === 0) return 0;
    if (sinceMs === undefined || !(sinceMs < FORGOTTEN_ITERATIONS * iterationMs)) {
      return iterationMs / 2;
    }
    // A little late means that the end is near; much later, that tokens came which nobody told of.
    if (sinceMs < LATE_ITERATIONS * iterationMs)
      return clamp(iterationMs - sinceMs, 0, iterationMs);
    return iterationMs - (sinceMs % iterationMs);
  }

  observePrefill(work: PrefillWork, load: DecodeLoad, ms: number): void {
    this.#pool?.observePrefill(work, load, ms);
    const waitMs = work.fromIdle ? this.joinMs(load) : 0;
    const features = this.#describePrefill(work, load);
    this.#prefill.observe(features, Math.max(0, ms - waitMs), waitMs, features[1]);
  }

  /** A sequence took `ms` for `tokens` tokens after its first; `load` is the mean over that time. */
  observeDecode(load: DecodeLoad, tokens: number, ms: number): void {
    this.#pool?.observeDecode(load, tokens, ms);
    if (tokens >= 1) this.#decode.observe(this.#describeDecode(load), ms / tokens);
  }

  save(): SavedLatency {
    return { prefill: this.#prefill.save(), decode: this.#decode.save() };
  }

  /** @returns false when `saved` was no use, in whole or in part */
  load(saved: unknown): boolean {
    const { prefill, decode } = fieldsOf(saved);
    const isPrefillLoaded = this.#prefill.load(prefill);
    return this.#decode.load(decode) && isPrefillLoaded;
  }

  #describePrefill(work: PrefillWork, load: DecodeLoad): Float64Array {
    const tokens = amount(work.tokens);
    const decoding = amount(load.decoding);
    const chunk = this.chunkTokens(decoding);
    const iterations = Math.max(1, Math.ceil(tokens / chunk));
    // Every iteration but the last is full.
    const full = iterations - 1;
    const room = Math.min(chunk, Math.max(0, KNEE_TOKENS - decoding));
    const belowKnee = full * room + Math.min(room, tokens - full * chunk);
    const features = this.#prefillFeatures;
    features[0] = work.fromIdle ? 1 : 0;
    features[1] = iterations;
    features[2] = belowKnee;
    features[3] = tokens - belowKnee;
    features[4] = amount(work.pairs);
    features[5] = decoding * iterations;
    features[6] = amount(load.decodeContext) * iterations;
    return features;
  }

  #describeDecode(load: DecodeLoad): Float64Array {
    const features = this.#decodeFeatures;
    features[0] = 1;
    features[1] = amount(load.decoding);
    features[2] = amount(load.decodeContext);
    const belowKnee = amount(load.prefillBelowKnee ?? 0);
    features[3] = Math.max(0, amount(load.prefillTokens ?? 0) - belowKnee);
    features[4] = belowKnee;
    features[5] = amount(load.prefillPairs ?? 0);
    return features;
  }
}

function amount(value: number): number {
  return value > 0 ? Math.min(value, MOST) : 0;
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}
