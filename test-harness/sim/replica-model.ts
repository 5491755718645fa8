/**
 * One replica of a continuous-batching engine on a virtual clock.
 *
 * Each step ("iteration") carries one token of every decode, then chunks of running prefills in
 * the order they came, then new requests, up to a token budget. A request is taken from the
 * waiting line only when its whole prompt and output fit into the KV memory and a slot is free;
 * the line is first come, first served and never overtaken. The first token comes at the end of
 * the step that computes the last of the prompt.
 *
 * Nothing happens per token: while only decodes run, the replica jumps to the next finish in
 * closed form, and cuts the jump short at a step's end when something arrives.
 *
 * Driven in two phases so that everything of one instant is seen before the next step is made up:
 * `complete` ends the running segment and reports what it brought, `compose` starts the next one.
 */
import { KeyedHeap } from './keyed-heap.ts';
import { hitTokens, PrefixCache } from './prefix-cache.ts';
import type { Attempt, ReplicaListener, ReplicaOptions, ReplicaTruth } from './replica-types.ts';
import { StepClock, type Decodes } from './step-clock.ts';

interface Stay {
  readonly attempt: Attempt;
  phase: 'waiting' | 'prefill' | 'decode' | 'ended';
  cachedTokens: number;
  /** Tokens whose KV is present. */
  context: number;
  /** Tokens still to prefill. */
  left: number;
  /** Steps this replica had made when the stay's first token came. */
  joinedAtStep: number;
  abortWanted: boolean;
}

interface Segment {
  readonly startMs: number;
  readonly chunks: readonly Chunk[];
  steps: number;
  endMs: number;
}

interface Chunk {
  readonly stay: Stay;
  readonly tokens: number;
}

const NO_CHUNKS: readonly Chunk[] = [];

export class Replica implements ReplicaTruth {
  readonly options: ReplicaOptions;
  readonly #listener: ReplicaListener;
  readonly #clock: StepClock;
  readonly #cache: PrefixCache;
  readonly #stays = new Map<number, Stay>();
  readonly #waiting: Stay[] = [];
  #prefills: Stay[] = [];
  readonly #finishes = new KeyedHeap<Stay>();
  #decodes = 0;
  /** Sum of the decodes' contexts, tokens. */
  #decodeContext = 0;
  #kvReserved = 0;
  /** Steps made so far. Each gives every decode one token. */
  #steps = 0;
  #segment: Segment | undefined;
  #lastEndMs = 0;
  #abortsWanted = 0;
  #busyMs = 0;

  /** @param index tells replicas of one fleet apart, for the noise */
  constructor(options: ReplicaOptions, index: number, listener: ReplicaListener) {
    this.options = options;
    this.#listener = listener;
    this.#clock = new StepClock(options, index);
    this.#cache = new PrefixCache(options.cacheTokens);
  }

  get running(): number {
    return this.#prefills.length + this.#decodes;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  get kvTokens(): number {
    return this.#kvReserved;
  }

  get decodes(): number {
    return this.#decodes;
  }

  get decodeContext(): number {
    return this.#decodeContext;
  }

