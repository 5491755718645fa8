/**
 * What the core holds in memory. Durable parts (tasks, their order, sessions, drains, estimates)
 * change only in `fold.ts`; the rest (replicas, progress, timers) is told anew after a restart.
 *
 * Nothing is decided by the iteration order of a Map that live operation and recovery fill
 * differently: tasks are ordered by `seq`, replicas by id, timers by time and key. `sessions`
 * alone is read in insertion order, which is `firstSeq` order in both.
 */
import type { Predictor } from './prediction.ts';
import { MeanHoldPredictor } from './prediction.ts';
import { TimerHeap } from './timer-heap.ts';
import type { Tuning } from './tuning.ts';
import type { PoolSpec, Priority, ReplicaView, SessionState, TaskSpec } from './types.ts';
import type { WaitingQueue } from './waiting-queue.ts';
import { StrictPriorityQueue } from './waiting-queue.ts';

/** One attempt's hold on a slot. */
export interface RunningAttempt {
  readonly replicaId: string;
  readonly setId: string;
  readonly dispatchedAtMs: number;
}

/** A task that has not ended; ended ones leave memory. Queued when `running` is undefined. */
export interface TaskRecord {
  readonly spec: TaskSpec;
  readonly seq: number;
  readonly acceptedAtMs: number;
  /** Dispatches so far; also the number of the running attempt. */
  attempt: number;
  running: RunningAttempt | undefined;
  /** Attempts that failed, against the pool's `maxAttempts`. */
  faults: number;
  /** Slot time of earlier attempts, against the pool's `wallMs`. */
  ranMs: number;
  pinnedSetId: string | undefined;
  avoidReplicaId: string | undefined;
  /** Of the running attempt; not durable. */
  lastProgressMs: number;
  hasProgress: boolean;
}

export interface ReplicaRecord {
  view: ReplicaView;
  /** Faults since the last success. */
  faults: number;
  restsUntilMs: number;
}

/** Exists as soon as a command or an event names the pool; takes tasks once it has a spec. */
export interface PoolState {
  readonly poolId: string;
  spec: PoolSpec | undefined;
  /** Smallest context among the ready replicas, so that what is admitted fits every one of them. */
  ctx: number | undefined;
  unavailableReason: string | undefined;
  drainDeadlineAtMs: number | undefined;
  readonly replicas: Map<string, ReplicaRecord>;
  readonly queue: WaitingQueue;
  readonly predictor: Predictor;
  /** Ids of running tasks; a replica may be unknown here while events are folded. */
  readonly running: Map<string, Set<string>>;
  /** Free slots of ready replicas, kept by `slotsChanged` so that a full pool is known in O(1). */
  freeSlots: number;
  readonly load: { readonly [P in Priority]: { count: number; dispatchedAtSumMs: number } };
  readonly sessionsByReplica: Map<string, Set<string>>;
}

export type TimerValue =
  | { readonly kind: 'attempt'; readonly taskId: string }
  | { readonly kind: 'drain'; readonly poolId: string }
  | { readonly kind: 'rest'; readonly poolId: string }
  | { readonly kind: 'session'; readonly sessionId: string };

export interface CoreState {
  readonly tuning: Tuning;
  nextSeq: number;
  readonly tasks: Map<string, TaskRecord>;
  readonly pools: Map<string, PoolState>;
  readonly sessions: Map<string, SessionState>;
  readonly timers: TimerHeap<TimerValue>;
}

export function createState(tuning: Tuning): CoreState {
  return {
    tuning,
    nextSeq: 1,
    tasks: new Map(),
    pools: new Map(),
    sessions: new Map(),
    timers: new TimerHeap(),
  };
}

export function poolOf(state: CoreState, poolId: string): PoolState {
  let pool = state.pools.get(poolId);
  if (pool === undefined) {
    pool = {
      poolId,
      spec: undefined,
      ctx: undefined,
      unavailableReason: undefined,
      drainDeadlineAtMs: undefined,
      replicas: new Map(),
      queue: new StrictPriorityQueue(),
      predictor: new MeanHoldPredictor(state.tuning),
      running: new Map(),
      freeSlots: 0,
      load: {
        interactive: { count: 0, dispatchedAtSumMs: 0 },
        batch: { count: 0, dispatchedAtSumMs: 0 },
      },
      sessionsByReplica: new Map(),
    };
    state.pools.set(poolId, pool);
  }
  return pool;
}

export function runningOn(pool: PoolState, replicaId: string): number {
  return pool.running.get(replicaId)?.size ?? 0;
}

export function freeSlotsOn(pool: PoolState, replicaId: string): number {
  const view = pool.replicas.get(replicaId)?.view;
  return view?.ready ? Math.max(0, view.slots - runningOn(pool, replicaId)) : 0;
}

/** Makes a change to one replica, or to what runs on it, and keeps the pool's free slots right. */
export function slotsChanged(pool: PoolState, replicaId: string, change: () => void): void {
  pool.freeSlots -= freeSlotsOn(pool, replicaId);
  change();
  pool.freeSlots += freeSlotsOn(pool, replicaId);
}

export const timerKeys = {
  attempt: (taskId: string) => `attempt:${taskId}`,
  drain: (poolId: string) => `drain:${poolId}`,
  rest: (poolId: string, replicaId: string) => `rest:${poolId}:${replicaId}`,
  session: (sessionId: string) => `session:${sessionId}`,
} as const;

/** When the running attempt times out, and of what; wall time counts slot time over all attempts. */
export function attemptDue(
  task: TaskRecord,
  running: RunningAttempt,
  spec: PoolSpec,
): { readonly dueMs: number; readonly timeout: 'wall' | 'idle' } {
  const wallDueMs = running.dispatchedAtMs + Math.max(0, spec.wallMs - task.ranMs);
  const idleDueMs = task.lastProgressMs + spec.idleMs;
  return wallDueMs <= idleDueMs
    ? { dueMs: wallDueMs, timeout: 'wall' }
    : { dueMs: idleDueMs, timeout: 'idle' };
}
