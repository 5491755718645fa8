/**
 * The sequences that a replica decodes. Each of its iterations gives each of them one token, so one
 * count of iterations tells how far all of them are between two reports.
 */
import type { DecodeLoad } from './latency-model.ts';

/** Work beside the decodes in one iteration, or summed over several. */
export interface PromptWork {
  readonly tokens: number;
  /** Of them, those that make the iteration no longer than reading the weights takes. */
  readonly belowKnee: number;
  readonly pairs: number;
}

/** Sums over iterations: what a sequence went through is the difference between two moments. */
interface Totals {
  readonly iterations: number;
  readonly decoding: number;
  readonly context: number;
  readonly tokens: number;
  readonly belowKnee: number;
  readonly pairs: number;
}

interface Decode {
  readonly promptTokens: number;
  /** As last told. */
  tokensOut: number;
  /** Its tokens less the iterations at any one time. */
  offset: number;
  /** Whether a report has confirmed the offset: whose first token came with which iteration may be in doubt. */
  isConfirmed: boolean;
  readonly sinceMs: number;
  readonly before: Totals;
}

export interface DecodeSample {
  readonly load: DecodeLoad;
  readonly tokens: number;
  readonly ms: number;
}

const NOTHING: PromptWork = { tokens: 0, belowKnee: 0, pairs: 0 };

export class DecodeSet {
  readonly #decodes = new Map<string, Decode>();
  #iterations = 0;
  /** Sum of prompts and offsets: the context less what the iterations add. */
  #contextBase = 0;
  #totals: Totals = { iterations: 0, decoding: 0, context: 0, ...NOTHING };

  get size(): number {
    return this.#decodes.size;
  }

  /** Sum of the contexts, tokens. */
  get context(): number {
    const { size } = this.#decodes;
    return size === 0 ? 0 : Math.max(0, this.#contextBase + size * this.#iterations);
  }

  has(taskId: string): boolean {
    return this.#decodes.has(taskId);
  }

  /** Its first token came with the iteration that has just ended. */
  add(taskId: string, promptTokens: number, nowMs: number): void {
    this.remove(taskId);
    const offset = 1 - this.#iterations;
    this.#decodes.set(taskId, {
      promptTokens,
      tokensOut: 1,
      offset,
      isConfirmed: false,
      sinceMs: nowMs,
      before: this.#totals,
    });
    this.#contextBase += promptTokens + offset;
  }

  /** Iterations have ended. @param work of prompts in all of them */
  passed(iterations: number, work: PromptWork = NOTHING): void {
    const { size } = this.#decodes;
    const { context } = this;
    const grownBy = (size * iterations * (iterations - 1)) / 2;
    this.#totals = {
      iterations: this.#totals.iterations + iterations,
      decoding: this.#totals.decoding + size * iterations,
      context: this.#totals.context + context * iterations + grownBy,
      tokens: this.#totals.tokens + work.tokens,
      belowKnee: this.#totals.belowKnee + work.belowKnee,
      pairs: this.#totals.pairs + work.pairs,
    };
    this.#iterations += iterations;
  }

  /**
   * Iterations that must have passed beyond those counted when the task has as many tokens; undefined
   * for a report that cannot tell.
   * @param isCounted whether the count is known to be that of the moment of the report: then it is the
   *   task that was counted wrong
   */
  aheadBy(taskId: string, tokensOut: number, isCounted: boolean): number | undefined {
    const decode = this.#decodes.get(taskId);
    if (decode === undefined || tokensOut <= decode.tokensOut) return undefined;
    decode.tokensOut = tokensOut;
    const ahead = tokensOut - (decode.offset + this.#iterations);
    if (ahead === 0 || (decode.isConfirmed && !isCounted)) {
      decode.isConfirmed = true;
      return ahead;
    }
    decode.isConfirmed = true;
    decode.offset += ahead;
    this.#contextBase += ahead;
    return isCounted ? 0 : undefined;
  }

  /** @returns what its time tells of the replica's speed; undefined for too little of it */
  remove(taskId: string, nowMs?: number): DecodeSample | undefined {
    const decode = this.#decodes.get(taskId);
    if (decode === undefined) return undefined;
    this.#decodes.delete(taskId);
    this.#contextBase -= decode.promptTokens + decode.offset;
    const { before, tokensOut, sinceMs } = decode;
    const tokens = tokensOut - 1;
    const ms = (nowMs ?? sinceMs) - sinceMs;
    const iterations = this.#totals.iterations - before.iterations;
    if (tokens < 1 || ms <= 0 || iterations < 1) return undefined;
    const mean = (key: keyof Totals) => (this.#totals[key] - before[key]) / iterations;
    const load = {
      decoding: mean('decoding'),
      decodeContext: mean('context'),
      prefillTokens: mean('tokens'),
      prefillBelowKnee: mean('belowKnee'),
      prefillPairs: mean('pairs'),
    };
    return { load, tokens, ms };
  }
}
