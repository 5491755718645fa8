/** Ends tasks that wait for what will not come: their deadline, their pool or their set. */
import { mayRefuse } from './admission.ts';
import { learnForecast } from './attempts.ts';
import { deadlineNeedMs, onTime } from './estimate.ts';
import { parseLane } from './lanes.ts';
import type { PoolState, TaskRecord } from './state.ts';
import { poolOf } from './state.ts';
import type { Step } from './step.ts';

/** Whether the deadline can no longer be kept, as far as the predictions are founded (ORCH-3079). */
export function isLate(
  step: Step,
  pool: PoolState,
  task: TaskRecord,
  firstTokenMs: number,
): boolean {
  const { deadlineAtMs } = task.spec;
  // What has run before is finished even when late: its reader has part of it, or its work is done.
  if (deadlineAtMs === undefined || task.attempt > 0) return false;
  const leftMs = deadlineAtMs - step.nowMs;
  if (leftMs <= 0) return true;
  if (!mayRefuse(step.state.tuning, pool)) return false;
  const chance = onTime(pool, task, firstTokenMs, 'now', leftMs);
  return chance < step.state.tuning.shedBelow;
}

export function endLate(step: Step, pool: PoolState, task: TaskRecord, firstTokenMs: number): void {
  // It would have come no sooner: else only those who are in time would teach what to expect.
  learnForecast(pool, task, step.nowMs + firstTokenMs);
  const needMs = Math.ceil(deadlineNeedMs(task, firstTokenMs));
  const leftMs = Math.max(0, Math.round((task.spec.deadlineAtMs ?? 0) - step.nowMs));
  step.record({
    type: 'task.ended',
    taskId: task.spec.taskId,
    outcome: {
      kind: 'failed',
      code: 'DEADLINE_UNMET',
      message: `its turn came with ${leftMs} ms left of the ${needMs} ms that it would need`,
      retriable: true,
      retryAfterMs: undefined,
    },
  });
}

export function failAll(step: Step, pool: PoolState, reason: string): void {
  for (const { taskId } of pool.queue.inArrivalOrder()) {
    step.record({
      type: 'task.ended',
      taskId,
      outcome: {
        kind: 'failed',
        code: 'POOL_UNAVAILABLE',
        message: `pool ${pool.poolId} cannot come back by itself: ${reason}`,
        retriable: true,
        retryAfterMs: step.state.tuning.unavailableRetryMs,
      },
    });
  }
}

/**
 * Ends tasks whose set cannot return: some replica is ready, none of their set is, and no replica
 * is still loading that could turn out to be of it.
 */
export function failStranded(step: Step, pool: PoolState): void {
  const lanes = pool.queue.lanes();
  if (lanes.length === 0 || (lanes.length === 1 && lanes[0] === '')) return;
  const views = [...pool.replicas.values()].map(({ view }) => view);
  if (views.length === 0 || views.some((view) => !view.ready)) return;
  for (const lane of lanes) {
    const setId = lane === '' ? null : parseLane(lane).setId;
    if (setId === null || views.some((view) => view.setId === setId)) continue;
    endLane(step, pool, lane);
  }
}

function endLane(step: Step, pool: PoolState, lane: string): void {
  for (const waiting of pool.queue.inArrivalOrder()) {
    if (waiting.lane !== lane) continue;
    step.record({
      type: 'task.ended',
      taskId: waiting.taskId,
      outcome: {
        kind: 'failed',
        code: 'WORKER_RESET',
        message: 'the replica set that began this output is gone',
        retriable: true,
        retryAfterMs: undefined,
      },
    });
  }
}

/** The deadline of a waiting task is past. */
export function endPastDeadline(step: Step, taskId: string): void {
  const task = step.state.tasks.get(taskId);
  if (task?.waiting === undefined) return;
  const pool = poolOf(step.state, task.spec.poolId);
  learnForecast(pool, task, step.nowMs + task.estimate.prefillMs);
  const message = pool.unmatched.has(taskId)
    ? 'until its deadline no replica of the pool had the labels and devices it names'
    : 'its deadline passed while it waited';
  step.record({
    type: 'task.ended',
    taskId,
    outcome: {
      kind: 'failed',
      code: 'DEADLINE_UNMET',
      message,
      retriable: true,
      retryAfterMs: undefined,
    },
  });
}