  get unstartedTokens(): number {
    let tokens = 0;
    for (const chunk of this.#segment?.chunks ?? NO_CHUNKS) tokens -= chunk.tokens;
    for (const stay of this.#prefills) tokens += stay.left;
    for (const { attempt } of this.#waiting) {
      const { promptTokens, producedBefore, blocks } = attempt;
      tokens += promptTokens + producedBefore - this.hitTokens(promptTokens, blocks);
    }
    return tokens;
  }

  stepEndMs(nowMs: number): number {
    const segment = this.#segment;
    if (segment === undefined) return nowMs;
    if (segment.steps === 1) return segment.endMs;
    return (
      segment.startMs + this.#clock.stretchMs(this.#segmentDecodes, this.#stepsEndedBy(nowMs) + 1)
    );
  }

  hitTokens(promptTokens: number, blocks: readonly number[]): number {
    return hitTokens(promptTokens, this.#cache.matchBlocks(blocks));
  }

  /** Time spent in steps that have ended, ms. */
  get busyMs(): number {
    return this.#busyMs;
  }

  /** When `complete` is due; Infinity while nothing runs. */
  get nextMs(): number {
    return this.#segment?.endMs ?? Infinity;
  }

  /**
   * Puts an attempt at the end of the waiting line.
   * @throws RangeError when it can never fit, or its request is already here
   */
  submit(attempt: Attempt, nowMs: number): void {
    const needed = attempt.promptTokens + attempt.outputTokens;
    if (needed > this.options.kvTokens) {
      throw new RangeError(
        `request ${attempt.requestId} needs ${needed} tokens of KV, the replica has ${this.options.kvTokens}`,
      );
    }
    if (this.#stays.has(attempt.requestId)) {
      throw new RangeError(`request ${attempt.requestId} is already on this replica`);
    }
    const stay: Stay = {
      attempt,
      phase: 'waiting',
      cachedTokens: 0,
      context: 0,
      left: 0,
      joinedAtStep: 0,
      abortWanted: false,
    };
    this.#stays.set(attempt.requestId, stay);
    this.#waiting.push(stay);
    this.#cutStretch(nowMs);
  }

  /**
   * Takes a request off the replica: at once while it waits, else at the end of the running step,
   * unless it finishes there. `aborted` tells when it happened.
   */
  abort(requestId: number, nowMs: number): void {
    const stay = this.#stays.get(requestId);
    if (stay === undefined || stay.abortWanted) return;
    if (stay.phase === 'waiting') {
      this.#waiting.splice(this.#waiting.indexOf(stay), 1);
      this.#end(stay);
      // It may have been what kept the ones behind it waiting.
      this.#cutStretch(nowMs);
      this.#listener.aborted(stay.attempt, nowMs, stay.attempt.producedBefore);
      return;
    }
    stay.abortWanted = true;
    this.#abortsWanted += 1;
    this.#cutStretch(nowMs);
  }

  /** Tokens that a request here has produced by `atMs`, over all its stays. 0 for one unknown. */
  producedBy(requestId: number, atMs: number): number {
    const stay = this.#stays.get(requestId);
    if (stay === undefined) return 0;
    const before = stay.attempt.producedBefore;
    if (stay.phase !== 'decode') return before;
    return before + 1 + this.#steps + this.#stepsEndedBy(atMs) - stay.joinedAtStep;
  }

  /** When a request here got the last token it has by `atMs`; undefined before its first. */
  lastTokenMs(requestId: number, atMs: number): number | undefined {
    if (this.#stays.get(requestId)?.phase !== 'decode') return undefined;
    const segment = this.#segment;
    if (segment === undefined) return this.#lastEndMs;
    const ended = this.#stepsEndedBy(atMs);
    return segment.startMs + (ended === 0 ? 0 : this.#clock.stretchMs(this.#segmentDecodes, ended));
  }

  /** Ends the running segment, which must be due at `nextMs`, and reports what it brought. */
  complete(): void {
    const segment = this.#segment;
    if (segment === undefined) return;
    this.#segment = undefined;
    const { endMs } = segment;
    this.#lastEndMs = endMs;
    this.#steps += segment.steps;
    this.#busyMs += endMs - segment.startMs;
    this.#decodeContext += this.#decodes * segment.steps;
    const finished = this.#takeFinished();
    const started: Stay[] = [];
    for (const { stay, tokens } of segment.chunks) {
      stay.context += tokens;
      stay.left -= tokens;
      if (stay.left > 0) continue;
      started.push(stay);
      this.#cache.touch(stay.attempt.blocks);
      if (stay.attempt.producedBefore + 1 === stay.attempt.outputTokens) finished.push(stay);
      else this.#startDecode(stay);
    }
    if (started.length > 0) this.#prefills = this.#prefills.filter((stay) => stay.left > 0);
    for (const stay of finished) this.#end(stay);
    const aborted = this.#takeAborted();
    for (const stay of started) {
      if (stay.attempt.producedBefore === 0) {
        this.#listener.firstToken(stay.attempt, endMs, stay.cachedTokens);
      }
    }
    for (const stay of finished) this.#listener.finished(stay.attempt, endMs);
    for (const { stay, produced } of aborted) {
      this.#listener.aborted(stay.attempt, endMs, produced);
    }
    this.#listener.stepEnded?.(endMs);
  }

  /** Starts the next segment when none runs and there is something to do. */
  compose(nowMs: number): void {
    if (this.#segment !== undefined) return;
    if (this.#waiting.length === 0 && this.#prefills.length === 0) {
      if (this.#decodes > 0) this.#startStretch(nowMs);
      return;
    }
    const chunks: Chunk[] = [];
    let budget = this.options.tokenBudget - this.#decodes;
    let pairs = 0;
    const take = (stay: Stay) => {
      const tokens = Math.min(budget, stay.left);
      chunks.push({ stay, tokens });
      budget -= tokens;
      pairs += tokens * (stay.context + tokens / 2);
    };
    for (const stay of this.#prefills) {
      if (budget <= 0) break;
      take(stay);
    }
    while (budget > 0) {
      const next = this.#waiting[0];
      if (next === undefined || !this.#fits(next.attempt)) break;
      this.#waiting.shift();
      this.#admit(next);
      take(next);
    }
    if (chunks.length > 0) this.#startMixed(nowMs, chunks, pairs);
    else if (this.#decodes > 0) this.#startStretch(nowMs);
  }

  #fits(attempt: Attempt): boolean {
    return (
      this.running < this.options.slots &&
      this.#kvReserved + attempt.promptTokens + attempt.outputTokens <= this.options.kvTokens
    );
  }

  #admit(stay: Stay): void {
    const { attempt } = stay;
    const toCompute = attempt.promptTokens + attempt.producedBefore;
    const matched = this.#cache.matchBlocks(attempt.blocks);
    this.#cache.touch(attempt.blocks, matched);
    stay.cachedTokens = hitTokens(attempt.promptTokens, matched);
    stay.phase = 'prefill';
    stay.context = stay.cachedTokens;
    stay.left = toCompute - stay.cachedTokens;
    this.#kvReserved += attempt.promptTokens + attempt.outputTokens;
    this.#prefills.push(stay);
  }

  #startDecode(stay: Stay): void {
    stay.phase = 'decode';
    stay.joinedAtStep = this.#steps;
    this.#decodes += 1;
    this.#decodeContext += stay.context + 1;
    const { outputTokens, producedBefore } = stay.attempt;
    this.#finishes.push(this.#steps + outputTokens - producedBefore - 1, stay);
  }

  #takeFinished(): Stay[] {
    const finished: Stay[] = [];
    while (this.#finishes.leastKey <= this.#steps) {
      const stay = this.#finishes.pop();
      if (stay?.phase !== 'decode') continue;
      this.#leaveDecode(stay);
      finished.push(stay);
    }
    return finished;
  }

  #takeAborted(): { stay: Stay; produced: number }[] {
    if (this.#abortsWanted === 0) return [];
    const aborted: { stay: Stay; produced: number }[] = [];
    for (const stay of this.#stays.values()) {
      if (!stay.abortWanted) continue;
      const { producedBefore } = stay.attempt;
      let produced = producedBefore;
      if (stay.phase === 'decode') {
        produced += 1 + this.#steps - stay.joinedAtStep;
        this.#leaveDecode(stay);
      } else {
        this.#prefills = this.#prefills.filter((other) => other !== stay);
      }
      aborted.push({ stay, produced });
    }
    for (const { stay } of aborted) this.#end(stay);
    this.#abortsWanted = 0;
    return aborted;
  }

  #leaveDecode(stay: Stay): void {
    this.#decodes -= 1;
    this.#decodeContext -= stay.context + 1 + this.#steps - stay.joinedAtStep;
  }

  #end(stay: Stay): void {
    const { attempt } = stay;
    if (stay.phase !== 'waiting') this.#kvReserved -= attempt.promptTokens + attempt.outputTokens;
    stay.phase = 'ended';
    this.#stays.delete(attempt.requestId);
  }

  #startMixed(nowMs: number, chunks: readonly Chunk[], pairs: number): void {
    let tokens = this.#decodes;
    for (const chunk of chunks) tokens += chunk.tokens;
    const endMs = nowMs + this.#clock.mixedMs(this.#segmentDecodes, tokens, pairs);
    this.#segment = { startMs: nowMs, chunks, steps: 1, endMs };
  }

  /** Decodes alone, up to and including the step in which the next one finishes. */
  #startStretch(nowMs: number): void {
    while (this.#finishes.least?.phase !== 'decode') this.#finishes.pop();
    const steps = this.options.reportSteps ? 1 : this.#finishes.leastKey - this.#steps;
    const endMs = nowMs + this.#clock.stretchMs(this.#segmentDecodes, steps);
    this.#segment = { startMs: nowMs, chunks: NO_CHUNKS, steps, endMs };
  }

  /** Shortens a decode-only segment to the end of the step that runs at `nowMs`. */
  #cutStretch(nowMs: number): void {
    const segment = this.#segment;
    if (segment === undefined || segment.steps === 1) return;
    const ended = this.#stepsEndedBy(nowMs);
    const endedAtMs = segment.startMs + this.#clock.stretchMs(this.#segmentDecodes, ended);
    const steps = ended > 0 && endedAtMs === nowMs ? ended : ended + 1;
    if (steps >= segment.steps) return;
    segment.steps = steps;
    segment.endMs = segment.startMs + this.#clock.stretchMs(this.#segmentDecodes, steps);
  }

  /** Steps of the running segment that have ended by `atMs`. */
  #stepsEndedBy(atMs: number): number {
    const segment = this.#segment;
    if (segment === undefined) return 0;
    if (atMs >= segment.endMs) return segment.steps;
    if (segment.steps === 1) return 0;
    return this.#clock.stepsWithin(this.#segmentDecodes, atMs - segment.startMs);
  }

  /** The decodes as they were when the running segment began. */
  get #segmentDecodes(): Decodes {
    return { count: this.#decodes, context: this.#decodeContext, step: this.#steps };
  }
}
