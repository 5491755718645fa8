/**
 * The core as the daemon sees it. One step: decide events, apply each through the same fold that
 * recovery uses, hand out the effects. The caller makes the events durable before it acts on the
 * effects; the core itself does no I/O and knows no time but the one it is given.
 */
import { admit } from './admit.ts';
import { cancel, checkWatchdog, fail, finish, progress } from './attempts.ts';
import { endPastDeadline } from './end-waiting.ts';
import { applyEvent } from './fold.ts';
import { retryAfterMs } from './forecast.ts';
import { hasRoom } from './full-queue.ts';
import {
  drainPool,
  endDrain,
  loseReplica,
  regainCache,
  setAvailability,
  setPool,
  setReplica,
  setTenants,
  undrainPool,
} from './pools.ts';
import { recover } from './recovery.ts';
import { schedule } from './schedule.ts';
import { deleteSession, expireSession } from './sessions.ts';
import type { DurableState } from './snapshot.ts';
import type { Learned } from './snapshot.ts';
import { loadLearned, loadState, saveLearned, saveState } from './snapshot.ts';
import type { TimerValue } from './state.ts';
import { createState, poolOf } from './state.ts';
import type { Step } from './step.ts';
import { beginStep } from './step.ts';
import { arrangeDevices, noteUnloaded } from './swap.ts';
import type { Tuning } from './tuning.ts';
import { DEFAULT_TUNING } from './tuning.ts';
import type { Command, CoreEvent, Priority, SessionLimits, StepResult } from './types.ts';
import type { PoolView, SessionView, TaskView, WaitView } from './views.ts';
import { viewPool, viewSession, viewTask, viewWait } from './views.ts';

export interface CoreOptions {
  readonly sessionLimits: SessionLimits;
  readonly tuning?: Partial<Tuning>;
}

export interface ResumeOptions {
  /** Tasks of whose output any token may have been sent before the crash. */
  readonly outputSeen?: ReadonlySet<string>;
}

/**
 * Life: `loadState` (if there is a snapshot), `restore` each later event, `pool-set` for every
 * configured pool, `resume` once; then `step` for ever. A fresh core may start at `pool-set`.
 */
export interface Core {
  /** `nowMs` must not go back from one call to the next. */
  step(command: Command, nowMs: number): StepResult;
  /** Folds one durable event, without effects. @throws Error when the event contradicts the state */
  restore(event: CoreEvent, atMs: number): void;
  /** Ends recovery: attempts cut short by the crash run again where that is safe. */
  resume(nowMs: number, options?: ResumeOptions): StepResult;
  /** When to call `step({type: 'tick'})` next, or undefined when nothing is pending. */
  nextWakeMs(): number | undefined;
  task(taskId: string, nowMs: number): TaskView | undefined;
  /** Why a task waits; undefined when it does not. */
  wait(taskId: string, nowMs: number): WaitView | undefined;
  /** Every live task in order of arrival; O(n log n), for recovery and listings. */
  liveTasks(nowMs: number): readonly TaskView[];
  poolView(poolId: string): PoolView | undefined;
  /** How long a client should wait before it sends more of this class: 0 while there is room, ms. */
  backoffMs(poolId: string, priority: Priority, nowMs: number): number;
  session(sessionId: string, nowMs: number): SessionView | undefined;
  /** Tokens in a byte of this pool's prompts, as learned. */
  tokensPerByte(poolId: string): number;
  /** JSON-safe; equal to the fold of every event so far. */
  durableState(): DurableState;
  /** @throws Error when the core is not empty or the version is unknown */
  loadState(saved: DurableState): void;
  /** What was learned of the pools' speed; JSON-safe. A hint to start from, not part of the state. */
  learned(): Learned;
  /**
   * @param learned as an earlier core told it; whatever else it is does no harm
   * @returns the parts that are damaged or unknown and left unused, as `pool.part`
   */
  loadLearned(learned: unknown): readonly string[];
}

