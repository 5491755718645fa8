/**
 * What one replica is at, seen from outside: which prompts wait for their prefill there, how far its
 * engine should be, what it decodes. It tells when one more prompt would give its first token, and
 * turns what happens into samples for the replica's latency model.
 *
 * Engines prefill in order of arrival and fill each iteration up to its token budget, so prompts in a
 * row share iterations, and a new one joins when the running iteration ends. Iterations follow each
 * other without a gap, so their ends can be counted on from any that was seen; every first token and
 * every token of a decode is one, and puts the picture right.
 */
import { DecodeSet } from './decode-set.ts';
import type { DecodeLoad, LatencyModel } from './latency-model.ts';
import { pairsOf, PrefillSampler, SAME_MOMENT_MS, type Prefill } from './prefill-sampler.ts';

/** An iteration that is late by no more than this may end at any moment. */
const USUAL_LATENESS_MS = 20;

/** What the engine does until its next iteration begins. */
interface Iteration {
  readonly startMs: number;
  readonly endMs: number;
  readonly tokens: number;
  readonly pairs: number;
}

export class ReplicaForecast {
  readonly model: LatencyModel;
  readonly #samples: PrefillSampler;
  /** In order of arrival. */
  readonly #prefills = new Map<string, Prefill>();
  readonly #decodes = new DecodeSet();
  /** End of the last iteration, as seen or presumed; undefined before there was one. */
  #boundaryMs: number | undefined;
  /** The one that runs while there are prompts; without them the boundary and the decodes tell. */
  #running: Iteration | undefined;
  /** The one before it, while nothing but presumption says that it has ended. */
  #before: Iteration | undefined;
  /** When a boundary was last seen. */
  #seenMs = -Infinity;
  /** The prefill left for later iterations. */
  #laterTokens = 0;
  #laterPairs = 0;

  constructor(model: LatencyModel) {
    this.model = model;
    this.#samples = new PrefillSampler(model);
  }

  /** Time to the first token of a prompt, were it dispatched now, ms. Only moves the picture on. */
  firstTokenMs(uncached: number, cached: number, nowMs: number): number {
    this.#advance(nowMs);
    const fromIdle = this.#prefills.size === 0;
    const work = {
      tokens: this.#laterTokens + uncached,
      pairs: this.#laterPairs + pairsOf(cached, 0, uncached),
      fromIdle,
    };
    const runningMs = fromIdle ? 0 : this.#runningMs(nowMs);
    return runningMs + this.model.prefillMs(work, this.load(nowMs));
  }

