/** Fills free slots from the queue: one pool, whenever a task or a slot may have become free. */
import { mayRefuse } from './admission.ts';
import { learnForecast } from './attempts.ts';
import type { DispatchDecision, PoolCause } from './decision.ts';
import { asideOf, type Circumstances, type Unable } from './dispatch-journal.ts';
import { deadlineNeedMs, onTime, prepaidCost } from './estimate.ts';
import { chargeTo, countInFlight, sessionOf } from './fold.ts';
import type { WaitingTask } from './fair-queue.ts';
import { parseLane } from './lanes.ts';
import type { Promised, Prospect } from './placement.ts';
import { NOTHING, placeTask } from './placement.ts';
import { planOrder } from './plan-order.ts';
import { promise, workAt } from './plan-arrival.ts';
import { makeRoomByPreemption, nextPreemptionAtMs } from './preemption.ts';
import { seatsOf, type Seats } from './seats.ts';
import { warmReplicaOf } from './sessions.ts';
import type { PoolState, ReplicaRecord, TaskRecord } from './state.ts';
import { runningOn, timerKeys } from './state.ts';
import type { Step } from './step.ts';
import { verdictsOf } from './verdicts.ts';
import { NO_WAIT, turnOf, waitOf } from './waits.ts';

/**
 * Afterwards no open replica could serve a waiting task sooner than the replica that the task is held
 * for, unless the pool drains or the task's tenant is at its limit (OC-CORE-1010).
 */
