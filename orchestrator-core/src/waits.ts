/**
 * A task's wait in the queue: for what, and behind whom. Most of it is kept by the pool for all; what is
 * a task's own is the time in which no replica has the labels and devices that it names.
 */
import type { WaitRecord } from './decision.ts';
import type { Circumstances, Turn } from './dispatch-journal.ts';
import { fitsNone } from './lanes.ts';
import { isOverdue } from './plan-order.ts';
import type { CoreState, PoolState, TaskRecord, Waiting } from './state.ts';
import { causesBetween, markWithout } from './wait-causes.ts';

/** Of a task that starts as it comes. */
export const NO_WAIT: WaitRecord = {
  waitedMs: 0,
  waits: {},
  wentFirst: [],
  wentFirstTruncated: false,
};

export function beginWait(pool: PoolState, nowMs: number): Waiting {
  return {
    sinceMs: nowMs,
    mark: pool.waitClock.mark(nowMs),
    unmatchedMs: 0,
    // Of those who ran before a restart nobody knows any more.
    turn: pool.spec === undefined ? -1 : pool.journal.count,
    heldForId: undefined,
    keptId: undefined,
    hits: undefined,
  };
}

/** The task has a new lane, or the pool other replicas: whether any of them could ever run it. */
export function checkFit(pool: PoolState, task: TaskRecord, lane: string, nowMs: number): void {
  const { taskId } = task.spec;
  const isUnmatched = fitsNone(pool, lane);
  if (isUnmatched === pool.unmatched.has(taskId)) return;
  if (!isUnmatched) return endUnmatched(pool, task, nowMs);
  pool.unmatched.set(taskId, { sinceMs: nowMs, mark: pool.waitClock.mark(nowMs) });
}

/** A replica that fits has come, or the wait is over. */
export function endUnmatched(pool: PoolState, task: TaskRecord, nowMs: number): void {
  const { taskId } = task.spec;
  const span = pool.unmatched.get(taskId);
  if (span === undefined) return;
  pool.unmatched.delete(taskId);
  if (task.waiting === undefined) return;
  task.waiting.unmatchedMs += nowMs - span.sinceMs;
  task.waiting.mark = markWithout(task.waiting.mark, span.mark, pool.waitClock.mark(nowMs));
}

/** A waiting task's dispatch, for the journal. Call it just before. */
export function turnOf(
  pool: PoolState,
  task: TaskRecord,
  circumstances: Circumstances,
  nowMs: number,
): Turn {
  return { ...circumstances, ...placeOf(pool, task), edge: pool.queue.edge, atMs: nowMs };
}

function placeOf(pool: PoolState, { spec, seq }: TaskRecord) {
  const { taskId, tenantId, priority, deadlineAtMs } = spec;
  return {
    seq,
    tenantId,
    priority,
    urgencyMs: pool.queue.get(taskId)?.urgencyMs ?? Infinity,
    hasDeadline: deadlineAtMs !== undefined,
    flowTime: pool.queue.virtualTime(tenantId, priority) ?? 0,
  };
}

/** Undefined for a task that does not wait. */
export function waitOf(
  state: CoreState,
  pool: PoolState,
  task: TaskRecord,
  nowMs: number,
): WaitRecord | undefined {
  const { waiting, spec } = task;
  const queued = pool.queue.get(spec.taskId);
  if (waiting === undefined || queued === undefined) return undefined;
  // The clock may have been set back between two processes.
  const waitedMs = Math.max(0, nowMs - waiting.sinceMs);
  if (waitedMs === 0) return NO_WAIT;
  const asking = {
    ...placeOf(pool, task),
    lane: queued.lane,
    isOverdueAt: (atMs: number) => isOverdue(state, task, atMs),
  };
  const { wentFirst, truncated } = pool.journal.before(asking, waiting.turn);
  return {
    waitedMs,
    waits: causesOf(pool, spec.taskId, waiting, nowMs),
    wentFirst,
    wentFirstTruncated: truncated,
  };
}

function causesOf(
  pool: PoolState,
  taskId: string,
  { mark, unmatchedMs }: Waiting,
  nowMs: number,
): WaitRecord['waits'] {
  const span = pool.unmatched.get(taskId);
  const waits = causesBetween(mark, span?.mark ?? pool.waitClock.mark(nowMs));
  const ownMs = unmatchedMs + (span === undefined ? 0 : nowMs - span.sinceMs);
  return ownMs === 0 ? waits : { ...waits, 'no-matching-replica': ownMs };
}
