/** What attempts count: the metric side of `AttemptPorts`. */
import type { LiveTask } from '../tasks/live-task.ts';
import { taskLabels } from '../tasks/task-fields.ts';
import type { Metrics } from './metrics.ts';

export function attemptMetrics(metrics: Metrics) {
  return {
    onStarted(task: LiveTask): void {
      const labels = taskLabels(task);
      metrics.tasksStarted.inc(labels);
      if (task.attempts !== 1) return;
      const { engine, engine_version, pool_id, priority } = labels;
      metrics.queueTimeMs.observe({ engine, engine_version, pool_id, priority }, task.queueMs);
    },
    onFirstToken(task: LiveTask): void {
      const { engine, engine_version, pool_id, priority } = taskLabels(task);
      metrics.firstTokenMs.observe({ engine, engine_version, pool_id, priority }, task.ttftMs ?? 0);
    },
    onTokens(task: LiveTask, count: number): void {
      const { engine, engine_version, pool_id, replica_id } = taskLabels(task);
      metrics.tokensOut.inc({ engine, engine_version, pool_id, replica_id }, count);
    },
  };
}
