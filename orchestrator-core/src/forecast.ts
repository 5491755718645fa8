/**
 * When a waiting task will start, from the work before it and what the replicas still have to do. Work is
 * counted in replica time: the time for which a task keeps one replica from taking another, which is its
 * prefill where slots are plenty, and its share of the slots where they are not.
 */
import type { Ahead } from './fair-queue.ts';
import type { PoolState } from './state.ts';
import { freeSlotsOn } from './state.ts';

/** What a client may be told at admission. */
export interface Forecast {
  readonly isImmediate: boolean;
  /** Wait until the dispatch, ms; 0 when it starts at once. */
  readonly startMs: number;
  /** Wait until the first token, ms, and the interval that holds it 8 times in 10. */
  readonly firstTokenMs: number;
  readonly lowMs: number;
  readonly highMs: number;
  /** Chance to keep the deadline; undefined without one. */
  readonly onTimeProbability: number | undefined;
}

/** Expected wait until a dispatch with `ahead` before it, ms, at least 1. O(replicas). */
export function waitBehind(
  pool: PoolState,
  ahead: Ahead,
  coldStartMs: number,
  nowMs: number,
): number {
  let ready = 0;
  let busyMs = 0;
  const residualMs = residualHoldMs(pool, nowMs);
  for (const [replicaId, { view, load }] of pool.replicas) {
    if (!view.ready) continue;
    ready += 1;
    const isFull = freeSlotsOn(pool, replicaId) === 0;
    // A full replica is free again when the first of its running tasks ends.
    busyMs += Math.max(
      load.outlook(nowMs).drainMs,
      isFull ? residualMs / Math.max(1, view.slots) : 0,
    );
  }
  const loadingMs = ready === 0 ? coldStartMs : 0;
  const replicas = Math.max(1, ready === 0 ? pool.replicas.size : ready);
  return Math.max(1, loadingMs + (busyMs + ahead.workMs) / replicas);
}

/** When a refused or failed client should try again, ms. */
export function retryAfterMs(pool: PoolState, nowMs: number): number {
  let slots = 0;
  for (const { view } of pool.replicas.values()) slots += view.slots;
  return pool.model.retryAfterMs(slots, nowMs);
}

/** Replica time that a task takes away from others, ms. */
export function replicaWorkMs(pool: PoolState, prefillMs: number, holdMs: number): number {
  let slots = 0;
  for (const { view } of pool.replicas.values()) slots += view.slots;
  const perReplica = Math.max(1, slots / Math.max(1, pool.replicas.size));
  return Math.max(prefillMs, holdMs / perReplica, 0.001);
}

/** Mean time that a running task will still hold its slot, ms. */
function residualHoldMs(pool: PoolState, nowMs: number): number {
  const { count, dispatchedAtSumMs } = pool.held;
  if (count === 0) return 0;
  const elapsedMs = nowMs - dispatchedAtSumMs / count;
  return Math.max(0, pool.model.holdMs - elapsedMs);
}
