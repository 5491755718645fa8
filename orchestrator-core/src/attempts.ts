/** How attempts end: well, by a fault and perhaps a re-run, by a watchdog, by cancel. */
import { MOST_CRASHES, noteFault } from './apart.ts';
import { costOf } from './estimate.ts';
import { chargeTo, countInFlight } from './fold.ts';
import { retryAfterMs } from './forecast.ts';
import { reusesCache } from './placement.ts';
import type { PoolState, TaskRecord } from './state.ts';
import { attemptDue, poolOf, timerKeys } from './state.ts';
import type { Step } from './step.ts';
import type { AttemptFault, CancelReason, Command, Effect, RequeueReason } from './types.ts';

type CommandOf<T extends Command['type']> = Extract<Command, { type: T }>;
type AbortReason = Extract<Effect, { type: 'abort' }>['reason'];

export function progress(step: Step, command: CommandOf<'progress'>): void {
  const task = runningTask(step, command);
  if (task === undefined) return;
  const { state, nowMs } = step;
  task.lastProgressMs = nowMs;
  if (command.tokensOut === 0) return;
  task.hasProgress = true;
  const pool = poolOf(state, task.spec.poolId);
  const replica = task.running && pool.replicas.get(task.running.replicaId);
  if (replica === undefined || task.running === undefined) return;
  replica.load.progress(task.spec.taskId, command.tokensOut, nowMs, command.lastTokenMs);
  if (task.outputTokens === 0) {
    noteFirstToken(pool, task, nowMs);
    // The replica can take another prompt.
    if (pool.queue.size > 0) step.touch(pool);
  }
  task.outputTokens = command.tokensOut;
  const cost = costOf(state.tuning, task.estimate.uncachedTokens, command.tokensOut);
  if (cost > task.chargedCost) chargeTo(state, task, cost);
  if (command.tokensOut > task.estimate.outputTokens) countInFlight(state, task);
}

function noteFirstToken(pool: PoolState, task: TaskRecord, nowMs: number): void {
  if (task.firstTokenAtMs !== undefined) return;
  task.firstTokenAtMs = nowMs;
  learnForecast(pool, task, nowMs);
}

/** Learns how wrong the forecast of the first token was. */
export function learnForecast(pool: PoolState, task: TaskRecord, firstTokenAtMs: number): void {
  const { forecast, acceptedAtMs } = task;
  if (forecast === undefined) return;
  const { kind, modelMs, lowMs, highMs } = forecast;
  pool.model.observeForecast(kind, modelMs, firstTokenAtMs - acceptedAtMs, [lowMs, highMs]);
}

export function finish(step: Step, command: CommandOf<'finish'>): void {
  const task = runningTask(step, command);
  if (task?.running === undefined) return;
  const pool = poolOf(step.state, task.spec.poolId);
  const replica = pool.replicas.get(task.running.replicaId);
  if (replica !== undefined) {
    replica.faults = 0;
    // Of a short answer this may be all that is ever told. A whole one is there when its prompts are
    // done, which is the moment of a first token.
    const { answersWhole } = task.spec;
    const tokensOut = answersWhole ? 1 : command.usage.tokensOut;
    if (tokensOut > 0) replica.load.progress(command.taskId, tokensOut, step.nowMs);
    if (answersWhole) noteFirstToken(pool, task, step.nowMs);
  }
  const { taskId, finishReason, usage, prefix } = command;
  if (task.forecast !== undefined) {
    const endMs = task.forecast.firstTokenMs + task.estimate.decodeMs;
    pool.model.observeForecast('end', endMs, step.nowMs - task.acceptedAtMs);
  }
  const { replicaId } = task.running;
  if (task.expectedReuse !== undefined && replica !== undefined && reusesCache(task, replica)) {
    pool.prefixes.correct(replicaId, task.expectedReuse, usage.cachedTokens);
  }
  if (prefix !== undefined) pool.prefixes.insert(replicaId, prefix);
  step.record({ type: 'task.ended', taskId, outcome: { kind: 'completed', finishReason, usage } });
  step.touch(pool);
}

