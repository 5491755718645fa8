/** What the daemon may read, cheaply and without changing anything. */
import { backlogOf } from './backlog.ts';
import type { HoldEstimates } from './prediction.ts';
import type { CoreState, PoolState, TaskRecord } from './state.ts';
import { poolOf } from './state.ts';
import type { Priority, TaskSpec, TaskState } from './types.ts';

export interface TaskView {
  readonly spec: TaskSpec;
  readonly seq: number;
  readonly acceptedAtMs: number;
  /** Ended tasks are not in the core. */
  readonly state: Extract<TaskState, 'queued' | 'running'>;
  /** 1 for the next task of the queue, 0 for a running one. */
  readonly queuePosition: number;
  /** Wait from this moment, ms; 0 for a running task. */
  readonly predictedStartMs: number;
  /** Dispatches so far. */
  readonly attempt: number;
  readonly replicaId: string | undefined;
}

export interface PoolView {
  readonly poolId: string;
  readonly waiting: { readonly [P in Priority]: number };
  readonly running: number;
  /** Slots of ready replicas. */
  readonly slotsTotal: number;
  readonly slotsFree: number;
  readonly replicasReady: number;
  readonly draining: boolean;
  readonly drainDeadlineAtMs: number | undefined;
  /** Why the pool cannot come back by itself, or undefined when it can. */
  readonly unavailableReason: string | undefined;
  /** Context per slot that admission checks against, tokens. */
  readonly ctx: number;
  /** How long completed tasks held their slot. */
  readonly holds: HoldEstimates;
}

export interface SessionView {
  readonly sessionId: string;
  readonly tenantId: string;
  readonly poolId: string;
  readonly ttlRemainingMs: number;
  readonly turns: number;
  readonly kvTokens: number;
  readonly kvWarmth: boolean;
  readonly replicaId: string | undefined;
  readonly tokensTotal: number;
}

/** O(log n) in the waiting tasks. */
export function viewTask(state: CoreState, task: TaskRecord, nowMs: number): TaskView {
  const { spec, seq, acceptedAtMs, attempt, running } = task;
  const pool = poolOf(state, spec.poolId);
  const ahead = pool.queue.ahead(spec.taskId);
  return {
    spec,
    seq,
    acceptedAtMs,
    state: ahead === undefined ? 'running' : 'queued',
    queuePosition: ahead === undefined ? 0 : ahead.interactive + ahead.batch + 1,
    predictedStartMs:
      ahead === undefined ? 0 : pool.predictor.startMs(backlogOf(pool, ahead, nowMs)),
    attempt,
    replicaId: running?.replicaId,
  };
}

/** Undefined for a pool without a spec. O(replicas). */
export function viewPool(pool: PoolState): PoolView | undefined {
  if (pool.spec === undefined) return undefined;
  const ready = [...pool.replicas.values()].filter(({ view }) => view.ready);
  const sum = (counts: readonly number[]) => counts.reduce((a, b) => a + b, 0);
  return {
    poolId: pool.poolId,
    waiting: {
      interactive: pool.queue.sizeOf('interactive'),
      batch: pool.queue.sizeOf('batch'),
    },
    running: pool.load.interactive.count + pool.load.batch.count,
    slotsTotal: sum(ready.map(({ view }) => view.slots)),
    slotsFree: pool.freeSlots,
    replicasReady: ready.length,
    draining: pool.drainDeadlineAtMs !== undefined,
    drainDeadlineAtMs: pool.drainDeadlineAtMs,
    unavailableReason: pool.unavailableReason,
    ctx: pool.ctx ?? pool.spec.ctx,
    holds: pool.predictor.estimates(),
  };
}

/** Undefined when there is none, or when its time is over. */
export function viewSession(
  state: CoreState,
  sessionId: string,
  nowMs: number,
): SessionView | undefined {
  const session = state.sessions.get(sessionId);
  if (session === undefined || session.expiresAtMs <= nowMs) return undefined;
  const { tenantId, poolId, turns, kvTokens, replicaId, tokensTotal } = session;
  return {
    sessionId,
    tenantId,
    poolId,
    ttlRemainingMs: session.expiresAtMs - nowMs,
    turns,
    kvTokens,
    kvWarmth: replicaId !== undefined && kvTokens > 0,
    replicaId,
    tokensTotal,
  };
}
