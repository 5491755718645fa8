/** Fills free slots from the queue: one pool, whenever a task or a slot may have become free. */
import { dropVoidKeeps, keepFor } from './alone.ts';
import { sideOfReplica } from './canary.ts';
import type { PoolCause } from './decision.ts';
import { dispatch } from './dispatch.ts';
import { asideOf, type Unable } from './dispatch-journal.ts';
import { endLate, failAll, failStranded, isLate } from './end-waiting.ts';
import type { WaitingTask } from './fair-queue.ts';
import { foresee } from './foresee.ts';
import { isBatchKeptBack } from './batch-room.ts';
import { parseLane } from './lanes.ts';
import type { Promised, Prospect } from './placement.ts';
import { NOTHING, placeTask, prospectOf } from './placement.ts';
import { planOrder } from './plan-order.ts';
import { promise, workAt } from './plan-arrival.ts';
import { makeRoomByPreemption, nextPreemptionAtMs } from './preemption.ts';
import { isNotLoaded } from './residency.ts';
import { blockOf, seatsOf } from './seats.ts';
import type { PoolState, ReplicaRecord, TaskRecord } from './state.ts';
import { freeSlotsOn, timerKeys } from './state.ts';
import type { Step } from './step.ts';

/**
 * Afterwards no open replica could serve a waiting task sooner than the replica that the task is held
 * for, unless the pool drains or the task's tenant is at its limit (OC-CORE-1010).
 */
export function schedule(step: Step, pool: PoolState): void {
  pool.gathered = 0;
  const newcomers = pool.newcomers.splice(0);
  dropVoidKeeps(step, pool);
  if (pool.spec === undefined || pool.queue.size === 0) return;
  if (pool.unavailableReason !== undefined) return failAll(step, pool, pool.unavailableReason);
  if (pool.drainDeadlineAtMs !== undefined) {
    return pool.waitClock.set('pool-draining', step.nowMs);
  }
  if (isNotLoaded(pool)) return pool.waitClock.set('model-not-loaded', step.nowMs);
  if (newcomers.length > 1) foresee(step, pool, newcomers);
  dispatchKept(step, pool);
  if (pool.queue.size === 0) return;
  const held: Held[] = [];
  while (dispatchNext(step, pool, held) || dispatchByPreemption(step, pool, held)) {
    if (pool.queue.size === 0) return;
  }
  failStranded(step, pool);
  pool.waitClock.set(causeOf(step, pool), step.nowMs);
  wakeWhenOpen(step, pool);
}

/** Replicas that were kept for one task, and where nothing runs any more, take it: it was its turn already. */
function dispatchKept(step: Step, pool: PoolState): void {
  const { state, nowMs } = step;
  for (const [replicaId, task] of [...pool.alone]) {
    const replica = pool.replicas.get(replicaId);
    if (replica === undefined || task.running !== undefined) continue;
    if (blockOf(pool, task, replicaId, replica, nowMs) !== undefined) continue;
    const place = prospectOf(state, pool, task, replicaId, replica, undefined, NOTHING, nowMs);
    if (isLate(step, pool, task, place.firstTokenMs)) endLate(step, pool, task, place.firstTokenMs);
    else dispatch(step, pool, task, place, {});
  }
}

/** With time alone, without any news, a replica comes to be open for a prompt, or a turn to be overdue. */
function wakeWhenOpen(step: Step, pool: PoolState): void {
  const { state, nowMs } = step;
  let inMs = Infinity;
  for (const [replicaId, replica] of pool.replicas) {
    if (!hasFreeSlot(step, pool, replicaId, replica)) continue;
    // One that is open now is left to tasks held for another: estimates change, so it is asked again.
    const bindInMs = replica.load.outlook(nowMs).bindInMs;
    inMs = Math.min(inMs, bindInMs > 0 ? bindInMs : state.tuning.askAgainMs);
  }
  const preemptAtMs = nextPreemptionAtMs(step, pool);
  if (preemptAtMs !== undefined) inMs = Math.min(inMs, preemptAtMs - nowMs);
  const { poolId } = pool;
  if (inMs === Infinity) return state.timers.cancel(timerKeys.bind(poolId));
  state.timers.set(timerKeys.bind(poolId), nowMs + Math.max(1, inMs), { kind: 'bind', poolId });
}

/** A task at the head of the order, and the replica that it waits for; undefined when none will do. */
interface Held {
  readonly task: TaskRecord;
  readonly heldFor: Prospect | undefined;
}

/** Stops a running task and dispatches the one that it was stopped for, before it could return. */
function dispatchByPreemption(step: Step, pool: PoolState, held: Held[]): boolean {
  const room = makeRoomByPreemption(step, pool);
  if (room === undefined) return false;
  held.length = 0;
  const { task, stopped, replicaId, replica } = room;
  const { state, nowMs } = step;
  // Whatever is forecast now of the step that it was stopped in: that slot is free for this task.
  const place = prospectOf(state, pool, task, replicaId, replica, undefined, NOTHING, nowMs);
  dispatch(step, pool, task, place, { stoppedSeq: stopped.seq });
  return true;
}

/**
 * Dispatches, or ends, one waiting task. False when there is nothing to do now.
 * @param held who was held in the pass before, in order; brought up to date
 */