export function createCore(options: CoreOptions): Core {
  const { sessionLimits } = options;
  const state = createState({ ...DEFAULT_TUNING, ...options.tuning });

  function run(nowMs: number, decide: (step: Step) => void): StepResult {
    const step = beginStep(state, sessionLimits, nowMs);
    decide(step);
    for (const pool of step.touched) schedule(step, pool);
    for (const pool of arrangeDevices(step)) schedule(step, pool);
    return { events: step.events, effects: step.effects };
  }

  return {
    step: (command, nowMs) => run(nowMs, (step) => handle(step, command)),
    restore: (event, atMs) => applyEvent(state, event, atMs),
    resume: (nowMs, { outputSeen = new Set<string>() } = {}) =>
      run(nowMs, (step) => recover(step, outputSeen)),
    nextWakeMs: () => state.timers.peek()?.dueMs,
    task(taskId, nowMs) {
      const task = state.tasks.get(taskId);
      return task && viewTask(state, task, nowMs);
    },
    wait(taskId, nowMs) {
      const task = state.tasks.get(taskId);
      return task && viewWait(state, task, nowMs);
    },
    liveTasks: (nowMs) =>
      [...state.tasks.values()]
        .sort((a, b) => a.seq - b.seq)
        .map((task) => viewTask(state, task, nowMs)),
    poolView(poolId) {
      const pool = state.pools.get(poolId);
      return pool && viewPool(pool);
    },
    backoffMs(poolId, priority, nowMs) {
      const pool = state.pools.get(poolId);
      if (pool?.spec === undefined || hasRoom(pool.queue, pool.spec, priority)) return 0;
      return retryAfterMs(pool, nowMs);
    },
    session: (sessionId, nowMs) => viewSession(state, sessionId, nowMs),
    tokensPerByte: (poolId) => poolOf(state, poolId).model.tokensPerByte,
    durableState: () => saveState(state),
    loadState(saved) {
      if (state.nextSeq > 1) throw new Error('a snapshot is loaded before anything else');
      loadState(state, saved);
    },
    learned: () => saveLearned(state),
    loadLearned: (learned) => loadLearned(state, learned),
  };
}

function handle(step: Step, command: Command): void {
  switch (command.type) {
    case 'pool-set':
      return setPool(step, command.pool);
    case 'tenants-set':
      return setTenants(step, command.tenants);
    case 'pool-availability':
      return setAvailability(step, command.poolId, command.recoverable, command.reason);
    case 'replica-set':
      return setReplica(step, command.replica);
    case 'replica-gone':
      return loseReplica(step, command.poolId, command.replicaId, command.crashed === true);
    case 'pool-unloaded':
      return noteUnloaded(step, poolOf(step.state, command.poolId), command.savedCache);
    case 'cache-restored':
      return regainCache(step, command);
    case 'admit':
      return admit(step, command.task);
    case 'cancel':
      return cancel(step, command.taskId, command.reason);
    case 'progress':
      return progress(step, command);
    case 'finish':
      return finish(step, command);
    case 'fail':
      return fail(step, command);
    case 'drain':
      return drainPool(step, command.poolId, command.deadlineMs);
    case 'undrain':
      return undrainPool(step, command.poolId);
    case 'session-delete':
      return deleteSession(step, command.sessionId);
    case 'tick':
      return runDue(step);
  }
}

function runDue(step: Step): void {
  const { timers } = step.state;
  for (let due = timers.takeDue(step.nowMs); due; due = timers.takeDue(step.nowMs)) {
    fire(step, due.value);
  }
}

function fire(step: Step, timer: TimerValue): void {
  switch (timer.kind) {
    case 'attempt':
      return checkWatchdog(step, timer.taskId);
    case 'drain':
      return endDrain(step, timer.poolId);
    case 'deadline':
      return endPastDeadline(step, timer.taskId);
    case 'rest':
    case 'bind':
      return step.touch(poolOf(step.state, timer.poolId));
    case 'swap':
      // It is looked at after every step.
      return;
    case 'session':
      return expireSession(step, timer.sessionId);
  }
}
