/**
 * What one replica is at, seen from outside: which prompts wait for their prefill there, how far its
 * engine should be, what it decodes. It tells when one more prompt would give its first token, and
 * turns what happens into samples for the replica's latency model.
 *
 * Engines prefill in order of arrival and fill each iteration up to its token budget, so prompts in a
 * row share iterations, and a new one joins when the running iteration ends. Every first token, and
 * beside decodes every token, marks such an end and puts the picture right.
 */
import type { DecodeLoad, LatencyModel } from './latency-model.ts';

/** First tokens as close as this came from one iteration: they are sent one after another. */
const TOGETHER_MS = 5;
/** Times the model's time after which a first token was probably held up by something else. */
const LATE_FACTOR = 3;

interface Prefill {
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

interface Decode {
  readonly promptTokens: number;
  tokensOut: number;
  readonly sinceMs: number;
  /** The replica's integrals at that time. */
  readonly decodingMs: number;
  readonly contextMs: number;
  readonly prefilledTokens: number;
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

export class ReplicaForecast {
  readonly model: LatencyModel;
  /** In order of arrival. */
  readonly #prefills = new Map<string, Prefill>();
  readonly #decodes = new Map<string, Decode>();
  #decodeContext = 0;
  #lastTokenMs: number | undefined;
  /** Ends with the next first token; undefined when what happened in it is not clear. */
  #stretch: Stretch | undefined;
  #ended: EndedStretch | undefined;
  /** Presumed end of the running iteration, and the prefill left for those after it. */
  #iterationEndMs = 0;
  #laterTokens = 0;
  #laterPairs = 0;
  /** Integrals over time of the decodes and of their context, and prompt tokens computed so far. */
  #integratedToMs = 0;
  #decodingMs = 0;
  #contextMs = 0;
  #prefilledTokens = 0;

  constructor(model: LatencyModel) {
    this.model = model;
  }

