/**
 * Applies one durable event. Live steps and recovery both come through here, so a state rebuilt
 * from the ledger is the state that wrote it. An event that does not fit the state is a damaged
 * ledger and throws; nothing is guessed.
 */
import { letGo, runsAlone } from './alone.ts';
import { giveBackKeys, NO_KEYS, takeKeys } from './apart.ts';
import { costOf, estimateTask, prepaidCost, urgencyOf } from './estimate.ts';
import type { WaitingTask } from './fair-queue.ts';
import { laneOf } from './lanes.ts';
import { replicaWorkMs } from './forecast.ts';
import { addTo, removeFrom } from './member-sets.ts';
import { NO_ESTIMATE } from './pool-model.ts';
import { coolSessions, endSession, putSession, sessionOf, warmSessions } from './session-index.ts';
import type { CoreState, PoolState, TaskRecord } from './state.ts';
import { attemptDue, poolOf, slotsChanged, timerKeys } from './state.ts';
import type { CoreEvent, TaskSpec, Usage } from './types.ts';
import { beginWait, checkFit, endUnmatched } from './waits.ts';

type EventOf<T extends CoreEvent['type']> = Extract<CoreEvent, { type: T }>;

/** @throws Error when the event contradicts the state */
export function applyEvent(state: CoreState, event: CoreEvent, atMs: number): void {
  switch (event.type) {
    case 'task.accepted':
      return applyAccepted(state, event, atMs);
    case 'task.foreseen':
      // Promises are the daemon's to keep; no decision rests on them.
      return void taskOf(state, event.taskId);
    case 'task.dispatched':
      return applyDispatched(state, event, atMs);
    case 'task.requeued':
      return applyRequeued(state, event, atMs);
    case 'task.accused':
      return applyAccused(state, event);
    case 'task.ended':
      return applyEnded(state, event, atMs);
    case 'session.turn':
      return putSession(state, event.session);
    case 'session.ended':
      return endSession(state, event.sessionId);
    case 'sessions.cooled':
      return coolSessions(state, event.poolId, event.replicaId);
    case 'sessions.warmed':
      return warmSessions(state, event.poolId, event.replicaId, event.sessions);
    case 'pool.draining': {
      const deadlineAtMs = atMs + event.deadlineMs;
      poolOf(state, event.poolId).drainDeadlineAtMs = deadlineAtMs;
      const timer = { kind: 'drain', poolId: event.poolId } as const;
      return state.timers.set(timerKeys.drain(event.poolId), deadlineAtMs, timer);
    }
    case 'pool.active':
      poolOf(state, event.poolId).drainDeadlineAtMs = undefined;
      return state.timers.cancel(timerKeys.drain(event.poolId));
  }
}

function applyAccepted(state: CoreState, event: EventOf<'task.accepted'>, atMs: number): void {
  if (state.tasks.has(event.taskId)) throw new Error(`task ${event.taskId} was accepted twice`);
  const task = newRecord(event.task, event.seq, atMs);
  state.nextSeq = event.seq + 1;
  state.tasks.set(event.taskId, task);
  enqueue(state, poolOf(state, task.spec.poolId), task, atMs);
}

/** A task that has just been accepted. */
export function newRecord(spec: TaskSpec, seq: number, acceptedAtMs: number): TaskRecord {
  return {
    spec,
    seq,
    acceptedAtMs,
    attempt: 0,
    running: undefined,
    faults: 0,
    crashes: 0,
    ranMs: 0,
    pinnedSetId: spec.setId,
    avoidReplicaId: undefined,
    preemptions: 0,
    estimate: NO_ESTIMATE,
    waiting: undefined,
    chargedCost: 0,
    expectedReuse: undefined,
    forecast: undefined,
    keysHeld: NO_KEYS,
    lastProgressMs: acceptedAtMs,
    outputTokens: 0,
    hasProgress: false,
    firstTokenAtMs: undefined,
  };
}

function applyDispatched(state: CoreState, event: EventOf<'task.dispatched'>, atMs: number): void {
  const task = taskOf(state, event.taskId);
  const pool = poolOf(state, task.spec.poolId);
  const waited = pool.queue.dispatch(event.taskId);
  if (waited === undefined) throw new Error(`task ${event.taskId} was not waiting`);
  startAttempt(state, task, { ...event, dispatchedAtMs: atMs });
  task.chargedCost += waited.cost;

  const session = sessionOf(state, task);
  if (session === undefined) return;
  const isHome = session.poolId === pool.poolId && session.replicaId === event.replicaId;
  if (isHome) return;
  putSession(state, {
    ...session,
    poolId: pool.poolId,
    replicaId: event.replicaId,
    kvTokens: 0,
  });
}

