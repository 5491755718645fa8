/**
 * What one replica is doing, as far as a router can know: prompts it has not answered with a first token
 * yet, and KV that its sequences may come to hold. Counted from dispatches and tokens, never from the
 * engine's own metrics, which are late.
 */
import { Readers } from './batch-room.ts';
import type { LatencyModel } from './prediction/latency-model.ts';
import { prefillWork } from './prediction/latency-model.ts';
import { PendingPrefixes } from './pending-prefixes.ts';
import { PromptTransit } from './prediction/prompt-transit.ts';
import { ReplicaForecast } from './prediction/replica-forecast.ts';

/** Above this share of the KV an engine may hold a prompt back, whatever we believe to be free. */
const KV_TIGHT = 0.9;
/** Part of a step's fixed cost that joining it may cost those who are in it. */
const JOIN_SHARE = 0.5;

/** Length of prompts at which the speeds of replicas are compared. */
export const NOMINAL_TOKENS = 1_000;

/** A prompt is bound this long before the step that it is to join: covers the way to the engine, and the error. */
const BIND_AHEAD_MS = 10;

const IDLE = { decoding: 0, decodeContext: 0 } as const;

/** The replica at one moment, as far as it is the same for every task. */
export interface Outlook {
  /** Time until the prompts that are there are done, ms. */
  readonly drainMs: number;
  /**
   * Time until a prompt had better be dispatched, ms: when it would be alone in the engine's next step,
   * and no sooner before that step than is safe, as somebody more urgent may come.
   */
  readonly bindInMs: number;
  /** Prompts that wait for the next step, and the tokens that it has room for beside them. */
  readonly prompts: number;
  readonly room: number;
}

const FREE: Outlook = { drainMs: 0, bindInMs: 0, prompts: 0, room: Infinity };

interface Sequence {
  readonly promptTokens: number;
  /** KV held aside for it: prompt and expected output, tokens. */
  reservedTokens: number;
  isPrefilling: boolean;
  readonly startedAtMs: number;
  /** Prefill expected of one that came to an idle replica, ms. */
  readonly expectedMs: number | undefined;
  outputTokens: number;
}

/** The longer an answer is beyond what was expected, the longer it will go on. */
function remainingTokens(expected: number, produced: number): number {
  return Math.max(expected - produced, produced / 2, 1);
}

/** The sequences in the order in which they are expected to end: tokens owed, and KV freed up to each. */
interface Ends {
  readonly owedTokens: readonly number[];
  readonly freedTokens: readonly number[];
}

function endsOf(sequences: Iterable<Sequence>): Ends {
  const ends = Array.from(sequences, ({ promptTokens, reservedTokens, outputTokens }) => ({
    reservedTokens,
    owed: remainingTokens(reservedTokens - promptTokens, outputTokens),
  })).sort((a, b) => a.owed - b.owed);
  let freed = 0;
  return {
    owedTokens: ends.map(({ owed }) => owed),
    freedTokens: ends.map(({ reservedTokens }) => (freed += reservedTokens)),
  };
}

export class ReplicaLoad {
  readonly #forecast: ReplicaForecast;
  readonly #transit: PromptTransit;
  /** Of the prompts without a first token. */
  readonly pending = new PendingPrefixes();
  /** Of the interactive answers. */
  readonly readers = new Readers();
  readonly #sequences = new Map<string, Sequence>();
  #prefilling = 0;
  #lastRatio = 1;
  #reservedTokens = 0;
  /** Until something changes. */
  #outlook: Outlook | undefined;
  #outlookAtMs = 0;
  #endsInMs: number | undefined;
  #endsAsOfMs = 0;
  #ends: Ends | undefined;
  #nominalMs: number | undefined;

  constructor(model: LatencyModel) {
    this.#forecast = new ReplicaForecast(model);
    this.#transit = new PromptTransit(model);
  }

  get model(): LatencyModel {
    return this.#forecast.model;
  }

  /** Actual over expected time of the last prompt that came to the replica when it was idle. */
  get lastRatio(): number {
    return this.#lastRatio;
  }