  /** Time to the first token of a prompt, were it dispatched now, ms. Only moves the picture on. */
  firstTokenMs(uncached: number, cached: number, nowMs: number): number {
    const fromIdle = this.#prefills.size === 0;
    if (!fromIdle) this.#advance(nowMs);
    const work = {
      tokens: this.#laterTokens + uncached,
      pairs: this.#laterPairs + pairsOf(cached, 0, uncached),
      fromIdle,
    };
    const runningMs = fromIdle ? 0 : Math.max(0, this.#iterationEndMs - nowMs);
    return runningMs + this.model.prefillMs(work, this.load(nowMs));
  }

  /**
   * Time until a prompt dispatched would join the very next iteration to begin, with no prompt before
   * it, ms; 0 when it would now.
   */
  openInMs(nowMs: number): number {
    if (this.#prefills.size === 0) return 0;
    this.#advance(nowMs);
    if (this.#laterTokens <= 0) return 0;
    const load = this.load(nowMs);
    const chunk = this.model.chunkTokens(load.decoding);
    const full = Math.ceil(this.#laterTokens / chunk) - 1;
    const pairs = (this.#laterPairs * full * chunk) / this.#laterTokens;
    const work = { tokens: full * chunk, pairs, fromIdle: false };
    const fullMs = full === 0 ? 0 : this.model.prefillMs(work, load);
    return Math.max(0, this.#iterationEndMs - nowMs) + fullMs;
  }

  /** Prompts that wait for the next iteration, and the tokens that it has room for beside them. */
  nextIteration(nowMs: number): { readonly prompts: number; readonly room: number } {
    this.#advance(nowMs);
    let prompts = 0;
    for (const { uncached, planned } of this.#prefills.values())
      if (planned < uncached) prompts += 1;
    const room = this.model.chunkTokens(this.#decodes.size) - this.#laterTokens;
    return { prompts, room: Math.max(0, room) };
  }

  /**
   * @param cached the part of the prompt that the replica is thought to hold already, tokens
   * @param mayBeHeld true when what is there may leave the engine no memory for it yet: how long it
   *   then takes says nothing of the replica's speed
   */
  dispatched(
    taskId: string,
    uncached: number,
    cached: number,
    nowMs: number,
    mayBeHeld = false,
  ): void {
    if (this.#prefills.size === 0) {
      const load = this.load(nowMs);
      this.#stretch = { atMs: nowMs, fromIdle: true, load };
      this.#iterationEndMs = nowMs + this.model.joinMs(load);
    } else {
      this.#advance(nowMs);
    }
    const tokens = Math.max(1, uncached);
    this.#prefills.set(taskId, {
      uncached: tokens,
      cached,
      atMs: nowMs,
      mayBeHeld,
      computed: 0,
      planned: 0,
    });
    this.#laterTokens += tokens;
    this.#laterPairs += pairsOf(cached, 0, tokens);
  }

  firstToken(taskId: string, nowMs: number): void {
    const prefill = this.#prefills.get(taskId);
    if (prefill === undefined) return;
    this.#integrate(nowMs);
    const [head] = this.#prefills.keys();
    const inOrder = head === taskId;
    if (inOrder && !this.#sharesLastIteration(prefill, nowMs)) this.#endStretch(prefill, nowMs);
    this.#removePrefill(taskId, prefill);
    this.#startDecode(taskId, prefill, nowMs);
    // Overtaken by another, how much of the head is computed by now is not known.
    this.#stretch = inOrder ? { atMs: nowMs, fromIdle: false, load: this.load(nowMs) } : undefined;
    this.#replan(nowMs);
  }

  /** Tokens of a task came; `tokensOut` is the running total. */
  progress(taskId: string, tokensOut: number, nowMs: number): void {
    const decode = this.#decodes.get(taskId);
    if (decode === undefined || tokensOut <= decode.tokensOut) return;
    this.#integrate(nowMs);
    this.#decodeContext += tokensOut - decode.tokensOut;
    decode.tokensOut = tokensOut;
    this.#lastTokenMs = nowMs;
  }

  /** The task left the replica, finished or not, with what `progress` told last. */
  ended(taskId: string, nowMs: number): void {
    const prefill = this.#prefills.get(taskId);
    if (prefill !== undefined) {
      this.#removePrefill(taskId, prefill);
      this.#stretch = undefined;
    }
    const decode = this.#decodes.get(taskId);
    if (decode === undefined) return;
    this.#integrate(nowMs);
    this.#decodes.delete(taskId);
    this.#decodeContext -= decode.promptTokens + decode.tokensOut;
    this.#observeDecode(decode, nowMs);
  }

  load(nowMs: number): DecodeLoad {
    return {
      decoding: this.#decodes.size,
      decodeContext: this.#decodeContext,
      sinceTokenMs: this.#lastTokenMs === undefined ? undefined : nowMs - this.#lastTokenMs,
    };
  }

  /** Lets the presumed iterations go by. A first token that has not come yet holds them up. */
  #advance(nowMs: number): void {
    while (this.#iterationEndMs < nowMs && this.#laterTokens > 0) {
      const [head] = this.#prefills.values();
      if (head === undefined || head.planned >= head.uncached) return;
      this.#planIteration(this.#iterationEndMs);
    }
  }

  #planIteration(startMs: number): void {
    const load = this.load(startMs);
    let room = this.model.chunkTokens(load.decoding);
    let tokens = 0;
    let pairs = 0;
    for (const prefill of this.#prefills.values()) {
      if (room <= 0) break;
      const taken = Math.min(room, prefill.uncached - prefill.planned);
      pairs += pairsOf(prefill.cached, prefill.planned, prefill.planned + taken);
      prefill.planned += taken;
      tokens += taken;
      room -= taken;
    }
    if (tokens === 0) return;
    this.#laterTokens -= tokens;
    this.#laterPairs = Math.max(0, this.#laterPairs - pairs);
    this.#iterationEndMs = startMs + this.model.prefillMs({ tokens, pairs, fromIdle: false }, load);
  }

  /** An iteration ended now, and with it just what `computed` says: plans from there. */
  #replan(nowMs: number): void {
    for (const prefill of this.#prefills.values()) {
      if (prefill.planned === 0 && prefill.computed === 0) break;
      this.#laterTokens += prefill.planned - prefill.computed;
      this.#laterPairs += pairsOf(prefill.cached, prefill.computed, prefill.planned);
      prefill.planned = prefill.computed;
    }
    this.#iterationEndMs = nowMs;
    this.#planIteration(nowMs);
  }

  /** The first tokens of prompts that shared an iteration come together. */
  #sharesLastIteration(prefill: Prefill, nowMs: number): boolean {
    const ended = this.#ended;
    if (ended === undefined) return false;
    if (nowMs - ended.endMs <= Math.min(TOGETHER_MS, ended.ms / 10)) {
      const tokens = prefill.uncached - prefill.computed;
      this.#prefilledTokens += tokens;
      ended.tokens += tokens;
      ended.pairs += pairsOf(prefill.cached, prefill.computed, prefill.uncached);
      return true;
    }
    this.#ended = undefined;
    if (ended.isSample) this.model.observePrefill(ended, ended.load, ended.ms);
    return false;
  }

  /**
   * The head of the line gave its first token. Its last iteration had room for those behind it that
   * came before it began: an equal part of the stretch before now, or, where the stretch may have begun
   * with a wait, as long before as the model says.
   */
  #endStretch(head: Prefill, nowMs: number): void {
    const stretch = this.#stretch;
    const load =
      stretch === undefined ? this.load(nowMs) : meanLoad(stretch.load, this.load(nowMs));
    const chunk = this.model.chunkTokens(load.decoding);
    let tokens = head.uncached - head.computed;
    let pairs = pairsOf(head.cached, head.computed, head.uncached);
    const iterations = Math.max(1, Math.ceil(tokens / chunk));
    const modelMs = this.model.prefillMs({ tokens, pairs, fromIdle: false }, load);
    const joinMs = stretch?.fromIdle === true ? this.model.joinMs(load) : 0;
    const ms = nowMs - (stretch?.atMs ?? -Infinity);
    const isClear = !head.mayBeHeld && ms < LATE_FACTOR * (modelMs + joinMs);
    const lastMs = (isClear ? Math.max(0, ms - joinMs) : modelMs) / iterations;
    let room = iterations * chunk - tokens;
    for (const prefill of this.#prefills.values()) {
      if (prefill === head) continue;
      if (room <= 0 || prefill.atMs > nowMs - lastMs) break;
      const taken = Math.min(room, prefill.uncached - prefill.computed);
      pairs += pairsOf(prefill.cached, prefill.computed, prefill.computed + taken);
      prefill.computed += taken;
      tokens += taken;
      room -= taken;
    }
    this.#prefilledTokens += tokens;
    const isSample = stretch !== undefined && !head.mayBeHeld;
    const fromIdle = stretch?.fromIdle ?? false;
    this.#ended = { fromIdle, load, endMs: nowMs, ms, tokens, pairs, isSample };
  }

  #removePrefill(taskId: string, prefill: Prefill): void {
    this.#prefills.delete(taskId);
    const { uncached, cached, planned } = prefill;
    this.#laterTokens -= uncached - planned;
    this.#laterPairs = Math.max(0, this.#laterPairs - pairsOf(cached, planned, uncached));
  }

  #startDecode(taskId: string, { uncached, cached }: Prefill, nowMs: number): void {
    const promptTokens = uncached + cached;
    this.#decodes.set(taskId, {
      promptTokens,
      tokensOut: 1,
      sinceMs: nowMs,
      decodingMs: this.#decodingMs,
      contextMs: this.#contextMs,
      prefilledTokens: this.#prefilledTokens,
    });
    this.#decodeContext += promptTokens + 1;
    this.#lastTokenMs = nowMs;
  }