function applyRequeued(state: CoreState, event: EventOf<'task.requeued'>, atMs: number): void {
  const task = taskOf(state, event.taskId);
  const wasSeen = task.hasProgress;
  const attempt = stopAttempt(state, task, atMs);
  switch (event.reason) {
    case 'recovery':
      // The moment of a crash is unknown, so the attempt it cut short counts for nothing.
      break;
    case 'preempted':
      // Nor does one that was stopped for others: it is not the task that took so long.
      task.preemptions += 1;
      if (!wasSeen) chargeTo(state, task, 0);
      break;
    case 'drain':
      task.ranMs += atMs - attempt.dispatchedAtMs;
      break;
    case 'replica-crashed':
    case 'fault':
    case 'idle-timeout':
    case 'replica-gone':
      task.ranMs += atMs - attempt.dispatchedAtMs;
      task.faults += 1;
      if (event.reason === 'replica-crashed') task.crashes += 1;
      task.avoidReplicaId = attempt.replicaId;
  }
  task.pinnedSetId = event.pinnedSetId;
  enqueue(state, poolOf(state, task.spec.poolId), task, atMs);
}

function applyAccused(state: CoreState, { taskId }: EventOf<'task.accused'>): void {
  const task = taskOf(state, taskId);
  task.crashes += 1;
  const { replicas } = poolOf(state, task.spec.poolId);
  const replica = task.running && replicas.get(task.running.replicaId);
  if (replica !== undefined) takeKeys(task, replica);
}

function applyEnded(state: CoreState, event: EventOf<'task.ended'>, atMs: number): void {
  const task = taskOf(state, event.taskId);
  const pool = poolOf(state, task.spec.poolId);
  if (task.running === undefined) {
    endUnmatched(pool, task, atMs);
    letGo(pool, task);
    state.timers.cancel(timerKeys.deadline(event.taskId));
    pool.queue.remove(event.taskId);
    pool.constrained.delete(event.taskId);
  } else {
    const { replicaId, dispatchedAtMs } = stopAttempt(state, task, atMs);
    if (event.outcome.kind === 'completed') {
      const { usage } = event.outcome;
      settleCost(state, task, usage);
      const isCutOff = event.outcome.finishReason === 'length';
      pool.model.observeEnd(task.spec, usage, isCutOff, atMs - dispatchedAtMs);
      const session = sessionOf(state, task);
      if (session !== undefined) {
        const { tokensIn, tokensOut } = usage;
        const tokens = tokensIn + tokensOut;
        putSession(state, {
          ...session,
          kvTokens: session.replicaId === replicaId ? tokens : session.kvTokens,
          tokensTotal: session.tokensTotal + tokens,
        });
      }
    }
  }
  state.tasks.delete(event.taskId);
}

function taskOf(state: CoreState, taskId: string): TaskRecord {
  const task = state.tasks.get(taskId);
  if (task === undefined) throw new Error(`no live task ${taskId}`);
  return task;
}

/** Puts a task in the queue with a fresh estimate of what it needs. */
export function enqueue(state: CoreState, pool: PoolState, task: TaskRecord, nowMs: number): void {
  const { taskId } = task.spec;
  task.estimate = estimateTask(pool, task);
  task.waiting = beginWait(pool, nowMs);
  const waiting = waitingOf(state, pool, task);
  pool.queue.push(waiting);
  const { deadlineAtMs } = task.spec;
  // What has run before is not ended by its deadline.
  if (deadlineAtMs !== undefined && task.attempt === 0) {
    state.timers.set(timerKeys.deadline(taskId), deadlineAtMs, { kind: 'deadline', taskId });
  }
  if (task.spec.placement === undefined) return;
  pool.constrained.add(taskId);
  checkFit(pool, task, waiting.lane, nowMs);
}

/** The task as the queue sees it, by its present estimate. */
export function waitingOf(state: CoreState, pool: PoolState, task: TaskRecord): WaitingTask {
  const { taskId, tenantId, priority } = task.spec;
  const { prefillMs, holdMs, uncachedTokens, outputTokens } = task.estimate;
  return {
    taskId,
    seq: task.seq,
    tenantId,
    priority,
    lane: laneOf(pool, task),
    urgencyMs: urgencyOf(state.tuning, task),
    // What earlier attempts were charged for is not paid for again.
    cost: Math.max(1, prepaidCost(state.tuning, uncachedTokens, outputTokens) - task.chargedCost),
    workMs: replicaWorkMs(pool, prefillMs, holdMs),
  };
}