export function fail(step: Step, command: CommandOf<'fail'>): void {
  const task = runningTask(step, command);
  if (task?.running === undefined) return;
  const { fault, tokensSent } = command;
  if (fault.retriable) restReplica(step, task, task.running.replicaId, fault.retryAfterMs);
  settleFault(step, task, fault, 'fault', tokensSent > 0);
}

/** Ends the task at once, waiting or running; a task that is not live is left alone (ORCH-3026). */
export function cancel(step: Step, taskId: string, reason: CancelReason): void {
  const task = step.state.tasks.get(taskId);
  if (task === undefined) return;
  abort(step, task, reason);
  step.record({ type: 'task.ended', taskId, outcome: { kind: 'canceled', reason } });
  step.touch(poolOf(step.state, task.spec.poolId));
}

/** The replica under the task is lost; it has left the pool already. */
export function loseAttempt(step: Step, task: TaskRecord, hasCrashed: boolean): void {
  abort(step, task, 'replica-gone');
  if (hasCrashed && task.crashes + 1 >= MOST_CRASHES) {
    stopPoison(step, task);
    return;
  }
  const fault = { code: 'WORKER_RESET', message: 'the replica was lost', retriable: true } as const;
  const reason = hasCrashed ? 'replica-crashed' : 'replica-gone';
  settleFault(step, task, fault, reason, task.hasProgress);
}

/** An attempt of the task had failed on a replica whose engine has crashed since. */
export function accuse(step: Step, task: TaskRecord): void {
  step.record({ type: 'task.accused', taskId: task.spec.taskId });
  if (task.crashes < MOST_CRASHES) return;
  abort(step, task, 'poison');
  stopPoison(step, task);
}

function stopPoison(step: Step, task: TaskRecord): void {
  const message = `${MOST_CRASHES} engines crashed while this task ran on them`;
  endFailed(step, task, { code: 'WORKER_RESET', message, retriable: false });
}

/** The watchdog's timer fired (ORCH-3016): progress since it was set only moves it on. */
export function checkWatchdog(step: Step, taskId: string): void {
  const task = step.state.tasks.get(taskId);
  const pool = task && poolOf(step.state, task.spec.poolId);
  if (!task?.running || !pool?.spec) return;
  const { dueMs, timeout } = attemptDue(task, task.running, pool.spec);
  if (dueMs > step.nowMs) {
    step.state.timers.set(timerKeys.attempt(taskId), dueMs, { kind: 'attempt', taskId });
    return;
  }
  const { replicaId } = task.running;
  if (timeout === 'wall') {
    abort(step, task, 'wall-timeout');
    const message = `not done after ${pool.spec.wallMs} ms on a slot`;
    endFailed(step, task, { code: 'DECODE_TIMEOUT', message, retriable: true });
  } else {
    abort(step, task, 'idle-timeout');
    restReplica(step, task, replicaId);
    const message = `no token for ${pool.spec.idleMs} ms`;
    const fault = { code: 'DECODE_TIMEOUT', message, retriable: true } as const;
    settleFault(step, task, fault, 'idle-timeout', task.hasProgress);
  }
}

/** The drain's deadline has passed: what can run again waits for the end of the drain. */
export function cutShort(step: Step, task: TaskRecord): void {
  abort(step, task, 'drain');
  if (isSafeToRerun(task, task.hasProgress)) {
    requeue(step, task, 'drain', task.hasProgress);
  } else {
    const message = 'the pool drained before the task was done';
    endFailed(step, task, { code: 'POOL_UNREADY', message, retriable: true });
  }
}

/** True when nobody saw output, or the same output will come again. */
export function isSafeToRerun(task: TaskRecord, outputSeen: boolean): boolean {
  return task.spec.rerunnable || !outputSeen;
}