  #observeDecode(decode: Decode, nowMs: number): void {
    const ms = nowMs - decode.sinceMs;
    const tokens = decode.tokensOut - 1;
    if (ms <= 0 || tokens < 1) return;
    const load = {
      decoding: (this.#decodingMs - decode.decodingMs) / ms,
      decodeContext: (this.#contextMs - decode.contextMs) / ms,
      prefillTokens: (this.#prefilledTokens - decode.prefilledTokens) / tokens,
    };
    this.model.observeDecode(load, tokens, ms);
  }

  #integrate(nowMs: number): void {
    const ms = Math.max(0, nowMs - this.#integratedToMs);
    this.#decodingMs += ms * this.#decodes.size;
    this.#contextMs += ms * this.#decodeContext;
    this.#integratedToMs = nowMs;
  }
}

/** Attention pairs of the tokens `from` to `to` of what is computed on top of `cached` ones. */
function pairsOf(cached: number, from: number, to: number): number {
  return (to - from) * (cached + (from + to) / 2);
}

function meanLoad(before: DecodeLoad, after: DecodeLoad): DecodeLoad {
  return {
    decoding: (before.decoding + after.decoding) / 2,
    decodeContext: (before.decodeContext + after.decodeContext) / 2,
    sinceTokenMs: before.sinceTokenMs,
  };
}
