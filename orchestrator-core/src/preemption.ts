/**
 * Hard preemption (ORCH-3086): a batch task on a slot makes room for an interactive one that would
 * otherwise wait. Only where the engine stops at a token boundary and the output can be continued; what
 * has not begun goes first, then what has the least KV to lose.
 */
import { abort, isSafeToRerun, requeue } from './attempts.ts';
import { blockOf, isHard, placeTask } from './placement.ts';
import type { PoolState, TaskRecord } from './state.ts';
import { poolOf } from './state.ts';
import type { Step } from './step.ts';

/** Running batch tasks looked at, the last dispatched first: those have the least to lose. */
const MAX_VICTIMS = 32;

/** Stops one task and tells for which other. Undefined when nobody has to stop, or nobody may. */
export function makeRoomByPreemption(step: Step, pool: PoolState): TaskRecord | undefined {
  if (pool.spec?.preemption !== 'hard' || pool.runningBatch.size === 0) return undefined;
  const task = nextInteractive(step, pool);
  if (task === undefined) return undefined;
  const { choice, heldFor } = placeTask(step.state, pool, task, new Map(), step.nowMs);
  const waitMs = heldFor === undefined ? Infinity : heldFor.firstTokenMs - heldFor.prefillMs;
  if (choice !== undefined || waitMs <= step.state.tuning.preemptAfterMs) return undefined;
  const victim = chooseVictim(step, pool, task);
  if (victim === undefined) return undefined;
  abort(step, victim, 'preempted');
  requeue(step, victim, 'preempted', victim.hasProgress);
  return task;
}

/** The next in turn, were every replica open: when that is batch work, its class is owed its share. */
function nextInteractive(step: Step, pool: PoolState): TaskRecord | undefined {
  if (pool.queue.sizeOf('interactive') === 0) return undefined;
  const { tasks, tenants } = step.state;
  const mayRun = (tenantId: string): boolean => tenants.mayRun(tenantId);
  const [next] = pool.queue.candidates(1, () => true, mayRun);
  return next?.priority === 'interactive' ? tasks.get(next.taskId) : undefined;
}

function chooseVictim(step: Step, pool: PoolState, task: TaskRecord): TaskRecord | undefined {
  let best: TaskRecord | undefined;
  for (const taskId of latest(pool.runningBatch, MAX_VICTIMS)) {
    const victim = step.state.tasks.get(taskId);
    if (victim?.running === undefined || !mayStop(step, pool, victim)) continue;
    if (!makesRoom(step, pool, task, victim.running.replicaId)) continue;
    if (best === undefined || sunkTokens(victim) < sunkTokens(best)) best = victim;
  }
  return best;
}

function mayStop(step: Step, pool: PoolState, victim: TaskRecord): boolean {
  const replica = pool.replicas.get(victim.running?.replicaId ?? '');
  if (!replica?.view.ready || replica.view.interruptible !== true) return false;
  const { spec } = poolOf(step.state, victim.spec.poolId);
  if (victim.preemptions >= (spec?.maxPreemptions ?? 0)) return false;
  return isSafeToRerun(victim, victim.hasProgress);
}

/** Whether a free slot on the replica is all that the task needs. */
function makesRoom(step: Step, pool: PoolState, task: TaskRecord, replicaId: string): boolean {
  const replica = pool.replicas.get(replicaId);
  if (replica === undefined) return false;
  const block = blockOf(pool, task, replicaId, replica, step.nowMs);
  return !isHard(block) && block !== 'anti-affinity';
}

/** KV that is lost: nothing before the first token has come, then prompt and output. */
function sunkTokens(victim: TaskRecord): number {
  return victim.hasProgress ? victim.estimate.promptTokens + victim.outputTokens : 0;
}

function latest(ids: ReadonlySet<string>, count: number): readonly string[] {
  const all = [...ids];
  return all.slice(Math.max(0, all.length - count)).reverse();
}
