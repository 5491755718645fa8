/** Which sessions live, and which replica holds the KV of each: as the events left it. */
import { addTo, removeFrom } from './member-sets.ts';
import type { CoreState, TaskRecord } from './state.ts';
import { poolOf, timerKeys } from './state.ts';
import type { SessionCache, SessionState } from './types.ts';

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

/** @throws Error when there is no such session */
export function endSession(state: CoreState, sessionId: string): void {
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

/** Nothing is left of the sessions' KV on the replica. */
export function coolSessions(state: CoreState, poolId: string, replicaId: string): void {
  const ids = poolOf(state, poolId).sessionsByReplica.get(replicaId);
  for (const sessionId of [...(ids ?? [])]) {
    const session = state.sessions.get(sessionId);
    if (session !== undefined) {
      putSession(state, { ...session, replicaId: undefined, kvTokens: 0 });
    }
  }
}

/** The replica has the sessions' KV again: those are warm that are still of its pool and have none elsewhere. */
export function warmSessions(
  state: CoreState,
  poolId: string,
  replicaId: string,
  sessions: readonly SessionCache[],
): void {
  for (const { sessionId, kvTokens } of sessions) {
    const session = state.sessions.get(sessionId);
    if (session === undefined || !isColdIn(session, poolId)) continue;
    putSession(state, { ...session, replicaId, kvTokens });
  }
}

/** A session of the pool of which no replica has anything. */
export function isColdIn(session: SessionState, poolId: string): boolean {
  return session.poolId === poolId && session.replicaId === undefined;
}
