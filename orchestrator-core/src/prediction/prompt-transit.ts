/**
 * A replica where most of the wait for a first token is not computing: a remote provider behind its
 * gateway and its own queue. Prompts that are on that way together do not hold each other up; only what
 * is computed of them does, and that grows with their tokens. So a line is fitted through the times of
 * the prompts over their tokens (least squares, recent ones first): its slope is the computing.
 */
import type { DecodeLoad, LatencyModel } from './latency-model.ts';
import { prefillWork } from './latency-model.ts';

/** Prompts until the line is believed, and after which an old one counts 1/e. */
const LEAST_SAMPLES = 8;
const MEMORY = 100;
/** Share of the time that the tokens may account for at most, and by how many standard errors that must be sure. */
const MOST_COMPUTED = 0.3;
const SURE_ERRORS = 1.6;
/** Of a prompt without tokens by the model of the replica, which knows more of what computing depends on. */
const LEAST_CONSTANT = 0.35;
/** That must be so many decode iterations, and ms: a short prompt takes one of them anyway. */
const LEAST_ITERATIONS = 4;
const LEAST_MS = 20;
/** A single one counts as no more than so many times the mean. */
const MOST_RATIO = 4;
/** Share of its time that a prompt may have waited for others and still tell how long one takes. */
const CLEAR_SHARE = 0.1;

const IDLE: DecodeLoad = { decoding: 0, decodeContext: 0 };
const ONE_TOKEN = prefillWork(1, 0);

interface Prompt {
  readonly uncached: number;
  readonly cached: number;
  readonly load: DecodeLoad;
  readonly atMs: number;
  readonly drainMs: number;
  readonly mayBeHeld: boolean;
}

export class PromptTransit {
  readonly #model: LatencyModel;
  readonly #prompts = new Map<string, Prompt>();
  #samples = 0;
  #meanTokens = 0;
  #meanMs = 0;
  #varianceTokens = 0;
  #varianceMs = 0;
  #covariance = 0;
  /** As of the last dispatch: of one token, ms; undefined while the times are mostly computing. */
  #computeMs: number | undefined;
  #clearAtMs = -Infinity;

  constructor(model: LatencyModel) {
    this.#model = model;
  }

  /** Whether the prompts that are there are taken to be mostly on their way. */
  get isActive(): boolean {
    return this.#computeMs !== undefined && this.#prompts.size > 0;
  }

  /** Time until what is computed of the prompts that are there is done, ms. */
  drainMs(nowMs: number): number {
    return Math.max(0, this.#clearAtMs - nowMs);
  }

  /**
   * @param mayBeHeld true when the engine may have no memory for it yet: its time tells nothing
   * @returns whether it counts as being on its way: then this teaches the model of it, and nothing else may
   */
  dispatched(
    taskId: string,
    prompt: { readonly uncachedTokens: number; readonly cachedTokens: number },
    load: DecodeLoad,
    mayBeHeld: boolean,
    nowMs: number,
  ): boolean {
    this.#computeMs = this.#computeMsPerToken(load);
    if (this.#prompts.size === 0) this.#clearAtMs = nowMs;
    const { uncachedTokens: uncached, cachedTokens: cached } = prompt;
    const drainMs = this.drainMs(nowMs);
    this.#prompts.set(taskId, { uncached, cached, load, atMs: nowMs, drainMs, mayBeHeld });
    if (this.#computeMs === undefined) return false;
    const ownMs = this.#model.tokenMs(load) + this.#computeMs * uncached;
    this.#clearAtMs = nowMs + drainMs + ownMs;
    return true;
  }

  firstToken(taskId: string, nowMs: number): void {
    const prompt = this.#prompts.get(taskId);
    if (prompt === undefined) return;
    const { uncached, cached, load, atMs, drainMs, mayBeHeld } = prompt;
    const ms = nowMs - atMs;
    if (!mayBeHeld) this.#learn(uncached, ms);
    const isClear = !mayBeHeld && drainMs <= CLEAR_SHARE * ms;
    if (isClear && this.isActive) {
      this.#model.observePrefill(prefillWork(uncached, cached), load, ms);
    }
    this.ended(taskId);
  }

  /** It left the replica, or gave its first token. */
  ended(taskId: string): void {
    this.#prompts.delete(taskId);
  }

  #computeMsPerToken(load: DecodeLoad): number | undefined {
    if (this.#samples < LEAST_SAMPLES || this.#varianceTokens === 0) return undefined;
    const constantMs = this.#model.prefillMs(ONE_TOKEN, IDLE);
    if (constantMs < LEAST_CONSTANT * this.#meanMs) return undefined;
    if (constantMs < LEAST_MS + LEAST_ITERATIONS * this.#model.tokenMs(load)) return undefined;
    const slope = this.#covariance / this.#varianceTokens;
    const residual = Math.max(0, this.#varianceMs - slope * this.#covariance);
    const error = Math.sqrt(residual / this.#varianceTokens / Math.min(this.#samples, 2 * MEMORY));
    const most = Math.max(0, slope) + SURE_ERRORS * error;
    return most * this.#meanTokens <= MOST_COMPUTED * this.#meanMs ? Math.max(0, slope) : undefined;
  }

  /** Exponentially weighted moments (West 1979). */
  #learn(tokens: number, ms: number): void {
    this.#samples += 1;
    const weight = Math.max(1 / this.#samples, 1 / MEMORY);
    const most = this.#samples > LEAST_SAMPLES ? MOST_RATIO * this.#meanMs : Infinity;
    const offTokens = tokens - this.#meanTokens;
    const offMs = Math.min(ms, most) - this.#meanMs;
    this.#meanTokens += weight * offTokens;
    this.#meanMs += weight * offMs;
    const keep = 1 - weight;
    this.#varianceTokens = keep * (this.#varianceTokens + weight * offTokens ** 2);
    this.#varianceMs = keep * (this.#varianceMs + weight * offMs ** 2);
    this.#covariance = keep * (this.#covariance + weight * offTokens * offMs);
  }
}
