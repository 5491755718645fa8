/**
 * When a waiting task will start, from the work before it and what the replicas still have to do. Work is
 * counted in replica time: the time for which a task keeps one replica from taking another, which is its
 * prefill where slots are plenty, and its share of the slots where they are not.
 */
import { urgencyOf } from './estimate.ts';
import type { Ahead } from './fair-queue.ts';
import type { FirstTokenKind } from './pool-model.ts';
import { isNotLoaded } from './residency.ts';
import type { CoreState, PoolState, TaskRecord } from './state.ts';
import { freeSlotsOn } from './state.ts';
import { loadingMs } from './swap.ts';

/** A wait that is so much longer for those who will pass is of a kind of its own. */
const PASSED = 1.02;

/** What a client may be told at admission. */
export interface Forecast {
  readonly kind: FirstTokenKind;
  /** Wait until the dispatch, ms; 0 when it starts at once. */
  readonly startMs: number;
  /** Wait until the first token, ms, and the interval that holds it 8 times in 10. */
  readonly firstTokenMs: number;
  readonly lowMs: number;
  readonly highMs: number;
  /** The time to the first token as the models alone have it: what is learned from, ms. */
  readonly modelMs: number;
  /** Chance to keep the deadline; undefined without one. */
  readonly onTimeProbability: number | undefined;
}

/** Expected wait until a dispatch with `ahead` before it, ms, at least 1. O(replicas). */
export function waitBehind(state: CoreState, pool: PoolState, ahead: Ahead, nowMs: number): number {
  const { residency } = pool;
  if (residency !== undefined && isNotLoaded(pool)) {
    return Math.max(1, loadingMs(state, pool, nowMs) + ahead.workMs / residency.replicas);
  }
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
  const startingMs = ready === 0 ? state.tuning.coldStartMs : 0;
  const replicas = Math.max(1, ready === 0 ? pool.replicas.size : ready);
  return Math.max(1, startingMs + (busyMs + ahead.workMs) / replicas);
}

/** A task has come that may pass those of its flow that have more time than it. */
export function noteArrival(
  { tuning }: CoreState,
  pool: PoolState,
  task: TaskRecord,
  nowMs: number,
): void {
  if (task.spec.deadlineAtMs === undefined) return;
  const { prefillMs, holdMs } = task.estimate;
  const workMs = replicaWorkMs(pool, prefillMs, holdMs);
  const urgentInMs = urgencyOf(tuning, task) - nowMs;
  pool.model.overtaking.arrived(flowOf(task), urgentInMs, workMs, nowMs);
}

/** The wait of a task with a deadline, with those who will come after it and go before it. */
export function withPassersBy(
  { tuning }: CoreState,
  pool: PoolState,
  task: TaskRecord,
  aloneMs: number,
  nowMs: number,
): { readonly startMs: number; readonly isPassed: boolean } {
  if (task.spec.deadlineAtMs === undefined) return { startMs: aloneMs, isPassed: false };
  let replicas = 0;
  for (const { view } of pool.replicas.values()) if (view.ready) replicas += 1;
  const urgentInMs = urgencyOf(tuning, task) - nowMs;
  const { overtaking } = pool.model;
  const startMs = overtaking.waitMs(flowOf(task), aloneMs, urgentInMs, replicas, nowMs);
  return { startMs, isPassed: startMs > PASSED * aloneMs };
}

/** Deadlines are compared within a flow; between flows the shares of the tenants decide. */
function flowOf({ spec: { tenantId, priority } }: TaskRecord): string {
  return `${priority} ${tenantId}`;
}

/** When a refused or failed client should try again, ms. */
export function retryAfterMs(pool: PoolState, nowMs: number): number {
  let slots = 0;
  for (const { view } of pool.replicas.values()) slots += view.slots;
  return pool.model.retryAfterMs(slots, nowMs);
}

/** Replica time that a task takes away from others, ms. */
export function replicaWorkMs(pool: PoolState, prefillMs: number, holdMs: number): number {
  return Math.max(prefillMs, holdMs / slotsPerReplica(pool), 0.001);
}

/** Of a pool that is not loaded, as last seen. */
function slotsPerReplica({ replicas, residency }: PoolState): number {
  if (replicas.size === 0)
    return residency === undefined ? 1 : residency.slots / residency.replicas;
  let slots = 0;
  for (const { view } of replicas.values()) slots += view.slots;
  return Math.max(1, slots / replicas.size);
}

/** Mean time that a running task will still hold its slot, ms. */
function residualHoldMs(pool: PoolState, nowMs: number): number {
  const { count, dispatchedAtSumMs } = pool.held;
  if (count === 0) return 0;
  const elapsedMs = nowMs - dispatchedAtSumMs / count;
  return Math.max(0, pool.model.holdMs - elapsedMs);
}
