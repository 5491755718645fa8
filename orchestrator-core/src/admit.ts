/** Takes a newcomer in, or says why not. */
import type { Refusal } from './admission.ts';
import { refusalByPool, refusalByTask } from './admission.ts';
import { makeRoom } from './full-queue.ts';
import { backlogOf } from './backlog.ts';
import { canStartNow, schedule } from './schedule.ts';
import { takeTurn } from './sessions.ts';
import type { Step } from './step.ts';
import type { TaskSpec } from './types.ts';

export function admit(step: Step, task: TaskSpec): void {
  const refusal = tryAdmit(step, task);
  if (refusal === undefined) return;
  const { code, message, path, policyLabel, retryAfterMs } = refusal;
  const { taskId } = task;
  step.effect({ type: 'rejected', taskId, code, message, path, policyLabel, retryAfterMs });
}

function tryAdmit(step: Step, task: TaskSpec): Refusal | undefined {
  const { state, nowMs } = step;
  const pool = state.pools.get(task.poolId);
  const closed = refusalByPool(state, pool, nowMs);
  if (closed !== undefined || pool?.spec === undefined) return closed;

  // A replica may have rested long enough since the last step: those who wait go first.
  schedule(step, pool);
  const isImmediate = canStartNow(pool, nowMs);
  const backlog = backlogOf(pool, pool.queue.aheadOfArrival(task.priority), nowMs);
  const startMs = isImmediate ? 0 : pool.predictor.startMs(backlog);
  const unfit = refusalByTask(state, pool, pool.spec, task, startMs, nowMs);
  if (unfit !== undefined) return unfit;

  if (!isImmediate) {
    const room = makeRoom(pool.queue, pool.spec, task.priority);
    const retryAfterMs = pool.predictor.retryAfterMs(backlog);
    if (room.kind === 'refuse') {
      const message = `the queue of pool ${pool.poolId} is full`;
      return { code: room.code, policyLabel: room.policyLabel, message, retryAfterMs };
    }
    if (room.kind === 'evict') evict(step, room.taskId, retryAfterMs);
  }

  const ahead = pool.queue.aheadOfArrival(task.priority);
  const seq = state.nextSeq;
  step.record({
    type: 'task.accepted',
    taskId: task.taskId,
    seq,
    task,
    queuePosition: isImmediate ? 0 : ahead.interactive + ahead.batch + 1,
    predictedStartMs: isImmediate ? 0 : pool.predictor.startMs(backlogOf(pool, ahead, nowMs)),
  });
  takeTurn(step, task, seq);
  step.touch(pool);
  return undefined;
}

function evict(step: Step, taskId: string, retryAfterMs: number): void {
  step.record({
    type: 'task.ended',
    taskId,
    outcome: {
      kind: 'failed',
      code: 'QUEUE_FULL_DROP_LRU',
      message: 'evicted from a full queue by a newer task',
      retriable: true,
      retryAfterMs,
    },
  });
}
