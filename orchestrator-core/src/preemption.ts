/**
 * Hard preemption (ORCH-3086): a running task makes room for one that would otherwise wait. Batch work
 * for interactive work, at once; and the work of a tenant that had clearly more than its share, for one
 * that had less and has waited a while. Only where the engine stops at a token boundary and the output
 * can be continued; what has not begun goes first, then what has the least KV to lose.
 */
import { runsAlone } from './alone.ts';
import { abort, isSafeToRerun, requeue } from './attempts.ts';
import { costOf } from './estimate.ts';
import type { Prospect } from './placement.ts';
import { isBetter, NOTHING, placeTask, prospectOf } from './placement.ts';
import { blockOf, isHard } from './seats.ts';
import type { PoolState, ReplicaRecord, TaskRecord } from './state.ts';
import { poolOf, runningOn } from './state.ts';
import type { Step } from './step.ts';
import { flowWeight } from './tenants.ts';

/** Running tasks looked at, the last dispatched first: those have the least to lose. */
const MAX_VICTIMS = 32;

interface Room {
  readonly task: TaskRecord;
  readonly stopped: TaskRecord;
  /** Where the stopped task ran. */
  readonly replicaId: string;
  readonly replica: ReplicaRecord;
}

/** Stops one task and tells for which other. Undefined when nobody has to stop, or nobody may. */
export function makeRoomByPreemption(step: Step, pool: PoolState): Room | undefined {
  if (pool.spec?.preemption !== 'hard' || pool.held.count === 0) return undefined;
  const task = nextInTurn(step, pool);
  if (task === undefined) return undefined;
  const { choice, heldFor } = placeTask(step.state, pool, task, NOTHING, step.nowMs);
  const waitMs = heldFor === undefined ? Infinity : heldFor.firstTokenMs - heldFor.prefillMs;
  const { preemptAfterMs, preemptAfterPrefills } = step.state.tuning;
  const mostMs = Math.min(preemptAfterMs, preemptAfterPrefills * task.estimate.prefillMs);
  if (choice !== undefined || waitMs <= mostMs) return undefined;
  const victim = chooseVictim(step, pool, task, heldFor);
  const replicaId = victim?.running?.replicaId ?? '';
  const replica = pool.replicas.get(replicaId);
  if (victim === undefined || replica === undefined) return undefined;
  abort(step, victim, 'preempted');
  requeue(step, victim, 'preempted', victim.hasProgress);
  return { task, stopped: victim, replicaId, replica };
}

/**
 * The next in turn, were every replica open. Undefined when that is batch work: nobody waits for it so that
 * what a stop costs would be worth it.
 */
function nextInTurn(step: Step, pool: PoolState): TaskRecord | undefined {
  const { tasks, tenants } = step.state;
  const mayRun = (tenantId: string): boolean => tenants.mayRun(tenantId);
  const [next] = pool.queue.candidates(1, () => true, mayRun);
  return next?.priority === 'interactive' ? tasks.get(next.taskId) : undefined;
}

