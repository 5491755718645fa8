/** What a newcomer is told: when it will start, when its first token comes, whether its deadline holds. */
import { onTime } from './estimate.ts';
import type { Ahead } from './fair-queue.ts';
import { waitingOf } from './fold.ts';
import type { Forecast } from './forecast.ts';
import { waitBehind, withPassersBy } from './forecast.ts';
import type { Prospect } from './placement.ts';
import { planArrival } from './plan-arrival.ts';
import type { FirstTokenKind } from './pool-model.ts';
import { isNotLoaded } from './residency.ts';
import type { PoolState, TaskRecord } from './state.ts';
import type { Step } from './step.ts';

/** Start and first token as point estimates, ms from now. */
export interface Start {
  readonly kind: FirstTokenKind;
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
  const waiting = waitingOf(step.state, pool, task);
  const { tenantId, priority, urgencyMs, cost } = waiting;
  const { prefillMs } = task.estimate;
  const ahead = pool.queue.aheadOfArrival(tenantId, priority, urgencyMs, cost);
  const place = isNotLoaded(pool)
    ? undefined
    : planArrival(step, pool, { task, waiting }, ahead.tasks);
  if (place === undefined) {
    const aloneMs = waitBehind(step.state, pool, ahead, step.nowMs);
    return { start: startBehind(step, pool, task, aloneMs, prefillMs), ahead, place };
  }
  const start = startAt(step, pool, task, place);
  if (start.kind === 'now') return { start, ahead: NOBODY, place };
  return { start, ahead, place: undefined };
}

const NOBODY: Ahead = { tasks: 0, workMs: 0 };

/** When a task starts that has been planned. */
export function startAt(step: Step, pool: PoolState, task: TaskRecord, place: Prospect): Start {
  const { block, firstTokenMs, prefillMs } = place;
  if (block === undefined) return { kind: 'now', startMs: 0, firstTokenMs };
  const aloneMs = Math.max(1, firstTokenMs - prefillMs);
  return startBehind(step, pool, task, aloneMs, firstTokenMs - aloneMs);
}

/** @param aloneMs the wait, if nobody came who goes first */
function startBehind(
  step: Step,
  pool: PoolState,
  task: TaskRecord,
  aloneMs: number,
  ownMs: number,
): Start {
  const { startMs, isPassed } = withPassersBy(step.state, pool, task, aloneMs, step.nowMs);
  if (isNotLoaded(pool)) return { kind: 'unloaded', startMs, firstTokenMs: startMs + ownMs };
  return { kind: isPassed ? 'passed' : 'queued', startMs, firstTokenMs: startMs + ownMs };
}

export function forecastOf(pool: PoolState, task: TaskRecord, start: Start): Forecast {
  const { kind, startMs, firstTokenMs: modelMs } = start;
  const [low, high] = pool.model.interval(kind, modelMs);
  // Forecasts of prompts that start at once are off to one side by what the models lack, and are told
  // without it. Waits are so for the length of a burst, and to the other side after it.
  const firstTokenMs = kind === 'now' ? Math.min(high, Math.max(low, modelMs)) : modelMs;
  const { deadlineAtMs } = task.spec;
  return {
    kind,
    startMs,
    firstTokenMs,
    lowMs: Math.min(low, firstTokenMs),
    highMs: Math.max(high, firstTokenMs),
    modelMs,
    onTimeProbability:
      deadlineAtMs === undefined
        ? undefined
        : onTime(pool, task, modelMs, kind, deadlineAtMs - task.acceptedAtMs),
  };
}
