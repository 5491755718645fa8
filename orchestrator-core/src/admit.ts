/** Takes a newcomer in, or says why not. */
import type { Refusal } from './admission.ts';
import { refusalByDeadline, refusalByPool, refusalByTask } from './admission.ts';
import { dispatch } from './dispatch.ts';
import { estimateTask } from './estimate.ts';
import { newRecord } from './fold.ts';
import { noteArrival, retryAfterMs } from './forecast.ts';
import { forecastOf, forecastStart } from './forecast-arrival.ts';
import { hasRoom, makeRoom } from './full-queue.ts';
import { schedule } from './schedule.ts';
import { takeTurn } from './sessions.ts';
import type { PoolState } from './state.ts';
import { runningOn, timerKeys } from './state.ts';
import type { Step } from './step.ts';
import type { TaskSpec } from './types.ts';

export function admit(step: Step, task: TaskSpec): void {
  const refusal = tryAdmit(step, task);
  if (refusal === undefined) return;
  const { code, message, path, policyLabel, retryAfterMs, earliestFeasibleMs } = refusal;
  step.effect({
    type: 'rejected',
    taskId: task.taskId,
    code,
    message,
    path,
    policyLabel,
    retryAfterMs,
    earliestFeasibleMs,
  });
}

function tryAdmit(step: Step, spec: TaskSpec): Refusal | undefined {
  const { state, nowMs } = step;
  const pool = state.pools.get(spec.poolId);
  const closed = refusalByPool(state, pool, nowMs);
  if (closed !== undefined || pool?.spec === undefined) return closed;
  const unfit = refusalByTask(state, pool, pool.spec, spec, nowMs);
  if (unfit !== undefined) return unfit;

  const gathers = hasRoom(pool.queue, pool.spec, spec.priority) && isGathering(step, pool);
  // A replica may have rested long enough since the last step: those who wait go first.
  if (!gathers) schedule(step, pool);
  const task = newRecord(spec, state.nextSeq, nowMs);
  task.estimate = estimateTask(pool, task);
  const { start, ahead, place } = forecastStart(step, pool, task);
  const forecast = forecastOf(pool, task, start);
  const infeasible = refusalByDeadline(state, pool, task, forecast);
  if (infeasible !== undefined) return infeasible;

  const isImmediate = start.kind === 'now';
  if (!isImmediate) {
    const room = makeRoom(pool.queue, pool.spec, spec.priority);
    if (room.kind === 'refuse') {
      const { code, policyLabel } = room;
      const message = `the queue of pool ${pool.poolId} is full`;
      return { code, policyLabel, message, retryAfterMs: retryAfterMs(pool, nowMs) };
    }
    if (room.kind === 'evict') evict(step, room.taskId, retryAfterMs(pool, nowMs));
  }

  const { taskId } = spec;
  const seq = state.nextSeq;
  // Those who will start with the next tick hold no place, though they are in the queue until then.
  const queuePosition = isImmediate ? 0 : Math.max(1, ahead.tasks + 1 - pool.gathered);
  const predictedStartMs = forecast.startMs;
  step.record({ type: 'task.accepted', taskId, seq, task: spec, queuePosition, predictedStartMs });
  step.effect({ type: 'accepted', taskId, queuePosition, predictedStartMs, forecast });
  noteArrival(state, pool, task, nowMs);
  const accepted = state.tasks.get(taskId);
  takeTurn(step, spec, seq);
  if (accepted === undefined) return undefined;
  accepted.forecast = forecast;
  if (gathers) {
    if (isImmediate) pool.gathered += 1;
    pool.newcomers.push(accepted);
    state.timers.set(timerKeys.bind(pool.poolId), nowMs, { kind: 'bind', poolId: pool.poolId });
    return undefined;
  }
  if (place !== undefined) dispatch(step, pool, accepted, place, { isNewcomer: true });
  step.touch(pool);
  return undefined;
}

/** Whether a newcomer is planned with others that may come at this very moment (see `Tuning`). */
function isGathering({ state }: Step, pool: PoolState): boolean {
  if (!state.tuning.gatherArrivals) return false;
  let idle = 0;
  for (const [replicaId, { view }] of pool.replicas) {
    if (view.ready && runningOn(pool, replicaId) === 0) idle += 1;
  }
  return idle <= pool.queue.size;
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
