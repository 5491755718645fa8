/** What a newcomer is told: when it will start, when its first token comes, whether its deadline holds. */
import { onTime } from './estimate.ts';
import type { Ahead } from './fair-queue.ts';
import type { Forecast } from './forecast.ts';
import { waitingOf } from './fold.ts';
import { waitBehind } from './forecast.ts';
import type { Prospect } from './placement.ts';
import { planArrival } from './plan-arrival.ts';
import type { PoolState, TaskRecord } from './state.ts';
import type { Step } from './step.ts';

/** Start and first token as point estimates, ms from now. */
export interface Start {
  readonly isImmediate: boolean;
  readonly startMs: number;
  readonly firstTokenMs: number;
}

/**
 * Where a newcomer would stand if it were accepted now: `place` is where it starts at once. With few
 * before it that is planned as the scheduler will, else it follows from the work before it.
 */
export function forecastStart(
  step: Step,
  pool: PoolState,
  task: TaskRecord,
): { readonly start: Start; readonly ahead: Ahead; readonly place: Prospect | undefined } {
  const { tuning } = step.state;
  const waiting = waitingOf(step.state, pool, task);
  const { tenantId, priority, urgencyMs, cost } = waiting;
  const { prefillMs } = task.estimate;
  const ahead = pool.queue.aheadOfArrival(tenantId, priority, urgencyMs, cost);
  const place = planArrival(step, pool, { task, waiting }, ahead.tasks);
  if (place === undefined) {
    const startMs = waitBehind(pool, ahead, tuning.coldStartMs, step.nowMs);
    return {
      start: { isImmediate: false, startMs, firstTokenMs: startMs + prefillMs },
      ahead,
      place,
    };
  }
  const { firstTokenMs } = place;
  if (place.block === undefined) {
    return { start: { isImmediate: true, startMs: 0, firstTokenMs }, ahead: NOBODY, place };
  }
  const startMs = Math.max(1, firstTokenMs - place.prefillMs);
  return { start: { isImmediate: false, startMs, firstTokenMs }, ahead, place: undefined };
}

const NOBODY: Ahead = { tasks: 0, workMs: 0 };

export function forecastOf(pool: PoolState, task: TaskRecord, start: Start): Forecast {
  const { isImmediate, startMs, firstTokenMs } = start;
  const [low, high] = pool.model.interval(isImmediate ? 'now' : 'queued', firstTokenMs);
  // Where forecasts were off to one side of late, the interval is too; it is told around the forecast.
  const lowMs = Math.min(low, firstTokenMs);
  const highMs = Math.max(high, firstTokenMs);
  const { deadlineAtMs } = task.spec;
  const onTimeProbability =
    deadlineAtMs === undefined
      ? undefined
      : onTime(pool, task, firstTokenMs, isImmediate, deadlineAtMs - task.acceptedAtMs);
  return { isImmediate, startMs, firstTokenMs, lowMs, highMs, onTimeProbability };
}
