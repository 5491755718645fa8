/** The durable state as plain JSON, for the ledger's snapshot: equal to the fold of all events so far. */
import { enqueue, newRecord, startAttempt } from './fold.ts';
import { putSession } from './session-index.ts';
import type { SavedPoolModel } from './pool-model.ts';
import { fieldsOf } from './prediction/saved-values.ts';
import type { CoreState, RunningAttempt, TaskRecord } from './state.ts';
import { poolOf, timerKeys } from './state.ts';
import type { SessionState, TaskSpec } from './types.ts';

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

/**
 * What was learned, by pool. Hints, not facts: it is kept with a snapshot so that a restart does not
 * begin with guesses, and it is not a fold of the events.
 */
export type Learned = Readonly<Record<string, SavedPoolModel>>;

export interface DurableTask {
  readonly spec: TaskSpec;
  readonly seq: number;
  readonly acceptedAtMs: number;
  readonly attempt: number;
  readonly running?: RunningAttempt | undefined;
  readonly faults: number;
  /** Absent: none. */
  readonly crashes?: number | undefined;
  readonly ranMs: number;
  readonly pinnedSetId?: string | undefined;
  readonly avoidReplicaId?: string | undefined;
  readonly preemptions?: number | undefined;
  /** When it went back to the queue after its last attempt, while it waits. */
  readonly requeuedAtMs?: number | undefined;
}

export interface DurablePool {
  readonly poolId: string;
  readonly drainDeadlineAtMs?: number | undefined;
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
      }))
      .filter((pool) => pool.drainDeadlineAtMs !== undefined)
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
  // In the order in which they were queued: a pool's clock of waits does not go back.
  const queued = saved.tasks.filter(({ running }) => running === undefined);
  for (const task of [...queued].sort((a, b) => queuedAtMs(a) - queuedAtMs(b))) {
    const record = state.tasks.get(task.spec.taskId);
    if (record !== undefined)
      enqueue(state, poolOf(state, task.spec.poolId), record, queuedAtMs(task));
  }
  for (const session of saved.sessions) putSession(state, session);
  for (const { poolId, drainDeadlineAtMs } of saved.pools) {
    const pool = poolOf(state, poolId);
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
    ...(task.crashes === 0 ? {} : { crashes: task.crashes }),
    ranMs: task.ranMs,
    pinnedSetId: task.pinnedSetId,
    avoidReplicaId: task.avoidReplicaId,
    preemptions: task.preemptions === 0 ? undefined : task.preemptions,
    requeuedAtMs: task.attempt === 0 ? undefined : task.waiting?.sinceMs,
  };
}

function loadTask(state: CoreState, saved: DurableTask): void {
  const task = newRecord(saved.spec, saved.seq, saved.acceptedAtMs);
  task.attempt = saved.attempt;
  task.faults = saved.faults;
  task.crashes = saved.crashes ?? 0;
  task.ranMs = saved.ranMs;
  task.pinnedSetId = saved.pinnedSetId;
  task.avoidReplicaId = saved.avoidReplicaId;
  task.preemptions = saved.preemptions ?? 0;
  state.tasks.set(saved.spec.taskId, task);
  if (saved.running !== undefined) {
    startAttempt(state, task, { ...saved.running, attempt: saved.attempt });
  }
}

function queuedAtMs({ requeuedAtMs, acceptedAtMs }: DurableTask): number {
  return requeuedAtMs ?? acceptedAtMs;
}

export function saveLearned(state: CoreState): Learned {
  return Object.fromEntries(
    [...state.pools.values()].map((pool) => [pool.poolId, pool.model.save()]),
  );
}

/** @returns the parts that were damaged or unknown and are left unused, as `pool.part` */
export function loadLearned(state: CoreState, learned: unknown): readonly string[] {
  return Object.entries(fieldsOf(learned)).flatMap(([poolId, saved]) =>
    poolOf(state, poolId)
      .model.load(saved)
      .map((part) => `${poolId}.${part}`),
  );
}