function chooseVictim(
  step: Step,
  pool: PoolState,
  task: TaskRecord,
  heldFor: Prospect | undefined,
): TaskRecord | undefined {
  let best: TaskRecord | undefined;
  for (const taskId of latest(pool.inDispatchOrder, MAX_VICTIMS)) {
    const victim = step.state.tasks.get(taskId);
    if (victim === undefined || !mayStop(step, pool, victim)) continue;
    if (!givesWay(step, pool, victim, task)) continue;
    if (best !== undefined && sunkTokens(victim) >= sunkTokens(best)) continue;
    if (makesRoom(step, pool, task, victim, heldFor)) best = victim;
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

/** Whether the victim's flow had so much that the task may take its place. */
function givesWay(step: Step, pool: PoolState, victim: TaskRecord, task: TaskRecord): boolean {
  const { tuning } = step.state;
  const ahead = aheadBy(step, pool, victim, task);
  if (victim.spec.priority === 'batch') return ahead >= -tuning.fairnessWindow;
  if (victim.spec.tenantId === task.spec.tenantId) return false;
  const waitedMs = step.nowMs - (task.waiting?.sinceMs ?? step.nowMs);
  const { uncachedTokens, outputTokens } = task.estimate;
  const cost = costOf(tuning, uncachedTokens, outputTokens);
  const gap = Math.min(tuning.preemptTenantGap, tuning.preemptTenantGapTasks * cost);
  return waitedMs >= tenantAfterMs(step, pool) && ahead >= gap;
}

/** How long a task waits before another tenant's may be stopped for it, ms. */
function tenantAfterMs({ state: { tuning } }: Step, { model }: PoolState): number {
  return Math.min(tuning.preemptTenantAfterMs, tuning.preemptTenantAfterHolds * model.holdMs);
}

/**
 * Service per unit weight by which the victim's flow is ahead of the task's, once the rest of its
 * charge is given back. Below zero the victim would come first again by its share: a class under the
 * load of the other would get its turns, and lose each of them at once.
 */
function aheadBy(step: Step, pool: PoolState, victim: TaskRecord, task: TaskRecord): number {
  const { tenants, tuning } = step.state;
  const { tenantId, priority } = victim.spec;
  const own = pool.queue.virtualTime(task.spec.tenantId, task.spec.priority);
  const theirs = pool.queue.virtualTime(tenantId, priority);
  if (own === undefined || theirs === undefined) return 0;
  const { estimate, hasProgress, outputTokens, chargedCost } = victim;
  const spent = hasProgress ? costOf(tuning, estimate.uncachedTokens, outputTokens) : 0;
  const weight = flowWeight(tenants, pool.spec?.classWeights, tenantId, priority);
  return theirs - Math.max(0, chargedCost - spent) / weight - own;
}

/** When a waiting task may come to take the place of another tenant's, absolute ms. */
export function nextPreemptionAtMs(step: Step, pool: PoolState): number | undefined {
  if (pool.spec?.preemption !== 'hard' || pool.held.count === 0) return undefined;
  const sinceMs = nextInTurn(step, pool)?.waiting?.sinceMs;
  const atMs = (sinceMs ?? -Infinity) + tenantAfterMs(step, pool);
  return atMs > step.nowMs ? atMs : undefined;
}

/** Whether the task would be dispatched to the victim's replica, were the victim not there. */
function makesRoom(
  step: Step,
  pool: PoolState,
  task: TaskRecord,
  victim: TaskRecord,
  heldFor: Prospect | undefined,
): boolean {
  const { state, nowMs } = step;
  const replicaId = victim.running?.replicaId ?? '';
  const replica = pool.replicas.get(replicaId);
  if (replica === undefined) return false;
  const block = blockOf(pool, task, replicaId, replica, nowMs);
  if (isHard(block) || block === 'anti-affinity') return false;
  const { view, load } = replica;
  if (runningOn(pool, replicaId) > view.slots) return false;
  const holder = pool.alone.get(replicaId);
  if (holder !== undefined && holder !== victim && holder !== task) return false;
  if (runsAlone(task, view) && runningOn(pool, replicaId) > 1) return false;
  const left = load.reservedTokens - reservedTokens(victim);
  if (left > 0 && left + reservedTokens(task) > (view.kvTokens ?? Infinity)) return false;
  const there = prospectOf(state, pool, task, replicaId, replica, undefined, NOTHING, nowMs);
  const isOnlyPrompt = load.prefilling === 1 && !victim.hasProgress;
  if (there.block !== undefined && !isOnlyPrompt) return false;
  const freed = { ...there, block: undefined };
  return (
    heldFor === undefined || heldFor.replicaId === replicaId || isBetter(pool, task, freed, heldFor)
  );
}

/** KV set aside for a task, on a replica or to be. */
function reservedTokens({ estimate, outputTokens }: TaskRecord): number {
  return estimate.promptTokens + Math.max(estimate.outputTokens, outputTokens);
}

/** KV that is lost: nothing before the first token has come, then prompt and output. */
function sunkTokens(victim: TaskRecord): number {
  return victim.hasProgress ? victim.estimate.promptTokens + victim.outputTokens : 0;
}

function latest(ids: ReadonlySet<string>, count: number): readonly string[] {
  const all = [...ids];
  return all.slice(Math.max(0, all.length - count)).reverse();
}