export function schedule(step: Step, pool: PoolState): void {
  pool.gathered = 0;
  if (pool.spec === undefined || pool.queue.size === 0) return;
  if (pool.unavailableReason !== undefined) return failAll(step, pool, pool.unavailableReason);
  if (pool.drainDeadlineAtMs !== undefined) {
    return pool.waitClock.set('pool-draining', step.nowMs);
  }
  while (dispatchNext(step, pool) || dispatchByPreemption(step, pool)) {
    if (pool.queue.size === 0) return;
  }
  failStranded(step, pool);
  pool.waitClock.set(causeOf(step, pool), step.nowMs);
  wakeWhenOpen(step, pool);
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

/** Stops a running task and dispatches the one that it was stopped for, before it could return. */
function dispatchByPreemption(step: Step, pool: PoolState): boolean {
  const room = makeRoomByPreemption(step, pool);
  if (room === undefined) return false;
  const { task, stopped } = room;
  const { choice } = placeTask(step.state, pool, task, new Map(), step.nowMs);
  if (choice !== undefined) dispatch(step, pool, task, choice, { stoppedSeq: stopped.seq });
  return true;
}

/** Dispatches, or ends, one waiting task. False when there is nothing to do now. */
function dispatchNext(step: Step, pool: PoolState): boolean {
  const { state } = step;
  if (!hasOpenReplica(step, pool, NOTHING)) return false;
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
    const closed = lookThrough(step, pool, pool.queue.candidates(limit, isOpen, mayRun), unable);
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
 * Acts on the first candidate that something can be done about.
 * @returns undefined when it did; else the lanes of tasks that are blocked by anti-affinity
 */
function lookThrough(
  step: Step,
  pool: PoolState,
  candidates: readonly WaitingTask[],
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
  const seats = seatsOf(pool, nowMs);
  for (const [at, task] of tasks.slice(0, state.tuning.candidates).entries()) {
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
    if (heldFor?.block === 'anti-affinity')
      closed.add(pool.queue.get(task.spec.taskId)?.lane ?? '');
    if (task.waiting !== undefined) task.waiting.heldForId = heldFor?.replicaId;
    if (heldFor === undefined) continue;
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
  const { view, restsUntilMs } = replica;
  return view.ready && restsUntilMs <= step.nowMs && runningOn(pool, replicaId) < view.slots;
}

function isLaneOpen(step: Step, pool: PoolState, lane: string): boolean {
  // Without constraints an open replica is all it takes, and there is one.
  if (lane === '') return true;
  const { setId, replicaIds } = parseLane(lane);
  for (const replicaId of replicaIds ?? pool.replicas.keys()) {
    const replica = pool.replicas.get(replicaId);
    if (replica === undefined || !hasFreeSlot(step, pool, replicaId, replica)) continue;
    if (setId === null || replica.view.setId === setId) return true;
  }
  return false;
}

export function dispatch(
  step: Step,
  pool: PoolState,
  task: TaskRecord,
  choice: Prospect,
  circumstances: Circumstances,
  seats?: Seats,
): void {
  const { state, nowMs } = step;
  const { taskId } = task.spec;
  const preempted = circumstances.stoppedSeq !== undefined;
  const decision = decisionOn(step, pool, task, choice, preempted, seats);
  const turn = turnOf(pool, task, circumstances, nowMs);
  const session = sessionOf(state, task);
  const isHome = choice.replicaId === warmReplicaOf(session, task);
  step.record(
    {
      type: 'task.dispatched',
      taskId,
      attempt: task.attempt + 1,
      replicaId: choice.replicaId,
      setId: choice.replica.view.setId,
      kvWarmth: isHome && (session?.kvTokens ?? 0) > 0,
    },
    decision,
  );
  pool.journal.add(turn);
  const { uncachedTokens } = choice;
  const { outputTokens } = task.estimate;
  const { load, view } = choice.replica;
  choice.replica.lastTurn = pool.journal.count;
  load.begin(taskId, choice, outputTokens, view.kvTokens, nowMs);
  const { prefix } = task.spec;
  if (prefix !== undefined) {
    task.expectedReuse = pool.prefixes.insert(choice.replicaId, prefix);
    load.pending.add(taskId, prefix, task.expectedReuse?.tokens ?? 0);
  }
  chargeTo(state, task, prepaidCost(state.tuning, uncachedTokens, outputTokens));
  countInFlight(state, task);
}

function decisionOn(
  step: Step,
  pool: PoolState,
  task: TaskRecord,
  choice: Prospect,
  preempted: boolean,
  seats?: Seats,
): DispatchDecision {
  const { state, nowMs } = step;
  return {
    ...(waitOf(state, pool, task, nowMs) ?? NO_WAIT),
    replicas: verdictsOf(state, pool, task, choice.replicaId, nowMs, seats),
    firstTokenMs: choice.firstTokenMs,
    preempted,
  };
}

/** Whether the deadline can no longer be kept, as far as the predictions are founded (ORCH-3079). */
function isLate(step: Step, pool: PoolState, task: TaskRecord, firstTokenMs: number): boolean {
  const { deadlineAtMs } = task.spec;
  // What has run before is finished even when late: its reader has part of it, or its work is done.
  if (deadlineAtMs === undefined || task.attempt > 0) return false;
  const leftMs = deadlineAtMs - step.nowMs;
  if (leftMs <= 0) return true;
  if (!mayRefuse(step.state.tuning, pool)) return false;
  const chance = onTime(pool, task, firstTokenMs, true, leftMs);
  return chance < step.state.tuning.shedBelow;
}

function endLate(step: Step, pool: PoolState, task: TaskRecord, firstTokenMs: number): void {
  // It would have come no sooner: else only those who are in time would teach what to expect.
  learnForecast(pool, task, step.nowMs + firstTokenMs);
  const needMs = Math.ceil(deadlineNeedMs(task, firstTokenMs));
  const leftMs = Math.max(0, Math.round((task.spec.deadlineAtMs ?? 0) - step.nowMs));
  step.record({
    type: 'task.ended',
    taskId: task.spec.taskId,
    outcome: {
      kind: 'failed',
      code: 'DEADLINE_UNMET',
      message: `its turn came with ${leftMs} ms left of the ${needMs} ms that it would need`,
      retriable: true,
      retryAfterMs: undefined,
    },
  });
}

/** What keeps those who wait from being dispatched. */
function causeOf(step: Step, pool: PoolState): PoolCause {
  let cause: PoolCause = 'no-ready-replica';
  for (const [replicaId, replica] of pool.replicas) {
    const { view, restsUntilMs, load } = replica;
    if (!view.ready || restsUntilMs > step.nowMs) continue;
    if (runningOn(pool, replicaId) >= view.slots) {
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

function failAll(step: Step, pool: PoolState, reason: string): void {
  for (const { taskId } of pool.queue.inArrivalOrder()) {
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
  const lanes = pool.queue.lanes();
  if (lanes.length === 0 || (lanes.length === 1 && lanes[0] === '')) return;
  const views = [...pool.replicas.values()].map(({ view }) => view);
  if (views.length === 0 || views.some((view) => !view.ready)) return;
  for (const lane of lanes) {
    const setId = lane === '' ? null : parseLane(lane).setId;
    if (setId === null || views.some((view) => view.setId === setId)) continue;
    endLane(step, pool, lane);
  }
}

function endLane(step: Step, pool: PoolState, lane: string): void {
  for (const waiting of pool.queue.inArrivalOrder()) {
    if (waiting.lane !== lane) continue;
    step.record({
      type: 'task.ended',
      taskId: waiting.taskId,
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
