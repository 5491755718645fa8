/**
 * Applies one durable event. Live steps and recovery both come through here, so a state rebuilt
 * from the ledger is the state that wrote it. An event that does not fit the state is a damaged
 * ledger and throws; nothing is guessed.
 */
import type { CoreState, PoolState, TaskRecord } from './state.ts';
import { attemptDue, poolOf, slotsChanged, timerKeys } from './state.ts';
import type { CoreEvent, SessionState } from './types.ts';

type EventOf<T extends CoreEvent['type']> = Extract<CoreEvent, { type: T }>;

/** @throws Error when the event contradicts the state */
export function applyEvent(state: CoreState, event: CoreEvent, atMs: number): void {
  switch (event.type) {
    case 'task.accepted':
      return applyAccepted(state, event, atMs);
    case 'task.dispatched':
      return applyDispatched(state, event, atMs);
    case 'task.requeued':
      return applyRequeued(state, event, atMs);
    case 'task.ended':
      return applyEnded(state, event, atMs);
    case 'session.turn':
      return putSession(state, event.session);
    case 'session.ended':
      return endSession(state, event.sessionId);
    case 'sessions.cooled':
      return coolSessions(state, event);
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
  const task: TaskRecord = {
    spec: event.task,
    seq: event.seq,
    acceptedAtMs: atMs,
    attempt: 0,
    running: undefined,
    faults: 0,
    ranMs: 0,
    pinnedSetId: undefined,
    avoidReplicaId: undefined,
    lastProgressMs: atMs,
    hasProgress: false,
  };
  state.nextSeq = event.seq + 1;
  state.tasks.set(event.taskId, task);
  enqueue(poolOf(state, task.spec.poolId), task);
}

function applyDispatched(state: CoreState, event: EventOf<'task.dispatched'>, atMs: number): void {
  const task = taskOf(state, event.taskId);
  const pool = poolOf(state, task.spec.poolId);
  if (!pool.queue.remove(event.taskId)) throw new Error(`task ${event.taskId} was not waiting`);
  startAttempt(state, task, { ...event, dispatchedAtMs: atMs });

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
  const attempt = stopAttempt(state, task);
  // The moment of a crash is unknown, so the attempt it cut short counts for nothing.
  if (event.reason !== 'recovery') task.ranMs += atMs - attempt.dispatchedAtMs;
  if (event.reason !== 'recovery' && event.reason !== 'drain') {
    task.faults += 1;
    task.avoidReplicaId = attempt.replicaId;
  }
  task.pinnedSetId = event.pinnedSetId;
  enqueue(poolOf(state, task.spec.poolId), task);
}

function applyEnded(state: CoreState, event: EventOf<'task.ended'>, atMs: number): void {
  const task = taskOf(state, event.taskId);
  const pool = poolOf(state, task.spec.poolId);
  if (task.running === undefined) {
    pool.queue.remove(event.taskId);
  } else {
    const { replicaId, dispatchedAtMs } = stopAttempt(state, task);
    if (event.outcome.kind === 'completed') {
      pool.predictor.observe(task.spec.priority, atMs - dispatchedAtMs);
      const session = sessionOf(state, task);
      if (session !== undefined) {
        const { tokensIn, tokensOut } = event.outcome.usage;
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

export function enqueue(pool: PoolState, task: TaskRecord): void {
  const { taskId, priority } = task.spec;
  pool.queue.push({ taskId, priority, seq: task.seq, pinnedSetId: task.pinnedSetId });
}

interface AttemptStart {
  readonly attempt: number;
  readonly replicaId: string;
  readonly setId: string;
  readonly dispatchedAtMs: number;
}

export function startAttempt(state: CoreState, task: TaskRecord, start: AttemptStart): void {
  const { taskId, poolId, priority } = task.spec;
  const { attempt, replicaId, setId, dispatchedAtMs } = start;
  const pool = poolOf(state, poolId);
  task.attempt = attempt;
  task.running = { replicaId, setId, dispatchedAtMs };
  task.lastProgressMs = dispatchedAtMs;
  task.hasProgress = false;
  slotsChanged(pool, replicaId, () => addTo(pool.running, replicaId, taskId));
  pool.load[priority].count += 1;
  pool.load[priority].dispatchedAtSumMs += dispatchedAtMs;
  // While events are folded the pool may have no spec yet; recovery ends these attempts anyway.
  if (pool.spec === undefined) return;
  const { dueMs } = attemptDue(task, task.running, pool.spec);
  state.timers.set(timerKeys.attempt(taskId), dueMs, { kind: 'attempt', taskId });
}

function stopAttempt(state: CoreState, task: TaskRecord) {
  const { taskId, poolId, priority } = task.spec;
  const { running } = task;
  if (running === undefined) throw new Error(`task ${taskId} is not running`);
  const pool = poolOf(state, poolId);
  task.running = undefined;
  const { replicaId } = running;
  slotsChanged(pool, replicaId, () => removeFrom(pool.running, replicaId, taskId));
  pool.load[priority].count -= 1;
  pool.load[priority].dispatchedAtSumMs -= running.dispatchedAtMs;
  state.timers.cancel(timerKeys.attempt(taskId));
  return running;
}

/** The session a task belongs to, unless that one has ended and another took its id. */
export function sessionOf(state: CoreState, task: TaskRecord): SessionState | undefined {
  const { sessionId } = task.spec;
  const session = sessionId === undefined ? undefined : state.sessions.get(sessionId);
  return session !== undefined && session.firstSeq <= task.seq ? session : undefined;
}

/** Keeps the map in `firstSeq` order: a live session is updated in place, a new one goes last. */
export function putSession(state: CoreState, session: SessionState): void {
  const { sessionId, poolId, replicaId } = session;
  const before = state.sessions.get(sessionId);
  if (before !== undefined) unlinkSession(state, before);
  state.sessions.set(sessionId, session);
  if (replicaId !== undefined) addTo(poolOf(state, poolId).sessionsByReplica, replicaId, sessionId);
  if (before?.expiresAtMs !== session.expiresAtMs) {
    const timer = { kind: 'session', sessionId } as const;
    state.timers.set(timerKeys.session(sessionId), session.expiresAtMs, timer);
  }
}

function endSession(state: CoreState, sessionId: string): void {
  const session = state.sessions.get(sessionId);
  if (session === undefined) throw new Error(`no live session ${sessionId}`);
  unlinkSession(state, session);
  state.sessions.delete(sessionId);
  state.timers.cancel(timerKeys.session(sessionId));
}

function unlinkSession(state: CoreState, { sessionId, poolId, replicaId }: SessionState): void {
  if (replicaId !== undefined) {
    removeFrom(poolOf(state, poolId).sessionsByReplica, replicaId, sessionId);
  }
}

function coolSessions(state: CoreState, event: EventOf<'sessions.cooled'>): void {
  const ids = poolOf(state, event.poolId).sessionsByReplica.get(event.replicaId);
  for (const sessionId of [...(ids ?? [])]) {
    const session = state.sessions.get(sessionId);
    if (session !== undefined) {
      putSession(state, { ...session, replicaId: undefined, kvTokens: 0 });
    }
  }
}

function addTo(index: Map<string, Set<string>>, key: string, member: string): void {
  const members = index.get(key);
  if (members === undefined) index.set(key, new Set([member]));
  else members.add(member);
}

function removeFrom(index: Map<string, Set<string>>, key: string, member: string): void {
  const members = index.get(key);
  members?.delete(member);
  if (members?.size === 0) index.delete(key);
}
