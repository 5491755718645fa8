/** What attempts count: the metric side of `AttemptPorts`. */
import type { Clock } from '../clock.ts';
import type { LiveTask } from '../tasks/live-task.ts';
import { latencyLabels, replicaLabels, taskLabels } from '../tasks/task-fields.ts';
import type { AccountsOf } from './accounts.ts';

export function attemptMetrics(accountsOf: AccountsOf, clock: Clock) {
  return {
    onStarted(task: LiveTask): void {
      accountsOf(task).metrics.tasksStarted.inc(taskLabels(task));
    },
    onFirstToken(task: LiveTask): void {
      accountsOf(task).metrics.firstTokenMs.observe(latencyLabels(task), task.ttftMs ?? 0);
    },
    onTokens(task: LiveTask, count: number): void {
      const { metrics, scheduling } = accountsOf(task);
      metrics.tokensOut.inc(replicaLabels(task), count);
      scheduling.streamed(task, count, clock.now());
    },
  };
}