  /**
   * Time until a prompt dispatched would join the very next iteration to begin, with no prompt before
   * it, ms; 0 when it would now.
   */
  openInMs(nowMs: number): number {
    this.#advance(nowMs);
    if (this.#laterTokens <= 0) return 0;
    const load = this.load(nowMs);
    const chunk = this.model.chunkTokens(load.decoding);
    const full = Math.ceil(this.#laterTokens / chunk) - 1;
    const pairs = (this.#laterPairs * full * chunk) / this.#laterTokens;
    const work = { tokens: full * chunk, pairs, fromIdle: false };
    const fullMs = full === 0 ? 0 : this.model.prefillMs(work, load);
    // Not before the last of them is in a running iteration.
    return Math.max(SAME_MOMENT_MS, this.#runningMs(nowMs) + fullMs);
  }

  /** Time until the running iteration ends, as far as prompts are in it, ms. */
  runningMs(nowMs: number): number {
    this.#advance(nowMs);
    return this.#runningMs(nowMs);
  }

  /** Prompts that wait for the next iteration, and the tokens that it has room for beside them. */
  nextIteration(nowMs: number): { readonly prompts: number; readonly room: number } {
    this.#advance(nowMs);
    let prompts = 0;
    for (const { uncached, planned } of this.#prefills.values()) {
      if (planned < uncached) prompts += 1;
    }
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
    this.#advance(nowMs);
    if (this.#prefills.size === 0) {
      const load = this.load(nowMs);
      this.#samples.begin(true, load, nowMs);
      const joinMs = this.model.joinMs(load);
      this.#running =
        joinMs === 0
          ? undefined
          : { startMs: this.#boundaryMs ?? nowMs, endMs: nowMs + joinMs, tokens: 0, pairs: 0 };
      if (joinMs === 0) this.#boundaryMs = nowMs;
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
    this.#advance(nowMs);
    this.#endIteration(nowMs);
    this.#seenMs = nowMs;
    this.#before = undefined;
    const [head] = this.#prefills.keys();
    const inOrder = head === taskId;
    this.#removePrefill(taskId, prefill);
    if (inOrder) {
      this.#samples.firstToken(prefill, this.#prefills.values(), this.load(nowMs), nowMs);
    }
    this.#decodes.add(taskId, prefill.uncached + prefill.cached, nowMs);
    // Overtaken by another, how much of the head is computed by now is not known.
    if (inOrder) this.#samples.begin(false, this.load(nowMs), nowMs);
    else this.#samples.doubt();
    this.#replan();
  }

  /**
   * Tokens of a task came.
   * @param tokensOut the running total
   * @param tokenMs when the last of them came
   */
  progress(taskId: string, tokensOut: number, nowMs: number, tokenMs = nowMs): void {
    if (!this.#decodes.has(taskId)) return;
    this.#advance(tokenMs);
    const isSeen = Math.abs(tokenMs - this.#seenMs) <= SAME_MOMENT_MS;
    const ahead = this.#decodes.aheadBy(taskId, tokensOut, isSeen);
    if (!isSeen) this.#sawBoundary(tokenMs, ahead);
    this.#advance(nowMs);
  }

  /** The task left the replica, finished or not, with what `progress` told last. */
  ended(taskId: string, nowMs: number): void {
    const prefill = this.#prefills.get(taskId);
    if (prefill !== undefined) {
      this.#removePrefill(taskId, prefill);
      this.#samples.doubt();
    }
    if (!this.#decodes.has(taskId)) return;
    this.#advance(nowMs);
    const sample = this.#decodes.remove(taskId, nowMs);
    if (sample !== undefined) this.model.observeDecode(sample.load, sample.tokens, sample.ms);
  }

  load(nowMs: number): DecodeLoad {
    const { size: decoding, context: decodeContext } = this.#decodes;
    const sinceTokenMs = this.#boundaryMs === undefined ? undefined : nowMs - this.#boundaryMs;
    return { decoding, decodeContext, sinceTokenMs };
  }

  /** One that should have ended is expected to take as long again as it is late, but for the usual error. */
  #runningMs(nowMs: number): number {
    if (this.#running === undefined) return 0;
    const leftMs = this.#running.endMs - nowMs;
    return Math.max(leftMs, -leftMs - USUAL_LATENESS_MS, 0);
  }

  /**
   * Lets the presumed iterations go by. What comes at the moment that one ends is part of the next, so
   * that one is made up only afterwards.
   */
  #advance(nowMs: number): void {
    if (this.#prefills.size === 0) return this.#advanceDecodes(nowMs);
    while (!this.#isHeldUp) {
      if (this.#running === undefined) {
        if (this.#boundaryMs === undefined || this.#boundaryMs >= nowMs) return;
        this.#planIteration(this.#boundaryMs);
      } else {
        if (this.#running.endMs >= nowMs) return;
        this.#endIteration(this.#running.endMs);
      }
    }
  }

  /** A first token that should have come with the iteration that runs, or ended, keeps the next waiting. */
  get #isHeldUp(): boolean {
    const [head] = this.#prefills.values();
    const isDue = this.#running === undefined || this.#running.tokens > 0;
    return isDue && head !== undefined && head.planned >= head.uncached;
  }

  #advanceDecodes(nowMs: number): void {
    if (this.#decodes.size === 0 || this.#boundaryMs === undefined) return;
    const passedMs = nowMs - this.#boundaryMs;
    const iterationMs = this.model.tokenMs(this.load(nowMs));
    const iterations = Math.floor(passedMs / iterationMs);
    if (iterations <= 0) return;
    this.#decodes.passed(iterations);
    this.#boundaryMs += iterations * iterationMs;
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
    this.#laterTokens -= tokens;
    this.#laterPairs = Math.max(0, this.#laterPairs - pairs);
    const ms = this.model.prefillMs({ tokens, pairs, fromIdle: false }, load);
    this.#running = { startMs, endMs: startMs + ms, tokens, pairs };
  }

  #endIteration(atMs: number): void {
    this.#boundaryMs = atMs;
    if (this.#running === undefined) return;
    const { tokens, pairs } = this.#running;
    const belowKnee = this.model.belowKnee(tokens, this.#decodes.size);
    this.#decodes.passed(1, { tokens, belowKnee, pairs });
    this.#before = this.#running;
    this.#running = undefined;
  }

  /** @param ahead iterations by which it is later than was counted; undefined when nothing tells */
  #sawBoundary(atMs: number, ahead: number | undefined): void {
    if (atMs < this.#seenMs - SAME_MOMENT_MS) return;
    this.#seenMs = atMs;
    if (ahead !== undefined && ahead < 0) this.#takeBackIteration();
    const running = this.#running;
    if (running === undefined || this.#prefills.size === 0) {
      if (ahead !== undefined) this.#decodes.passed(ahead);
      this.#boundaryMs = atMs;
      return;
    }
    const wholeMs = running.endMs - running.startMs;
    const hasEnded = ahead === undefined ? atMs - running.startMs > wholeMs / 2 : ahead > 0;
    if (hasEnded) {
      if (this.#wasHeldBack(running, atMs)) this.#takeBack(running);
      this.#endIteration(atMs);
      this.#before = undefined;
      this.#decodes.passed((ahead ?? 1) - 1);
    } else {
      // It is where the running one began.
      this.#before = undefined;
      this.#decodes.passed(ahead ?? 0);
      this.#running = { ...running, startMs: atMs, endMs: atMs + wholeMs };
      this.#boundaryMs = atMs;
    }
  }

  /** The last iteration presumed to have ended still runs: what was planned after it is yet to come. */
  #takeBackIteration(): void {
    const before = this.#before;
    if (before === undefined || this.#prefills.size === 0) return;
    if (this.#running !== undefined) this.#takeBack(this.#running);
    this.#running = before;
    this.#before = undefined;
  }

  /**
   * Whether an iteration ended so soon that it can have had no prompts in it: the engine has no memory
   * for the one that is first in line, and so for none behind it.
   */
  #wasHeldBack({ startMs, endMs, tokens }: Iteration, atMs: number): boolean {
    const [head] = this.#prefills.values();
    if (tokens === 0 || head?.mayBeHeld !== true || head.planned > tokens) return false;
    const decodeMs = this.model.tokenMs(this.load(startMs));
    const wholeMs = endMs - startMs;
    return wholeMs > 1.5 * decodeMs && atMs - startMs < (wholeMs + decodeMs) / 2;
  }

  /** What was planned of an iteration is not computed in it. */
  #takeBack({ tokens }: Iteration): void {
    let left = tokens;
    for (const prefill of [...this.#prefills.values()].reverse()) {
      const taken = Math.min(left, prefill.planned);
      prefill.planned -= taken;
      left -= taken;
      this.#laterTokens += taken;
      this.#laterPairs += pairsOf(prefill.cached, prefill.planned, prefill.planned + taken);
    }
    if (this.#running !== undefined) this.#running = { ...this.#running, tokens: 0, pairs: 0 };
  }

  /** An iteration has just ended, and with it what `computed` says. The next takes what comes now too. */
  #replan(): void {
    for (const prefill of this.#prefills.values()) {
      if (prefill.planned === 0 && prefill.computed === 0) break;
      this.#laterTokens += prefill.planned - prefill.computed;
      this.#laterPairs += pairsOf(prefill.cached, prefill.computed, prefill.planned);
      prefill.planned = prefill.computed;
    }
  }

  #removePrefill(taskId: string, prefill: Prefill): void {
    this.#prefills.delete(taskId);
    const { uncached, cached, planned } = prefill;
    this.#laterTokens -= uncached - planned;
    this.#laterPairs = Math.max(0, this.#laterPairs - pairsOf(cached, planned, uncached));
    if (this.#prefills.size > 0) return;
    this.#running = undefined;
    this.#before = undefined;
  }
}