function dispatchNext(step: Step, pool: PoolState, held: Held[]): boolean {
  const { state } = step;
  if (!hasOpenReplica(step, pool, NOTHING) || isBatchKeptBack(pool, step.nowMs)) return false;
  const limit = state.tuning.lookahead;
  const lanes = new Map<string, boolean>();
  const unable: Unable = { lanes: new Set(), tenantIds: new Set() };
  const isOpen = (lane: string): boolean => {
    let open = lanes.get(lane);
    if (open === undefined) {
      open = isLaneOpen(step, pool, lane);
      lanes.set(lane, open);
      if (!open) unable.lanes.add(lane);
    }
    return open;
  };
  const mayRun = (tenantId: string): boolean => {
    const may = state.tenants.mayRun(tenantId);
    if (!may) unable.tenantIds.add(tenantId);
    return may;
  };
  for (;;) {
    const candidates = pool.queue.candidates(limit, isOpen, mayRun);
    const closed = lookThrough(step, pool, candidates, held, unable);
    if (closed === undefined) return true;
    // Tasks kept apart from others must not hide those of other lanes behind them.
    if (closed.size === 0) return false;
    for (const lane of closed) {
      lanes.set(lane, false);
      unable.lanes.add(lane);
    }
  }
}

/**
 * Acts on the first candidate that something can be done about. Those before it stay held when the next
 * pass finds them in the same places: a dispatch makes its replica no better for them.
 * @returns undefined when it did; else the lanes of tasks that are blocked by anti-affinity
 */
function lookThrough(
  step: Step,
  pool: PoolState,
  candidates: readonly WaitingTask[],
  held: Held[],
  unable: Unable,
): ReadonlySet<string> | undefined {
  const { state, nowMs } = step;
  const closed = new Set<string>();
  const promised: Promised = new Map();
  const { tasks, givenUp } = planOrder(state, pool, candidates, nowMs);
  for (const task of givenUp) {
    const { prefillMs } = task.estimate;
    if (!isLate(step, pool, task, prefillMs)) continue;
    endLate(step, pool, task, prefillMs);
    return undefined;
  }
  pool.batchRoom.isNext = tasks[0]?.spec.priority === 'batch';
  const seats = seatsOf(pool, nowMs);
  for (const [at, task] of tasks.slice(0, state.tuning.candidates).entries()) {
    if (held[at]?.task !== task) {
      held.length = at;
      const { choice, heldFor } = placeTask(state, pool, task, promised, nowMs, seats);
      const prospect = choice ?? heldFor;
      // Behind others it may yet be planned otherwise: what counts is whether it could be in time alone.
      const aloneMs = prospect && prospect.firstTokenMs - prospect.promisedMs;
      if (aloneMs !== undefined && isLate(step, pool, task, aloneMs)) {
        endLate(step, pool, task, aloneMs);
        return undefined;
      }
      if (choice !== undefined) {
        const aside = asideOf(unable, tasks.slice(0, at), givenUp, pool.queue.yielding());
        dispatch(step, pool, task, choice, { aside }, seats);
        return undefined;
      }
      held.push({ task, heldFor });
    }
    const heldFor = held[at]?.heldFor;
    if (heldFor?.block === 'anti-affinity')
      closed.add(pool.queue.get(task.spec.taskId)?.lane ?? '');
    if (heldFor?.block === 'not-idle' && !promised.has(heldFor.replicaId)) {
      keepFor(pool, task, heldFor.replicaId);
    }
    if (task.waiting !== undefined) {
      task.waiting.heldForId = task.waiting.keptId ?? heldFor?.replicaId;
    }
    // Batch work that is kept back takes no place from those behind it.
    if (heldFor === undefined || heldFor.block === 'kept-back') continue;
    promise(promised, heldFor.replicaId, workAt(pool, task, heldFor));
    if (!hasOpenReplica(step, pool, promised)) break;
  }
  return closed;
}

/** Whether a task could be bound now to some replica that nobody is held for. */
function hasOpenReplica(step: Step, pool: PoolState, promised: Promised): boolean {
  if (pool.freeSlots === 0) return false;
  for (const [replicaId, replica] of pool.replicas) {
    if (promised.has(replicaId) || !hasFreeSlot(step, pool, replicaId, replica)) continue;
    const { bindInMs, room } = replica.load.outlook(step.nowMs);
    if (bindInMs <= 0 || room > 0) return true;
  }
  return false;
}

/** It could take some task; of which size, labels and set is another question. */
function hasFreeSlot(
  step: Step,
  pool: PoolState,
  replicaId: string,
  replica: ReplicaRecord,
): boolean {
  return replica.restsUntilMs <= step.nowMs && freeSlotsOn(pool, replicaId) > 0;
}

function isLaneOpen(step: Step, pool: PoolState, lane: string): boolean {
  // Without constraints an open replica is all it takes, and there is one.
  if (lane === '') return true;
  const { setId, replicaIds, side } = parseLane(lane);
  for (const replicaId of replicaIds ?? pool.replicas.keys()) {
    const replica = pool.replicas.get(replicaId);
    if (replica === undefined || !hasFreeSlot(step, pool, replicaId, replica)) continue;
    if (side !== null && side !== sideOfReplica(replica.view)) continue;
    if (setId === null || replica.view.setId === setId) return true;
  }
  return false;
}

/** What keeps those who wait from being dispatched. */
function causeOf(step: Step, pool: PoolState): PoolCause {
  let cause: PoolCause = 'no-ready-replica';
  for (const [replicaId, replica] of pool.replicas) {
    const { view, restsUntilMs, load } = replica;
    if (!view.ready || restsUntilMs > step.nowMs) continue;
    if (freeSlotsOn(pool, replicaId) === 0) {
      if (cause === 'no-ready-replica') cause = 'no-free-slot';
    } else if (load.outlook(step.nowMs).bindInMs > 0) {
      cause = 'replicas-prefilling';
    } else if (view.kvTokens !== undefined && load.reservedTokens * 1.1 > view.kvTokens) {
      cause = 'no-kv-room';
    } else {
      return 'turn';
    }
  }
  return cause;
}
