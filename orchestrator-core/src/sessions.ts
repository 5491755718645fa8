/**
 * Sessions are short (ORCH-3021): a fixed time to live from the first turn and a number of turns,
 * counted at admission. A turn beyond either starts the same id afresh, without its KV.
 */
import type { Step } from './step.ts';
import type { CoreState, TaskRecord } from './state.ts';
import type { SessionState, TaskSpec } from './types.ts';

/** Counts the turn of a task accepted under `seq`, ending sessions that it outlives or displaces. */
export function takeTurn(step: Step, task: TaskSpec, seq: number): void {
  const { sessionId, tenantId, poolId } = task;
  if (sessionId === undefined) return;
  const { state, sessionLimits, nowMs } = step;
  let session = state.sessions.get(sessionId);
  if (
    session !== undefined &&
    (session.expiresAtMs <= nowMs || session.turns >= sessionLimits.maxTurns)
  ) {
    expireSession(step, sessionId);
    session = undefined;
  }
  if (session === undefined && state.sessions.size >= state.tuning.maxSessions) {
    const [oldest] = state.sessions.keys();
    if (oldest !== undefined) expireSession(step, oldest);
  }
  session ??= {
    sessionId,
    tenantId,
    poolId,
    firstSeq: seq,
    turns: 0,
    expiresAtMs: nowMs + sessionLimits.ttlMs,
    replicaId: undefined,
    kvTokens: 0,
    tokensTotal: 0,
  };
  const moved = session.poolId === poolId ? {} : { poolId, replicaId: undefined, kvTokens: 0 };
  const turn = { ...session, ...moved, turns: session.turns + 1 };
  step.record({ type: 'session.turn', session: turn });
}

export function expireSession(step: Step, sessionId: string): void {
  step.record({ type: 'session.ended', sessionId, reason: 'expired' });
}

export function deleteSession(step: Step, sessionId: string): void {
  if (!step.state.sessions.has(sessionId)) return;
  step.record({ type: 'session.ended', sessionId, reason: 'deleted' });
}

/** A session id belongs to the tenant that used it first, for as long as the session lives. */
export function isForeignSession(state: CoreState, task: TaskSpec, nowMs: number): boolean {
  const session = task.sessionId === undefined ? undefined : state.sessions.get(task.sessionId);
  return session !== undefined && session.expiresAtMs > nowMs && session.tenantId !== task.tenantId;
}

/** The replica that holds the KV of the task's session, or undefined when there is none to reuse. */
export function warmReplicaOf(
  session: SessionState | undefined,
  { spec }: TaskRecord,
): string | undefined {
  if (session === undefined || spec.kvHint === 'cold') return undefined;
  return session.poolId === spec.poolId ? session.replicaId : undefined;
}
