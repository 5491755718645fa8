/** Fills free slots from the queue: one pool, whenever a task or a slot may have become free. */
import { sessionOf } from './fold.ts';
import type { Candidate } from './placement.ts';
import { placeTask } from './placement.ts';
import { warmReplicaOf } from './sessions.ts';
import type { PoolState, TaskRecord } from './state.ts';
import { runningOn } from './state.ts';
import type { Step } from './step.ts';

/** Afterwards no waiting task fits a free slot, unless the pool drains. */
export function schedule(step: Step, pool: PoolState): void {
  if (pool.spec === undefined || pool.queue.size === 0) return;
  if (pool.unavailableReason !== undefined) return failAll(step, pool, pool.unavailableReason);
  if (pool.drainDeadlineAtMs !== undefined) return;
  while (pool.queue.size > 0) {
    const open = openReplicas(pool, step.nowMs);
    if (open.length === 0) break;
    const next = pool.queue.next((setId) => open.some((replica) => replica.setId === setId));
    const task = next && step.state.tasks.get(next.taskId);
    if (task === undefined || !dispatch(step, task, open)) break;
  }
  failStranded(step, pool);
}

/** Whether a newcomer, which any set may run, would get a slot of a pool that is not draining. */
export function canStartNow(pool: PoolState, nowMs: number): boolean {
  return openReplicas(pool, nowMs).length > 0;
}

function openReplicas(pool: PoolState, nowMs: number): readonly Candidate[] {
  if (pool.freeSlots === 0) return [];
  const open: Candidate[] = [];
  for (const [replicaId, { view, restsUntilMs }] of pool.replicas) {
    if (!view.ready || restsUntilMs > nowMs) continue;
    const running = runningOn(pool, replicaId);
    if (running < view.slots) {
      open.push({ replicaId, setId: view.setId, slots: view.slots, running });
    }
  }
  return open;
}

function dispatch(step: Step, task: TaskRecord, open: readonly Candidate[]): boolean {
  const session = sessionOf(step.state, task);
  const warmReplicaId = warmReplicaOf(session, task);
  const { pinnedSetId, avoidReplicaId } = task;
  const choice = placeTask({ pinnedSetId, avoidReplicaId, affinityReplicaId: warmReplicaId }, open);
  if (choice === undefined) return false;
  step.record({
    type: 'task.dispatched',
    taskId: task.spec.taskId,
    attempt: task.attempt + 1,
    replicaId: choice.replicaId,
    setId: choice.setId,
    kvWarmth: choice.replicaId === warmReplicaId && (session?.kvTokens ?? 0) > 0,
  });
  return true;
}

function failAll(step: Step, pool: PoolState, reason: string): void {
  for (const { taskId } of pool.queue.inOrder()) {
    step.record({
      type: 'task.ended',
      taskId,
      outcome: {
        kind: 'failed',
        code: 'POOL_UNAVAILABLE',
        message: `pool ${pool.poolId} cannot come back by itself: ${reason}`,
        retriable: true,
        retryAfterMs: step.state.tuning.unavailableRetryMs,
      },
    });
  }
}

/**
 * Ends tasks whose set cannot return: some replica is ready, none of their set is, and no replica
 * is still loading that could turn out to be of it.
 */
function failStranded(step: Step, pool: PoolState): void {
  const pinned = pool.queue.pinnedSets();
  if (pinned.length === 0) return;
  const views = [...pool.replicas.values()].map(({ view }) => view);
  if (views.length === 0 || views.some((view) => !view.ready)) return;
  const lost = new Set(pinned.filter((setId) => views.every((view) => view.setId !== setId)));
  if (lost.size === 0) return;
  for (const { taskId, pinnedSetId } of pool.queue.inOrder()) {
    if (pinnedSetId === undefined || !lost.has(pinnedSetId)) continue;
    step.record({
      type: 'task.ended',
      taskId,
      outcome: {
        kind: 'failed',
        code: 'WORKER_RESET',
        message: 'the replica set that began this output is gone',
        retriable: true,
        retryAfterMs: undefined,
      },
    });
  }
}
