/**
 * Of those who come at one moment the first are promised their start before the last have come. Once all
 * are there, and before any of them is dispatched, they are planned together and told what comes of that.
 * Nobody has heard the first promise by then: an admission is answered when it is durable.
 */
import { forecastOf, startAt } from './forecast-arrival.ts';
import type { Prospect } from './placement.ts';
import { planWaiting } from './plan-arrival.ts';
import type { PoolState, TaskRecord } from './state.ts';
import type { Step } from './step.ts';

/** @param newcomers accepted since the pool was last planned */
export function foresee(step: Step, pool: PoolState, newcomers: readonly TaskRecord[]): void {
  // Deep in a queue a few more or less make no difference, and there it would cost the most.
  if (pool.queue.size > step.state.tuning.lookahead) return;
  const asked = new Set(newcomers);
  let ahead = 0;
  for (const { task, place } of planWaiting(step, pool, asked)) {
    if (place !== undefined) promiseAnew(step, pool, task, place, ahead);
    if (place === undefined || place.block !== undefined) ahead += 1;
  }
}

/** @param ahead how many wait before it that do not start at once */
function promiseAnew(
  step: Step,
  pool: PoolState,
  task: TaskRecord,
  place: Prospect,
  ahead: number,
): void {
  const start = startAt(step, pool, task, place);
  const sinceMs = step.nowMs - task.acceptedAtMs;
  const isNow = start.kind === 'now';
  const forecast = forecastOf(pool, task, {
    kind: start.kind,
    startMs: isNow ? 0 : sinceMs + start.startMs,
    firstTokenMs: sinceMs + start.firstTokenMs,
  });
  const toldMs = task.forecast?.firstTokenMs ?? NaN;
  if (Math.round(forecast.firstTokenMs) === Math.round(toldMs)) return;
  task.forecast = forecast;
  const { taskId } = task.spec;
  const queuePosition = isNow ? 0 : ahead + 1;
  const predictedStartMs = forecast.startMs;
  step.record({ type: 'task.foreseen', taskId, queuePosition, predictedStartMs });
  step.effect({ type: 'foreseen', taskId, queuePosition, predictedStartMs, forecast });
}
