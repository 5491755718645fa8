/**
 * Carries out the core's `dispatch` and `abort`: one attempt per running task, each with its own
 * AbortController, and once a second a `metrics` event on every running stream.
 */
import { OrchError } from '@llama-orch/contracts';
import type { Effect } from '@llama-orch/orchestrator-core';
import type { Lease, PoolManager, ReplicaHandle } from '@llama-orch/pool-managerd';
import { runAttempt, toFault, type AttemptEnd, type AttemptPorts } from './attempt.ts';
import type { LiveTask } from './live-task.ts';
import { isAnsweredWhole } from './whole-answers.ts';

export type DispatchEffect = Extract<Effect, { type: 'dispatch' }>;
export type AbortEffect = Extract<Effect, { type: 'abort' }>;

export interface DispatcherOptions extends AttemptPorts {
  readonly pools: PoolManager;
  /** The lease held on a replica, if it is held. */
  readonly leaseOf: (replicaId: string) => Lease | undefined;
  /** An attempt on the replica is over. */
  readonly onAttemptOver: (replicaId: string) => void;
  /** The last running attempt is over. */
  readonly onIdle: () => void;
  /** An attempt failed with something we did not foresee. */
  readonly onUnexpected: (task: LiveTask, error: unknown) => void;
}

interface RunningAttempt {
  readonly task: LiveTask;
  readonly attempt: number;
  readonly replicaId: string;
  readonly abort: AbortController;
  /** Resolves when nothing of it runs anywhere any more; never rejects. */
  over: Promise<void>;
}

/** Tokens within this time are a sign of life, ms. */
const SPEAKING_MS = 2_000;
/** Between two signs of life of an attempt that may not start yet, ms. */
const WAITING_BEAT_MS = 50;

export class Dispatcher {
  readonly #options: DispatcherOptions;
  readonly #running = new Map<string, RunningAttempt>();
  /** Aborted attempts that may still run where they were. */
  readonly #ending = new Set<RunningAttempt>();

  constructor(options: DispatcherOptions) {
    this.#options = options;
  }

  get running(): number {
    return this.#running.size;
  }

  runningOn(replicaId: string): number {
    let count = 0;
    for (const running of this.#running.values()) if (running.replicaId === replicaId) count += 1;
    return count;
  }

  /** Tasks on a slot now. */
  *tasks(): Iterable<LiveTask> {
    for (const { task } of this.#running.values()) yield task;
  }

  /** Starts an attempt, from inside the core's step: the engine has its work before anything else is done. */
  dispatch(task: LiveTask, effect: DispatchEffect): void {
    const { attempt, replicaId } = effect;
    const running: RunningAttempt = {
      task,
      attempt,
      replicaId,
      abort: new AbortController(),
      over: Promise.resolve(),
    };
    this.#running.set(task.taskId, running);
    running.over = this.#run(running, effect);
  }

  abort(effect: AbortEffect): void {
    const running = this.#running.get(effect.taskId);
    if (running?.attempt !== effect.attempt) return;
    this.#forget(running);
    this.#noteEnding(running);
    running.abort.abort();
    // A task that took too long says nothing of the engine, unless it could not speak before its end; one
    // that went silent does, unless the engine speaks to others: then it is busy, and a check would have
    // to queue behind them.
    const silence = isAnsweredWhole(running.task.record.request) ? 'wall-timeout' : 'idle-timeout';
    if (effect.reason === silence && !this.#isSpeaking(effect.replicaId)) {
      this.#options.pools.suspect(effect.replicaId, 'hung', 'a task went silent on it');
    }
  }

  /** Drops every attempt without telling the core: at shutdown their tasks stay running in the ledger. */
  abandonAll(): void {
    for (const { abort } of this.#running.values()) abort.abort();
    this.#running.clear();
  }

  async #run(running: RunningAttempt, effect: DispatchEffect): Promise<void> {
    const { task, attempt, abort } = running;
    let end: AttemptEnd = {};
    const inTheWay = [...this.#ending].filter(
      (each) => each.task === task || (effect.alone && each.replicaId === running.replicaId),
    );
    try {
      if (inTheWay.length > 0) await this.#untilOver(inTheWay, running);
      if (abort.signal.aborted) return;
      const replica = this.#use(effect.replicaId);
      task.replica = replica.snapshot;
      end = await runAttempt(task, attempt, replica, abort.signal, this.#options);
    } catch (error) {
      // Only `#use` refuses here (fenced, not ready); runAttempt reports for itself.
      if (!(error instanceof OrchError)) this.#options.onUnexpected(task, error);
      this.#options.command({
        type: 'fail',
        taskId: task.taskId,
        attempt,
        fault: toFault(error),
        tokensSent: task.log.tokens,
      });
    } finally {
      this.#forget(running);
    }
    if (end.suspicion !== undefined) {
      this.#options.pools.suspect(effect.replicaId, end.suspicion, end.detail ?? '');
    }
  }

  #noteEnding(attempt: RunningAttempt): void {
    this.#ending.add(attempt);
    void attempt.over.then(() => this.#ending.delete(attempt));
  }

  /**
   * One task never runs twice at once, and what runs alone has no rest of others beside it. An engine behind
   * a way that broke may go on for a while, and as long as that is not known to be over the next attempt
   * waits, which is no silence of its engine.
   */
  async #untilOver(
    earlier: readonly RunningAttempt[],
    { task, attempt }: RunningAttempt,
  ): Promise<void> {
    const { clock, command } = this.#options;
    const later = (): (() => void) => clock.setTimer(WAITING_BEAT_MS, beat);
    const beat = (): void => {
      command({ type: 'progress', taskId: task.taskId, attempt, tokensOut: 0 });
      cancel = later();
    };
    let cancel = later();
    await Promise.all(earlier.map(({ over }) => over));
    cancel();
  }

  /** Some attempt on the replica was given tokens lately. */
  #isSpeaking(replicaId: string): boolean {
    const since = this.#options.clock.now() - SPEAKING_MS;
    for (const { task, replicaId: at } of this.#running.values()) {
      if (at === replicaId && (task.lastTokenAtMs ?? -Infinity) >= since) return true;
    }
    return false;
  }

  #forget(running: RunningAttempt): void {
    const { taskId } = running.task;
    if (this.#running.get(taskId) !== running) return;
    this.#running.delete(taskId);
    this.#options.onAttemptOver(running.replicaId);
    if (this.#running.size === 0) this.#options.onIdle();
  }

  /** @throws OrchError POOL_UNREADY */
  #use(replicaId: string): ReplicaHandle {
    const lease = this.#options.leaseOf(replicaId);
    if (lease === undefined) {
      throw new OrchError('POOL_UNREADY', `no lease is held on replica ${replicaId}`);
    }
    return this.#options.pools.use(lease);
  }
}
