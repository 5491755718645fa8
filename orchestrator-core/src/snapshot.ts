/** The durable state as plain JSON, for the ledger's snapshot: equal to the fold of all events so far. */
import { enqueue, putSession, startAttempt } from './fold.ts';
import type { HoldEstimates } from './prediction.ts';
import type { CoreState, RunningAttempt, TaskRecord } from './state.ts';
import { poolOf, timerKeys } from './state.ts';
import type { SessionState, TaskSpec } from './types.ts';
import { PRIORITIES } from './types.ts';

export const DURABLE_STATE_VERSION = 1;

export interface DurableState {
  readonly v: number;
  readonly nextSeq: number;
  /** In order of arrival. */
  readonly tasks: readonly DurableTask[];
  /** In order of their first task. */
  readonly sessions: readonly SessionState[];
  /** By id; pools without anything to remember are left out. */
  readonly pools: readonly DurablePool[];
}

export interface DurableTask {
  readonly spec: TaskSpec;
  readonly seq: number;
  readonly acceptedAtMs: number;
  readonly attempt: number;
  readonly running?: RunningAttempt | undefined;
  readonly faults: number;
  readonly ranMs: number;
  readonly pinnedSetId?: string | undefined;
  readonly avoidReplicaId?: string | undefined;
}

export interface DurablePool {
  readonly poolId: string;
  readonly drainDeadlineAtMs?: number | undefined;
  readonly holds: HoldEstimates;
}

export function saveState(state: CoreState): DurableState {
  return {
    v: DURABLE_STATE_VERSION,
    nextSeq: state.nextSeq,
    tasks: [...state.tasks.values()].sort((a, b) => a.seq - b.seq).map(toDurableTask),
    sessions: [...state.sessions.values()],
    pools: [...state.pools.values()]
      .map((pool) => ({
        poolId: pool.poolId,
        drainDeadlineAtMs: pool.drainDeadlineAtMs,
        holds: pool.predictor.estimates(),
      }))
      .filter((pool) => pool.drainDeadlineAtMs !== undefined || hasSamples(pool.holds))
      .sort((a, b) => (a.poolId < b.poolId ? -1 : 1)),
  };
}

/** Fills an empty state. @throws Error on a version this code does not know */
export function loadState(state: CoreState, saved: DurableState): void {
  if (saved.v !== DURABLE_STATE_VERSION) {
    throw new Error(`snapshot version ${saved.v} is unknown, expected ${DURABLE_STATE_VERSION}`);
  }
  state.nextSeq = saved.nextSeq;
  for (const task of saved.tasks) loadTask(state, task);
  for (const session of saved.sessions) putSession(state, session);
  for (const { poolId, drainDeadlineAtMs, holds } of saved.pools) {
    const pool = poolOf(state, poolId);
    pool.predictor.load(holds);
    if (drainDeadlineAtMs === undefined) continue;
    pool.drainDeadlineAtMs = drainDeadlineAtMs;
    state.timers.set(timerKeys.drain(poolId), drainDeadlineAtMs, { kind: 'drain', poolId });
  }
}

function toDurableTask(task: TaskRecord): DurableTask {
  return {
    spec: task.spec,
    seq: task.seq,
    acceptedAtMs: task.acceptedAtMs,
    attempt: task.attempt,
    running: task.running,
    faults: task.faults,
    ranMs: task.ranMs,
    pinnedSetId: task.pinnedSetId,
    avoidReplicaId: task.avoidReplicaId,
  };
}

function loadTask(state: CoreState, saved: DurableTask): void {
  const task: TaskRecord = {
    spec: saved.spec,
    seq: saved.seq,
    acceptedAtMs: saved.acceptedAtMs,
    attempt: saved.attempt,
    running: undefined,
    faults: saved.faults,
    ranMs: saved.ranMs,
    pinnedSetId: saved.pinnedSetId,
    avoidReplicaId: saved.avoidReplicaId,
    lastProgressMs: saved.acceptedAtMs,
    hasProgress: false,
  };
  state.tasks.set(saved.spec.taskId, task);
  if (saved.running === undefined) enqueue(poolOf(state, saved.spec.poolId), task);
  else startAttempt(state, task, { ...saved.running, attempt: saved.attempt });
}

function hasSamples(holds: HoldEstimates): boolean {
  return PRIORITIES.some((priority) => holds[priority].samples > 0);
}
