/**
 * Tasks that have a replica to themselves. On some engines the bytes of an answer depend on what is
 * computed beside it: there a strict task is dispatched only to an idle replica, and nothing joins it.
 *
 * A busy replica that others may go on joining need never be idle. So the one that such a task is held
 * for is kept for it: nothing is dispatched there until what runs has ended, which the watchdog bounds,
 * and then the task goes at once, whoever's turn it is by then.
 */
import { blockOf, isHard } from './seats.ts';
import { slotsChanged, type PoolState, type TaskRecord } from './state.ts';
import type { Step } from './step.ts';
import type { ReplicaView } from './types.ts';

/** Whether the task's bytes are its own there only without neighbours; what comes whole is never strict. */
export function runsAlone({ spec }: Pick<TaskRecord, 'spec'>, view: ReplicaView): boolean {
  return view.strictAlone === true && spec.rerunnable && spec.answersWhole !== true;
}

/** Nobody else joins the replica until the task has run there, or is let go. */
export function keepFor(pool: PoolState, task: TaskRecord, replicaId: string): void {
  if (task.waiting === undefined || task.waiting.keptId !== undefined) return;
  if (pool.alone.has(replicaId)) return;
  task.waiting.keptId = replicaId;
  slotsChanged(pool, replicaId, () => pool.alone.set(replicaId, task));
}

/** The replica kept for a waiting task, if any, is open to others again. */
export function letGo(pool: PoolState, task: TaskRecord): void {
  const replicaId = task.waiting?.keptId;
  if (task.waiting === undefined || replicaId === undefined) return;
  task.waiting.keptId = undefined;
  slotsChanged(pool, replicaId, () => pool.alone.delete(replicaId));
}

/** Lets those go that could not run where a replica is kept for them, whatever ends there. O(kept). */
export function dropVoidKeeps({ state, nowMs }: Step, pool: PoolState): void {
  for (const [replicaId, task] of pool.alone) {
    if (task.running !== undefined) continue;
    const replica = pool.replicas.get(replicaId);
    const isVoid =
      replica === undefined ||
      !runsAlone(task, replica.view) ||
      !state.tenants.mayRun(task.spec.tenantId) ||
      isHard(blockOf(pool, task, replicaId, replica, nowMs));
    if (isVoid) letGo(pool, task);
  }
}
