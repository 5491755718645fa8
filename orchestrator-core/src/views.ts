/** What the daemon may read, cheaply and without changing anything. */
import type { FirstTokenKind, PoolLearning } from './pool-model.ts';
import type { WaitCause, WaitRecord, ReplicaVerdict } from './decision.ts';
import { onTime } from './estimate.ts';
import type { Forecast } from './forecast.ts';
import { waitBehind, withPassersBy } from './forecast.ts';
import { NOTHING, placeTask } from './placement.ts';
import { blockOf, isHard } from './seats.ts';
import type { CoreState, PoolState, TaskRecord } from './state.ts';
import { poolOf } from './state.ts';
import type { Priority, TaskSpec, TaskState } from './types.ts';
import { verdictsOf } from './verdicts.ts';
import { waitOf } from './waits.ts';

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
  /** How often it was stopped for others. */
  readonly preemptions: number;
  readonly replicaId: string | undefined;
  /** As told at admission; undefined after a restart. */
  readonly forecast: Forecast | undefined;
  /** Chance to keep the deadline as things are now; undefined without one. */
  readonly onTimeProbability: number | undefined;
}

/** Why a waiting task waits. */
export interface WaitView extends WaitRecord {
  readonly cause: WaitCause | 'tenant-limit' | 'held';
  readonly ahead: number;
  /** While slots are free: the replica that it waits for all the same. */
  readonly heldForId: string | undefined;
  readonly replicas: readonly ReplicaVerdict[];
}

export interface PoolView {
  readonly poolId: string;
  readonly waiting: { readonly [P in Priority]: number };
  /** Of those who wait, the ones that no replica of the pool fits, ready or not. */
  readonly unmatched: number;
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
  readonly learned: PoolLearning;
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

/** O(log n) in the waiting tasks, O(n) in tenants and replicas. */
export function viewTask(state: CoreState, task: TaskRecord, nowMs: number): TaskView {
  const { spec, seq, acceptedAtMs, attempt, running, preemptions, forecast } = task;
  const pool = poolOf(state, spec.poolId);
  const ahead = pool.queue.ahead(spec.taskId);
  const aloneMs = ahead === undefined ? 0 : waitBehind(state, pool, ahead, nowMs);
  const { startMs, isPassed } = withPassersBy(state, pool, task, aloneMs, nowMs);
  const kind = ahead === undefined ? 'now' : isPassed ? 'passed' : 'queued';
  return {
    spec,
    seq,
    acceptedAtMs,
    state: ahead === undefined ? 'running' : 'queued',
    queuePosition: ahead === undefined ? 0 : ahead.tasks + 1,
    predictedStartMs: startMs,
    attempt,
    preemptions,
    replicaId: running?.replicaId,
    forecast,
    onTimeProbability: onTimeOf(pool, task, kind, startMs, nowMs),
  };
}

/** Undefined for a task that does not wait. */
export function viewWait(state: CoreState, task: TaskRecord, nowMs: number): WaitView | undefined {
  const pool = poolOf(state, task.spec.poolId);
  const wait = waitOf(state, pool, task, nowMs);
  if (wait === undefined) return undefined;
  const { spec } = task;
  const heldForId =
    task.waiting?.keptId ??
    (pool.freeSlots === 0 ? undefined : heldForIdOf(state, pool, task, nowMs));
  return {
    ...wait,
    cause: causeOf(state, pool, task),
    ahead: pool.queue.ahead(spec.taskId)?.tasks ?? 0,
    heldForId,
    replicas: verdictsOf(state, pool, task, '', nowMs),
  };
}

function causeOf(
  { tenants }: CoreState,
  { unmatched, waitClock }: PoolState,
  { spec, waiting }: TaskRecord,
): WaitView['cause'] {
  if (unmatched.has(spec.taskId)) return 'no-matching-replica';
  if (!tenants.mayRun(spec.tenantId)) return 'tenant-limit';
  const isHeld = waitClock.current === 'turn' && waiting?.heldForId !== undefined;
  return isHeld ? 'held' : waitClock.current;
}

/** As it was when its turn was last thought of; those who are far from it were not looked at. */
function heldForIdOf(
  state: CoreState,
  pool: PoolState,
  task: TaskRecord,
  nowMs: number,
): string | undefined {
  const knownId = task.waiting?.heldForId;
  const known = knownId === undefined ? undefined : pool.replicas.get(knownId);
  if (knownId !== undefined && known !== undefined) {
    if (!isHard(blockOf(pool, task, knownId, known, nowMs))) return knownId;
  }
  const { choice, heldFor } = placeTask(state, pool, task, NOTHING, nowMs);
  return (heldFor ?? choice)?.replicaId;
}

/** From what is left to do, and what was already seen of the output. */
function onTimeOf(
  pool: PoolState,
  task: TaskRecord,
  kind: FirstTokenKind,
  startMs: number,
  nowMs: number,
): number | undefined {
  const { deadlineAtMs, deadlineFor } = task.spec;
  if (deadlineAtMs === undefined) return undefined;
  const { firstTokenAtMs, estimate } = task;
  if (firstTokenAtMs !== undefined && deadlineFor === 'first-token') {
    return firstTokenAtMs <= deadlineAtMs ? 1 : 0;
  }
  const { prefillMs, decodeMs, outputTokens } = estimate;
  const leftMs = deadlineAtMs - nowMs;
  if (task.running === undefined || task.outputTokens === 0) {
    return onTime(pool, task, startMs + prefillMs, kind, leftMs);
  }
  const remaining = Math.max(0, 1 - task.outputTokens / Math.max(1, outputTokens));
  return pool.model.onTimeProbability('end', remaining * decodeMs, leftMs);
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
    unmatched: pool.unmatched.size,
    running: pool.held.count,
    slotsTotal: sum(ready.map(({ view }) => view.slots)),
    slotsFree: pool.freeSlots,
    replicasReady: ready.length,
    draining: pool.drainDeadlineAtMs !== undefined,
    drainDeadlineAtMs: pool.drainDeadlineAtMs,
    unavailableReason: pool.unavailableReason,
    ctx: pool.ctx ?? pool.spec.ctx,
    learned: pool.model.learned(),
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
