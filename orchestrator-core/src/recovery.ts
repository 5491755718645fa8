/**
 * Picks up after a crash, once all events are folded and every pool has its spec: no attempt
 * survived, and nothing is known of what replicas hold.
 */
import { endFailed, isSafeToRerun, requeue } from './attempts.ts';
import { runningTasks } from './pools.ts';
import type { PoolState } from './state.ts';
import type { Step } from './step.ts';

export function recover(step: Step, outputSeen: ReadonlySet<string>): void {
  const pools = [...step.state.pools.values()].sort((a, b) => (a.poolId < b.poolId ? -1 : 1));
  for (const pool of pools) {
    for (const replicaId of [...pool.sessionsByReplica.keys()].sort()) {
      step.record({ type: 'sessions.cooled', poolId: pool.poolId, replicaId });
    }
    recoverRunning(step, pool, outputSeen);
    if (pool.spec === undefined) abandon(step, pool);
    step.touch(pool);
  }
}

function recoverRunning(step: Step, pool: PoolState, outputSeen: ReadonlySet<string>): void {
  for (const task of runningTasks(step.state, pool)) {
    const wasSeen = outputSeen.has(task.spec.taskId);
    if (isSafeToRerun(task, wasSeen)) {
      requeue(step, task, 'recovery', wasSeen);
    } else {
      const message =
        'the task was cut short after output was sent, and its output is not repeatable';
      endFailed(step, task, { code: 'WORKER_RESET', message, retriable: true });
    }
  }
}

/** Tasks of a pool that is no longer configured would wait for ever. */
function abandon(step: Step, pool: PoolState): void {
  for (const { taskId } of pool.queue.inArrivalOrder()) {
    const task = step.state.tasks.get(taskId);
    if (task === undefined) continue;
    const message = `pool ${pool.poolId} is not configured any more`;
    endFailed(step, task, { code: 'POOL_UNAVAILABLE', message, retriable: false });
  }
}
