/**
 * Turns first tokens into samples of prefill time. From one first token to the next an engine computes
 * the rest of the prompt that is first in line, and, in the iteration that ends with it, as much of
 * those behind as has room there.
 */
import type { DecodeLoad, LatencyModel } from './latency-model.ts';

/** First tokens as close as this came from one iteration: they are sent one after another. */
const TOGETHER_MS = 5;
/** Times the model's time after which a first token was probably held up by something else. */
const LATE_FACTOR = 3;
/** Times that were computed in different ways are the same when no further apart. */
export const SAME_MOMENT_MS = 0.01;

/** A prompt on its way through the engine. */
export interface Prefill {
  readonly uncached: number;
  readonly cached: number;
  readonly atMs: number;
  /** The engine may hold it back until it has memory for it. */
  readonly mayBeHeld: boolean;
  /** Tokens of it computed when the present stretch began. */
  computed: number;
  /** Tokens of it computed by the presumed end of the running iteration. */
  planned: number;
}

/** Prefill between two moments that the router can see. */
interface Stretch {
  readonly atMs: number;
  readonly fromIdle: boolean;
  readonly load: DecodeLoad;
}

/** A stretch whose end was seen; others may still turn out to have shared its last iteration. */
interface EndedStretch {
  /** False when it may have begun with a wait of unknown length. */
  readonly isSample: boolean;
  readonly fromIdle: boolean;
  readonly load: DecodeLoad;
  readonly endMs: number;
  readonly ms: number;
  tokens: number;
  pairs: number;
}

export class PrefillSampler {
  readonly #model: LatencyModel;
  /** Ends with the next first token; undefined when what happened in it is not clear. */
  #stretch: Stretch | undefined;
  #ended: EndedStretch | undefined;

  constructor(model: LatencyModel) {
    this.#model = model;
  }

  /** The engine begins to compute prompts. */
  begin(fromIdle: boolean, load: DecodeLoad, nowMs: number): void {
    this.#stretch = { atMs: nowMs, fromIdle, load };
  }

  /** What happens until the next beginning is not known well enough to learn from. */
  doubt(): void {
    this.#stretch = undefined;
  }

  /**
   * The first in line gave its first token. Notes what that says of those behind it, in order of
   * arrival.
   */
  firstToken(head: Prefill, behind: Iterable<Prefill>, load: DecodeLoad, nowMs: number): void {
    if (!this.#sharesLastIteration(head, nowMs)) this.#endStretch(head, behind, load, nowMs);
  }

  /** The first tokens of prompts that shared an iteration come together. */
  #sharesLastIteration(prefill: Prefill, nowMs: number): boolean {
    const ended = this.#ended;
    if (ended === undefined) return false;
    if (nowMs - ended.endMs <= Math.min(TOGETHER_MS, ended.ms / 10)) {
      ended.tokens += prefill.uncached - prefill.computed;
      ended.pairs += pairsOf(prefill.cached, prefill.computed, prefill.uncached);
      return true;
    }
    this.#ended = undefined;
    if (ended.isSample) this.#model.observePrefill(ended, ended.load, ended.ms);
    return false;
  }

  /**
   * Its last iteration had room for those behind that came before it began: an equal part of the
   * stretch before now, or, where the stretch may have begun with a wait, as long before as the model
   * says.
   */
  #endStretch(head: Prefill, behind: Iterable<Prefill>, now: DecodeLoad, nowMs: number): void {
    const stretch = this.#stretch;
    const load = stretch === undefined ? now : meanLoad(stretch.load, now);
    const chunk = this.#model.chunkTokens(load.decoding);
    let tokens = head.uncached - head.computed;
    let pairs = pairsOf(head.cached, head.computed, head.uncached);
    const iterations = Math.max(1, Math.ceil(tokens / chunk));
    const modelMs = this.#model.prefillMs({ tokens, pairs, fromIdle: false }, load);
    const joinMs = stretch?.fromIdle === true ? this.#model.joinMs(load) : 0;
    const ms = nowMs - (stretch?.atMs ?? -Infinity);
    const isClear = !head.mayBeHeld && ms < LATE_FACTOR * (modelMs + joinMs);
    const lastMs = (isClear ? Math.max(0, ms - joinMs) : modelMs) / iterations;
    let room = iterations * chunk - tokens;
    for (const prefill of behind) {
      if (room <= 0 || prefill.atMs > nowMs - lastMs + SAME_MOMENT_MS) break;
      const taken = Math.min(room, prefill.uncached - prefill.computed);
      pairs += pairsOf(prefill.cached, prefill.computed, prefill.computed + taken);
      prefill.computed += taken;
      tokens += taken;
      room -= taken;
    }
    const isSample = stretch !== undefined && !head.mayBeHeld;
    const fromIdle = stretch?.fromIdle ?? false;
    this.#ended = { fromIdle, load, endMs: nowMs, ms, tokens, pairs, isSample };
  }
}

/** Attention pairs of the tokens `from` to `to` of what is computed on top of `cached` ones. */
export function pairsOf(cached: number, from: number, to: number): number {
  return (to - from) * (cached + (from + to) / 2);
}

function meanLoad(before: DecodeLoad, after: DecodeLoad): DecodeLoad {
  return {
    decoding: (before.decoding + after.decoding) / 2,
    decodeContext: (before.decodeContext + after.decodeContext) / 2,
    sinceTokenMs: before.sinceTokenMs,
  };
}
