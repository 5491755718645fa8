/**
 * One step's working set. Deciders look at the state, `record` the events they decide, and the
 * state they read next already includes them; effects come out beside, in the same order.
 */
import { runsAlone } from './alone.ts';
import { applyEvent } from './fold.ts';
import { poolOf, type CoreState, type PoolState } from './state.ts';
import type { CoreEvent, DispatchDecision, Effect, SessionLimits, StepResult } from './types.ts';
import { waitOf } from './waits.ts';

export interface Step extends StepResult {
  readonly state: CoreState;
  readonly sessionLimits: SessionLimits;
  readonly nowMs: number;
  /** Pools where a task or a slot may have become free: scheduled when the command is done. */
  readonly touched: ReadonlySet<PoolState>;
  /** @param decision goes with `task.dispatched` */
  record(event: CoreEvent, decision?: DispatchDecision): void;
  effect(effect: Effect): void;
  touch(pool: PoolState): void;
}

export function beginStep(state: CoreState, sessionLimits: SessionLimits, nowMs: number): Step {
  const events: CoreEvent[] = [];
  const effects: Effect[] = [];
  const touched = new Set<PoolState>();
  return {
    state,
    sessionLimits,
    nowMs,
    events,
    effects,
    touched,
    record(event, decision) {
      const effect = effectOf(event, state, nowMs, decision);
      applyEvent(state, event, nowMs);
      events.push(event);
      if (effect !== undefined) effects.push(effect);
      if (state.woken.size === 0) return;
      for (const pool of state.woken) touched.add(pool);
      state.woken.clear();
    },
    effect(effect) {
      effects.push(effect);
    },
    touch(pool) {
      touched.add(pool);
    },
  };
}

function endOf(
  { taskId, outcome }: Extract<CoreEvent, { type: 'task.ended' }>,
  state: CoreState,
  nowMs: number,
) {
  const task = state.tasks.get(taskId);
  const wait = task && waitOf(state, poolOf(state, task.spec.poolId), task, nowMs);
  return { taskId, outcome, wait };
}

/** What the daemon must do about an event; read against the state before the event. */
function effectOf(
  event: CoreEvent,
  state: CoreState,
  nowMs: number,
  decision: DispatchDecision | undefined,
): Effect | undefined {
  switch (event.type) {
    case 'task.accepted':
    case 'task.foreseen':
    case 'task.accused':
      return undefined;
    case 'task.dispatched': {
      const { taskId, attempt, replicaId, kvWarmth } = event;
      const task = state.tasks.get(taskId);
      if (task === undefined || decision === undefined) return undefined;
      const { poolId } = task.spec;
      const view = poolOf(state, poolId).replicas.get(replicaId)?.view;
      const alone = view !== undefined && runsAlone(task, view);
      return { type: 'dispatch', taskId, attempt, poolId, replicaId, kvWarmth, alone, decision };
    }
    case 'task.requeued':
      return { type: 'requeued', taskId: event.taskId, reason: event.reason };
    case 'task.ended':
      return { type: 'ended', ...endOf(event, state, nowMs) };
    case 'session.ended': {
      const replicaId = state.sessions.get(event.sessionId)?.replicaId;
      if (replicaId === undefined) return undefined;
      return { type: 'evict-session', sessionId: event.sessionId, replicaId };
    }
    case 'session.turn': {
      const before = state.sessions.get(event.session.sessionId);
      const hasLeft = before !== undefined && before.poolId !== event.session.poolId;
      if (!hasLeft || before.replicaId === undefined) return undefined;
      return {
        type: 'evict-session',
        sessionId: before.sessionId,
        replicaId: before.replicaId,
      };
    }
    case 'sessions.cooled':
    case 'sessions.warmed':
    case 'pool.draining':
    case 'pool.active':
      return undefined;
  }
}
