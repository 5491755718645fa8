/**
 * Of those who come at one moment the first are promised their start before the last have come. Once all
 * are there, and before any of them is dispatched, they are planned together and told what comes of that.
 * Nobody has heard the first promise by then: an admission is answered when it is durable.
 */
import { forecastOf, startAt } from './forecast-arrival.ts';
import { planWaiting } from './plan-arrival.ts';
import type { PoolState, TaskRecord } from './state.ts';
import type { Step } from './step.ts';

/** @param newcomers accepted since the pool was last planned */
export function foresee(step: Step, pool: PoolState, newcomers: readonly TaskRecord[]): void {
  // Deep in a queue a few more or less make no difference, and there it would cost the most.
  if (pool.queue.size > step.state.tuning.lookahead) return;
  const asked = new Set(newcomers);
  let position = 0;
  planWaiting(
    step,
    pool,
    (task) => {
      position += 1;
      return asked.has(task);
    },
    (task, place) => {
      if (place === undefined || task.forecast === undefined) return;
      const start = startAt(step, pool, task, place);
      const sinceMs = step.nowMs - task.acceptedAtMs;
      const isNow = start.kind === 'now';
      if (isNow) position -= 1;
      const forecast = forecastOf(pool, task, {
        ...start,
        startMs: isNow ? 0 : sinceMs + start.startMs,
        firstTokenMs: sinceMs + start.firstTokenMs,
      });
      if (Math.round(forecast.firstTokenMs) === Math.round(task.forecast.firstTokenMs)) return;
      task.forecast = forecast;
      const { taskId } = task.spec;
      const queuePosition = isNow ? 0 : position;
      const predictedStartMs = forecast.startMs;
      step.record({ type: 'task.foreseen', taskId, queuePosition, predictedStartMs });
      step.effect({ type: 'foreseen', taskId, queuePosition, predictedStartMs, forecast });
    },
  );
}
