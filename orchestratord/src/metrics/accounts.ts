/**
 * Where what happens to a task is counted. Audits, which the daemon runs for itself, have accounts of their own
 * that nobody is shown: what clients counted is what the counters rose by, and no tenant's share is less for
 * them.
 */
import { isAudit, type LiveTask } from '../tasks/live-task.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { SchedulingMetrics } from './scheduling-metrics.ts';
import { SloWindow } from './slo-window.ts';

export interface Accounts {
  readonly metrics: Metrics;
  readonly scheduling: SchedulingMetrics;
  readonly slo: SloWindow;
}

export type AccountsOf = (task: Pick<LiveTask, 'record'>) => Accounts;

export function accountsBeside(shown: Accounts): AccountsOf {
  const metrics = createMetrics();
  const scheduling = new SchedulingMetrics({ metrics, tenants: [] });
  const apart = { metrics, scheduling, slo: new SloWindow() };
  return ({ record }) => (isAudit(record) ? apart : shown);
}
