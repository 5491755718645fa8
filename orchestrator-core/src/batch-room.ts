/**
 * How much batch work a pool has room for beside interactive work. Of a batch prompt an interactive answer
 * sees that its tokens stop while the prompt is computed. A reader does not mind as long as the text
 * is there before it is read, so every answer has slack: what it is ahead of a reader's pace. A batch
 * prompt is dispatched to a replica when the answers there can spare the time that it takes. Nothing
 * here is tied to an engine: those that compute prompts in small steps have little to spare for each,
 * and find room most of the time.
 */
import type { ReplicaLoad } from './replica-load.ts';
import type { PoolState, TaskRecord } from './state.ts';
import { DEFAULT_CLASS_WEIGHTS } from './tenants.ts';
import type { Tuning } from './tuning.ts';

/** An engine whose tokens take longer than the pace anyway may be slowed by half. */
const SLOWEST = 1.5;
const LONE_DECODE = { decoding: 1, decodeContext: 0 } as const;

interface Answer {
  tokens: number;
  firstTokenMs: number;
  lastTokenMs: number;
}

/** The interactive answers of one replica, as its readers see them. */
export class Readers {
  readonly #answers = new Map<string, Answer>();
  /** Until something changes. */
  #leastMs: number | undefined;
  #leastAtPaceMs = NaN;

  begin(taskId: string): void {
    this.#answers.set(taskId, { tokens: 0, firstTokenMs: NaN, lastTokenMs: NaN });
  }

  /** @param tokens of this attempt so far; of tasks that nobody reads nothing is kept */
  progress(taskId: string, tokens: number, tokenMs: number): void {
    const answer = this.#answers.get(taskId);
    if (answer === undefined) return;
    this.#leastMs = undefined;
    if (answer.tokens === 0) answer.firstTokenMs = tokenMs;
    answer.tokens = tokens;
    answer.lastTokenMs = tokenMs;
  }

  end(taskId: string): void {
    if (this.#answers.delete(taskId)) this.#leastMs = undefined;
  }

  /**
   * How far the answer that is least so is ahead of its reader, ms; below 0 when it is behind, Infinity
   * when there is none. O(answers), once for all who ask until something changes.
   */
  slackMs(paceMs: number): number {
    if (this.#leastMs !== undefined && this.#leastAtPaceMs === paceMs) return this.#leastMs;
    let leastMs = Infinity;
    for (const { tokens, firstTokenMs, lastTokenMs } of this.#answers.values()) {
      if (tokens === 0) continue;
      leastMs = Math.min(leastMs, paceMs * (tokens - 1) - (lastTokenMs - firstTokenMs));
    }
    this.#leastMs = leastMs;
    this.#leastAtPaceMs = paceMs;
    return leastMs;
  }
}

export class BatchRoom {
  /** The fair order has batch work before the interactive work that waits. */
  isNext = false;
  readonly #tuning: Tuning;
  #readersAtMs = -Infinity;
  /** When batch work has had no more than its share of the engines' time. */
  #dueAtMs = -Infinity;

  constructor(tuning: Tuning) {
    this.#tuning = tuning;
  }

  /**
   * What a replica can spare for a batch prompt, ms: Infinity when nothing interactive is there, below 0
   * when it can take none. One that computes a prompt takes none: the next interactive one may be for it.
   */
  slackMs(load: ReplicaLoad, nowMs: number): number {
    return load.outlook(nowMs).bindInMs > 0 ? -Infinity : load.readers.slackMs(this.#paceMs(load));
  }

  /** By how much a prompt would bring every answer of the replica nearer to its reader, ms. */
  costMs({ estimate }: TaskRecord, load: ReplicaLoad): number {
    const { promptTokens, uncachedTokens } = estimate;
    const prefillMs = load.idlePrefillMs(uncachedTokens, promptTokens - uncachedTokens);
    // Every step brings each of them a token.
    const steps = Math.ceil(uncachedTokens / load.model.chunkTokens(0));
    return Math.max(0, prefillMs - steps * this.#paceMs(load));
  }

  /** Interactive work has been dispatched. */
  interactiveDispatched(nowMs: number): void {
    this.#readersAtMs = nowMs;
  }

  /** Whether interactive work came lately: then more will, and batch work that it finds takes long to end. */
  hasReaders(nowMs: number): boolean {
    return nowMs < this.#readersAtMs + this.#tuning.startWithinMs.batch;
  }

  /** Whether the share of batch work lets it go wherever there is a slot, once its age asks for it. */
  isDue(nowMs: number): boolean {
    return this.#dueAtMs <= nowMs;
  }

  /**
   * Batch work of so much prefill has been dispatched. What it had beyond its share counts against it, for
   * `batchLeadMs` at the most.
   * @param share of the engines' time, above 0
   */
  dispatched(prefillMs: number, replicas: number, share: number, nowMs: number): void {
    const dueAtMs = Math.max(this.#dueAtMs, nowMs) + prefillMs / (Math.max(1, replicas) * share);
    this.#dueAtMs = Math.min(dueAtMs, nowMs + this.#tuning.batchLeadMs);
  }

  #paceMs({ model }: ReplicaLoad): number {
    return Math.max(this.#tuning.readerPaceMs, SLOWEST * model.tokenMs(LONE_DECODE));
  }
}

/** Whether batch work is all that waits, and no replica has room for any of it. */
export function isBatchKeptBack(pool: PoolState, nowMs: number): boolean {
  if (pool.queue.sizeOf('interactive') > 0) return false;
  const slackMs = slackNow(pool, nowMs);
  for (const { load } of pool.replicas.values()) if (slackMs(load) >= 0) return false;
  return true;
}

/**
 * What replicas can spare for batch work at this moment, ms; Infinity while nothing interactive runs or
 * waits, and while batch work is owed its share.
 */
export function slackNow(pool: PoolState, nowMs: number): (load: ReplicaLoad) => number {
  if (isBatchOwed(pool, nowMs) || !pool.batchRoom.hasReaders(nowMs)) return () => Infinity;
  return (load) => pool.batchRoom.slackMs(load, nowMs);
}

/**
 * By the fair order, while interactive work waits; and else when the oldest is overdue by its age, and it
 * had no more than its share of late.
 */
function isBatchOwed({ queue, batchRoom }: PoolState, nowMs: number): boolean {
  if (batchRoom.isNext && queue.sizeOf('interactive') > 0) return true;
  const oldest = queue.oldest('batch');
  return oldest !== undefined && oldest.urgencyMs <= nowMs && batchRoom.isDue(nowMs);
}

/** Of the engines' time, of which batch work is not kept back. */
export function batchShare({ spec }: PoolState): number {
  const { interactive, batch } = spec?.classWeights ?? DEFAULT_CLASS_WEIGHTS;
  return batch / (interactive + batch);
}
