/** Sends a task to a replica, and tells how that was decided. */
import { batchShare } from './batch-room.ts';
import type { DispatchDecision } from './decision.ts';
import type { Circumstances } from './dispatch-journal.ts';
import { prepaidCost } from './estimate.ts';
import { chargeTo, countInFlight } from './fold.ts';
import type { Prospect } from './placement.ts';
import type { Seats } from './seats.ts';
import { warmReplicaOf } from './sessions.ts';
import { sessionOf } from './session-index.ts';
import type { PoolState, TaskRecord } from './state.ts';
import type { Step } from './step.ts';
import { verdictsOf } from './verdicts.ts';
import { NO_WAIT, turnOf, waitOf } from './waits.ts';

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
  pool.dispatches += 1;
  choice.replica.lastDispatch = pool.dispatches;
  load.begin(taskId, choice, outputTokens, view.kvTokens, nowMs);
  if (task.spec.priority === 'interactive') {
    load.readers.begin(taskId);
    pool.batchRoom.interactiveDispatched(nowMs);
  } else {
    pool.batchRoom.dispatched(choice.prefillMs, pool.replicas.size, batchShare(pool), nowMs);
  }
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