  get isIdle(): boolean {
    return this.#sequences.size === 0;
  }

  /** Prompts without a first token. */
  get prefilling(): number {
    return this.#prefilling;
  }

  get reservedTokens(): number {
    return this.#reservedTokens;
  }

  /** Worked out once for all who ask at one moment. */
  outlook(nowMs: number): Outlook {
    if (this.#prefilling === 0) return FREE;
    if (this.#outlook !== undefined && this.#outlookAtMs === nowMs) return this.#outlook;
    this.#outlook = this.#transit.isActive ? this.#onTheWay(nowMs) : this.#atTheEngine(nowMs);
    this.#outlookAtMs = nowMs;
    return this.#outlook;
  }

  #atTheEngine(nowMs: number): Outlook {
    const drainMs = this.#forecast.firstTokenMs(1, 0, nowMs);
    const openInMs = this.#forecast.openInMs(nowMs);
    const bindInMs = Math.max(0, openInMs, this.#forecast.runningMs(nowMs) - BIND_AHEAD_MS);
    return { drainMs, bindInMs, ...this.#forecast.nextIteration(nowMs) };
  }

  /** Where most of the wait is the way to the engine, only the computing of a prompt holds up the next. */
  #onTheWay(nowMs: number): Outlook {
    const drainMs = this.#transit.drainMs(nowMs);
    return { drainMs, bindInMs: Math.max(0, drainMs - BIND_AHEAD_MS), prompts: 0, room: 0 };
  }

  /**
   * Whether a prompt may share the step that others wait for: it fits, and delays them by less than
   * those who wait behind it would win by not needing a step of their own.
   */
  mayJoin(uncachedTokens: number, waiting: number, nowMs: number): boolean {
    const { prompts, room } = this.outlook(nowMs);
    if (uncachedTokens > room) return false;
    const fixedMs = this.prefillMs(1, 0, nowMs);
    const delayMs = this.prefillMs(uncachedTokens, 0, nowMs) - fixedMs;
    return delayMs * Math.max(1, prompts) < JOIN_SHARE * fixedMs * waiting;
  }

  /** Time to the first token of a prompt dispatched now, ms. */
  firstTokenMs(uncachedTokens: number, cachedTokens: number, nowMs: number): number {
    if (this.#transit.isActive) {
      return this.#transit.drainMs(nowMs) + this.prefillMs(uncachedTokens, cachedTokens, nowMs);
    }
    return this.#forecast.firstTokenMs(uncachedTokens, cachedTokens, nowMs);
  }

  /** Time that the prompt itself takes, were nothing before it, ms. */
  prefillMs(uncachedTokens: number, cachedTokens: number, nowMs: number): number {
    const work = prefillWork(uncachedTokens, cachedTokens);
    return this.model.prefillMs(work, this.#forecast.load(nowMs));
  }

  /**
   * Expected time until any sequence ends, ms: by the tokens it still owes, or by how long tasks hold a
   * slot, whichever is sooner. O(n) in the sequences, once for all who ask at one moment.
   */
  msUntilAnyEnds(holdMs: number, nowMs: number): number {
    if (this.#endsInMs !== undefined && this.#endsAsOfMs === nowMs) return this.#endsInMs;
    const tokenMs = this.model.tokenMs(this.#forecast.load(nowMs));
    let inMs = Infinity;
    for (const sequence of this.#sequences.values()) {
      const { promptTokens, reservedTokens, outputTokens, startedAtMs } = sequence;
      inMs = Math.min(inMs, tokenMs * remainingTokens(reservedTokens - promptTokens, outputTokens));
      const heldMs = nowMs - startedAtMs;
      // One that is overdue is expected to go on for half as long again.
      inMs = Math.min(inMs, Math.max(holdMs - heldMs, heldMs / 2));
    }
    this.#endsInMs = inMs;
    this.#endsAsOfMs = nowMs;
    return inMs;
  }

  /**
   * Expected time until sequences that hold this much KV have ended, ms; Infinity when they all hold
   * less. O(log n) in the sequences, and O(n log n) for the first who asks after a change.
   */
  msUntilFreed(tokens: number, nowMs: number): number {
    this.#ends ??= endsOf(this.#sequences.values());
    const { freedTokens, owedTokens } = this.#ends;
    let low = 0;
    let high = freedTokens.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((freedTokens[middle] ?? Infinity) < tokens) low = middle + 1;
      else high = middle;
    }
    const owed = owedTokens[low];
    if (owed === undefined) return Infinity;
    return owed * this.model.tokenMs(this.#forecast.load(nowMs));
  }

  /** Prefill on an idle replica: compares what caches save, whatever goes on beside. */
  idlePrefillMs(uncachedTokens: number, cachedTokens: number): number {
    return this.model.prefillMs(prefillWork(uncachedTokens, cachedTokens), IDLE);
  }

  /** The same for a prompt of a thousand tokens; worked out once for all who ask until something changes. */
  nominalPrefillMs(): number {
    this.#nominalMs ??= this.idlePrefillMs(NOMINAL_TOKENS, 0);
    return this.#nominalMs;
  }

  begin(
    taskId: string,
    prompt: { readonly uncachedTokens: number; readonly cachedTokens: number },
    outputTokens: number,
    kvTokens: number | undefined,
    nowMs: number,
  ): void {
    const { uncachedTokens, cachedTokens } = prompt;
    this.#forget();
    const promptTokens = uncachedTokens + cachedTokens;
    const reservedTokens = promptTokens + outputTokens;
    const mayBeHeld = this.#reservedTokens + reservedTokens > (kvTokens ?? Infinity) * KV_TIGHT;
    const load = this.#forecast.load(nowMs);
    const isOnTheWay = this.#transit.dispatched(taskId, prompt, load, mayBeHeld, nowMs);
    const teachesNothing = mayBeHeld || isOnTheWay;
    this.#forecast.dispatched(taskId, uncachedTokens, cachedTokens, nowMs, teachesNothing);
    const expectedMs = this.isIdle ? this.idlePrefillMs(uncachedTokens, cachedTokens) : undefined;
    this.#sequences.set(taskId, {
      promptTokens,
      reservedTokens,
      isPrefilling: true,
      startedAtMs: nowMs,
      expectedMs,
      outputTokens: 0,
    });
    this.#prefilling += 1;
    this.#reservedTokens += reservedTokens;
  }

  /**
   * @param outputTokens of this attempt so far, at least 1
   * @param tokenMs when the last of them came
   */
  progress(taskId: string, outputTokens: number, nowMs: number, tokenMs = nowMs): void {
    const sequence = this.#sequences.get(taskId);
    if (sequence === undefined) return;
    this.#forget();
    if (sequence.isPrefilling) {
      sequence.isPrefilling = false;
      const { startedAtMs, expectedMs } = sequence;
      if (expectedMs !== undefined) this.#lastRatio = (nowMs - startedAtMs) / expectedMs;
      this.#prefilling -= 1;
      this.pending.remove(taskId);
      this.#transit.firstToken(taskId, nowMs);
      this.#forecast.firstToken(taskId, nowMs);
    }
    this.#forecast.progress(taskId, outputTokens, nowMs, tokenMs);
    this.readers.progress(taskId, outputTokens, tokenMs);
    sequence.outputTokens = outputTokens;
    const beyond = sequence.promptTokens + outputTokens - sequence.reservedTokens;
    if (beyond <= 0) return;
    sequence.reservedTokens += beyond;
    this.#reservedTokens += beyond;
  }

  end(taskId: string, nowMs: number): void {
    const sequence = this.#sequences.get(taskId);
    if (sequence === undefined) return;
    this.#forget();
    this.#sequences.delete(taskId);
    this.pending.remove(taskId);
    this.readers.end(taskId);
    this.#transit.ended(taskId);
    this.#forecast.ended(taskId, nowMs);
    if (sequence.isPrefilling) this.#prefilling -= 1;
    this.#reservedTokens -= sequence.reservedTokens;
  }

  #forget(): void {
    this.#outlook = undefined;
    this.#endsInMs = undefined;
    this.#ends = undefined;
    this.#nominalMs = undefined;
  }
}