export function requeue(
  step: Step,
  task: TaskRecord,
  reason: RequeueReason,
  outputSeen: boolean,
): void {
  const pinnedSetId = task.pinnedSetId ?? (outputSeen ? task.running?.setId : undefined);
  step.record({ type: 'task.requeued', taskId: task.spec.taskId, reason, pinnedSetId });
  step.touch(poolOf(step.state, task.spec.poolId));
}

export function endFailed(step: Step, task: TaskRecord, fault: AttemptFault): void {
  const pool = poolOf(step.state, task.spec.poolId);
  step.record({
    type: 'task.ended',
    taskId: task.spec.taskId,
    outcome: {
      kind: 'failed',
      ...fault,
      retryAfterMs: fault.retriable
        ? Math.max(retryAfterMs(pool, step.nowMs), fault.retryAfterMs ?? 0)
        : undefined,
    },
  });
  step.touch(pool);
}

function settleFault(
  step: Step,
  task: TaskRecord,
  fault: AttemptFault,
  reason: RequeueReason,
  outputSeen: boolean,
): void {
  const spec = poolOf(step.state, task.spec.poolId).spec;
  const ranMs = task.ranMs + step.nowMs - (task.running?.dispatchedAtMs ?? step.nowMs);
  const isWithinBudget =
    spec !== undefined && task.faults + 1 < spec.maxAttempts && ranMs < spec.wallMs;
  const mayRetry = fault.retriable && isWithinBudget;
  if (mayRetry && isSafeToRerun(task, outputSeen)) requeue(step, task, reason, outputSeen);
  else endFailed(step, task, fault);
}

/** Undefined for a task that has ended and for an attempt that is not the running one. */
function runningTask(
  step: Step,
  { taskId, attempt }: { readonly taskId: string; readonly attempt: number },
): TaskRecord | undefined {
  const task = step.state.tasks.get(taskId);
  return task?.running !== undefined && task.attempt === attempt ? task : undefined;
}

export function abort(step: Step, task: TaskRecord, reason: AbortReason): void {
  if (task.running === undefined) return;
  const { taskId } = task.spec;
  const { replicaId } = task.running;
  step.effect({ type: 'abort', taskId, attempt: task.attempt, replicaId, reason });
}

/** Replicas that failed together, such as those of one host, are not asked again together. */
const JITTER = 0.5;
/** An engine that asks for longer is asked again all the same: what it waited for may be over, ms. */
const MOST_ASKED_MS = 60_000;

/** In [0, 1), spread evenly over numbers that follow each other (Knuth's multiplicative hash). */
function fractionOf(value: number): number {
  return (Math.imul(value, 2654435761) >>> 0) / 2 ** 32;
}

/**
 * Keeps a broken replica, which frees its slots fastest of all, from swallowing the queue before
 * anyone has marked it unready. Faults of attempts that ran beside the first one count once.
 */
function restReplica(step: Step, task: TaskRecord, replicaId: string, askedMs = 0): void {
  const { state, nowMs } = step;
  const pool = poolOf(state, task.spec.poolId);
  const replica = pool.replicas.get(replicaId);
  if (replica === undefined) return;
  noteFault(replica, task.spec.taskId, nowMs);
  const isResting = replica.restsUntilMs > nowMs;
  const asked = nowMs + Math.min(askedMs, MOST_ASKED_MS);
  if (isResting && replica.restsUntilMs >= asked) return;
  const { cooldownBaseMs, cooldownMaxMs } = state.tuning;
  if (!isResting) replica.faults += 1;
  const restMs = Math.min(cooldownMaxMs, cooldownBaseMs * 2 ** (replica.faults - 1));
  const jittered = nowMs + restMs * (1 - JITTER * fractionOf(task.seq));
  replica.restsUntilMs = Math.max(replica.restsUntilMs, jittered, asked);
  const key = timerKeys.rest(pool.poolId, replicaId);
  state.timers.set(key, replica.restsUntilMs, { kind: 'rest', poolId: pool.poolId });
}