/** Brings what the task's flow was charged, over all attempts, to `cost`. */
export function chargeTo(state: CoreState, task: TaskRecord, cost: number): void {
  const { poolId, tenantId, priority } = task.spec;
  poolOf(state, poolId).queue.charge(tenantId, priority, cost - task.chargedCost);
  task.chargedCost = cost;
}

/** Counts a running task as in flight, with the most that it is known or expected to cost. */
export function countInFlight(state: CoreState, task: TaskRecord): void {
  const { taskId, poolId, tenantId, priority } = task.spec;
  const { uncachedTokens, outputTokens } = task.estimate;
  const most = Math.max(outputTokens, task.outputTokens);
  const cost = costOf(state.tuning, uncachedTokens, most);
  poolOf(state, poolId).inFlight.set(taskId, tenantId, priority, cost);
}

function settleCost(state: CoreState, task: TaskRecord, usage: Usage): void {
  const uncached = Math.max(0, usage.tokensIn - usage.cachedTokens);
  chargeTo(state, task, costOf(state.tuning, uncached, usage.tokensOut));
}

interface AttemptStart {
  readonly attempt: number;
  readonly replicaId: string;
  readonly setId: string;
  readonly dispatchedAtMs: number;
}

/** What the scheduler expects of an attempt; folded events, which know nothing of it, leave it out. */
export interface AttemptPlan {
  readonly uncachedTokens: number;
  readonly cachedTokens: number;
  readonly prefillMs: number;
}

export function startAttempt(state: CoreState, task: TaskRecord, start: AttemptStart): void {
  const { taskId, poolId, tenantId } = task.spec;
  const { attempt, replicaId, setId, dispatchedAtMs } = start;
  const pool = poolOf(state, poolId);
  task.attempt = attempt;
  task.running = { replicaId, setId, dispatchedAtMs };
  endUnmatched(pool, task, dispatchedAtMs);
  letGo(pool, task);
  state.timers.cancel(timerKeys.deadline(taskId));
  task.waiting = undefined;
  pool.constrained.delete(taskId);
  task.lastProgressMs = dispatchedAtMs;
  task.outputTokens = 0;
  task.hasProgress = false;
  const replica = pool.replicas.get(replicaId);
  slotsChanged(pool, replicaId, () => {
    addTo(pool.running, replicaId, taskId);
    if (replica !== undefined && runsAlone(task, replica.view)) pool.alone.set(replicaId, task);
  });
  state.tenants.started(tenantId);
  pool.held.count += 1;
  pool.held.dispatchedAtSumMs += dispatchedAtMs;
  pool.inDispatchOrder.add(taskId);
  if (replica !== undefined) takeKeys(task, replica);
  // While events are folded the pool may have no spec yet; recovery ends these attempts anyway.
  if (pool.spec === undefined) return;
  const { dueMs } = attemptDue(task, task.running, pool.spec);
  state.timers.set(timerKeys.attempt(taskId), dueMs, { kind: 'attempt', taskId });
}

function stopAttempt(state: CoreState, task: TaskRecord, nowMs: number) {
  const { taskId, poolId, tenantId } = task.spec;
  const { running } = task;
  if (running === undefined) throw new Error(`task ${taskId} is not running`);
  const pool = poolOf(state, poolId);
  task.running = undefined;
  // What was not used of the predicted output is given back; a prompt that was sent counts.
  const { uncachedTokens } = task.estimate;
  chargeTo(
    state,
    task,
    Math.min(task.chargedCost, costOf(state.tuning, uncachedTokens, task.outputTokens)),
  );
  const { replicaId } = running;
  slotsChanged(pool, replicaId, () => {
    removeFrom(pool.running, replicaId, taskId);
    if (pool.alone.get(replicaId) === task) pool.alone.delete(replicaId);
  });
  const replica = pool.replicas.get(replicaId);
  replica?.load.end(taskId, nowMs);
  giveBackKeys(task, replica);
  if (state.tenants.stopped(tenantId)) wakePoolsOf(state, tenantId);
  pool.held.count -= 1;
  pool.held.dispatchedAtSumMs -= running.dispatchedAtMs;
  pool.inDispatchOrder.delete(taskId);
  pool.inFlight.end(taskId);
  pool.model.observeFreed(nowMs, pool.queue.size > 0);
  state.timers.cancel(timerKeys.attempt(taskId));
  return running;
}

/** A tenant came off its limit: its tasks may start in any pool. */
function wakePoolsOf(state: CoreState, tenantId: string): void {
  for (const pool of state.pools.values()) {
    if (pool.queue.sizeOfTenant(tenantId) > 0) state.woken.add(pool);
  }
}
