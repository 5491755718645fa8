/** What a task is expected to need, and how soon it should start: all that the order of the queue uses. */
import type { FirstTokenKind, TaskEstimate } from './pool-model.ts';
import type { PoolState, TaskRecord } from './state.ts';
import type { Tuning } from './tuning.ts';

/** Expected service of the task in cost units; what was found cached costs nothing. */
export function costOf(tuning: Tuning, uncachedTokens: number, outputTokens: number): number {
  return Math.max(1, tuning.inputCost * uncachedTokens + tuning.outputCost * outputTokens);
}

/**
 * What a task is charged when it is dispatched: its prompt and a part of the output that is expected of
 * it. The rest follows as its tokens stream.
 */
export function prepaidCost(tuning: Tuning, uncachedTokens: number, outputTokens: number): number {
  return costOf(tuning, uncachedTokens, tuning.prepaidShare * outputTokens);
}

/**
 * What the queue orders by, absolute ms. With a deadline that is when its first token must have come: by
 * deadline, not by slack, the short prompts behind a long one stay in time. Without one every task has a
 * soft deadline that grows with its prompt, so that short prompts pass long ones but only for so long.
 */
export function urgencyOf(tuning: Tuning, task: TaskRecord): number {
  const { deadlineAtMs, deadlineFor, priority } = task.spec;
  const { prefillMs, decodeMs } = task.estimate;
  if (deadlineAtMs !== undefined) {
    return deadlineAtMs - (deadlineFor === 'first-token' ? 0 : decodeMs);
  }
  return task.acceptedAtMs + tuning.startWithinMs[priority] + tuning.patience * prefillMs;
}

/** Time from its dispatch that the task needs to do what its deadline is for, given its first token, ms. */
export function deadlineNeedMs(task: TaskRecord, firstTokenMs: number): number {
  return firstTokenMs + (task.spec.deadlineFor === 'first-token' ? 0 : task.estimate.decodeMs);
}

/** A fresh estimate, with the best cache hit that any replica promises now. */
export function estimateTask(pool: PoolState, task: TaskRecord): TaskEstimate {
  const { spec } = task;
  if (spec.prefix === undefined || spec.kvHint === 'cold') return pool.model.estimate(spec, 0);
  pool.prefixes.matchAll(spec.prefix, HITS);
  let cachedTokens = 0;
  for (const tokens of HITS.values()) cachedTokens = Math.max(cachedTokens, tokens);
  return pool.model.estimate(spec, cachedTokens);
}

/** Filled anew by every use. */
const HITS = new Map<string, number>();

/** Chance that what the deadline is for happens within `leftMs`, given when the first token comes. */
export function onTime(
  pool: PoolState,
  task: TaskRecord,
  firstTokenMs: number,
  firstToken: FirstTokenKind,
  leftMs: number,
): number {
  const isForFirst = task.spec.deadlineFor === 'first-token';
  const kind = isForFirst ? firstToken : 'end';
  return pool.model.onTimeProbability(kind, deadlineNeedMs(task, firstTokenMs), leftMs);
}
