/** What attempts count: the metric side of `AttemptPorts`. */
import type { Clock } from '../clock.ts';
import type { LiveTask } from '../tasks/live-task.ts';
import { latencyLabels, replicaLabels, taskLabels } from '../tasks/task-fields.ts';
import type { Metrics } from './metrics.ts';
import type { SchedulingMetrics } from './scheduling-metrics.ts';

export function attemptMetrics(metrics: Metrics, scheduling: SchedulingMetrics, clock: Clock) {
  return {
    onStarted(task: LiveTask): void {
      metrics.tasksStarted.inc(taskLabels(task));
    },
    onFirstToken(task: LiveTask): void {
      metrics.firstTokenMs.observe(latencyLabels(task), task.ttftMs ?? 0);
    },
    onTokens(task: LiveTask, count: number): void {
      metrics.tokensOut.inc(replicaLabels(task), count);
      scheduling.streamed(task, count, clock.now());
    },
  };
}
