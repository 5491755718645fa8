/**
 * Every task that has not ended, and what the daemon does when the core decides about one: the effect
 * handler. Ended tasks move to the ledger's archive in the same transaction as their `task.ended`.
 */
import type {
  CoreEvent,
  Effect,
  Outcome,
  PromiseEffect,
  RequeueReason,
} from '@llama-orch/orchestrator-core';
import type { Logger } from '../logging.ts';
import type { AccountsOf } from '../metrics/accounts.ts';
import { shownChance, storedForecast } from './admission-promise.ts';
import { packArchived, toStoredAdmission, toStoredOrder } from './archived-record.ts';
import { ArrivalList } from './arrival-list.ts';
import type { EffectHandler, EffectWrites } from './core-host.ts';
import type { AbortEffect, DispatchEffect } from './dispatcher.ts';
import {
  deadlineKept,
  endedView,
  isAudit,
  outputOf,
  type AcceptedDetail,
  type ForeseenDetail,
  type LiveTask,
} from './live-task.ts';
import {
  latencyLabels,
  logFields,
  poolFields,
  replicaLabels,
  requestFields,
  taskLabels,
} from './task-fields.ts';
import { keptDecision, keptWait } from './task-history.ts';
import { terminalEntry } from './terminal-entry.ts';
import { lastIdOf, type TranscriptWriter } from './transcript-writer.ts';

type EndedEffect = Extract<Effect, { type: 'ended' }>;

export interface TaskBookOptions {
  readonly transcripts: TranscriptWriter;
  readonly accountsOf: AccountsOf;
  readonly log: Logger;
  readonly dispatch: (task: LiveTask, effect: DispatchEffect) => void;
  readonly abort: (effect: AbortEffect) => void;
  readonly evictSession: (sessionId: string, replicaId: string) => void;
  readonly sessionEnded: (sessionId: string) => void;
  /** Starts, or ends, the engines of a pool that shares its devices. */
  readonly loadPool: (poolId: string) => void;
  readonly unloadPool: (poolId: string) => void;
  /** What a full queue of the pool does: the policy that evicted a task. */
  readonly fullPolicyOf: (poolId: string) => string;
  readonly weightOf: (tenantId: string) => number;
  /** Data of a `metrics` event for a task, see `MetricsEvent` in the contract. */
  readonly signals: (task: LiveTask) => object;
  /** A running task was stopped for others: its readers should hear of it. */
  readonly onPreempted: (task: LiveTask) => void;
  /** It has completed, and all of it is durable. */
  readonly onCompleted: (task: LiveTask) => void;
}

export class TaskBook implements EffectHandler {
  readonly #options: TaskBookOptions;
  readonly #tasks = new Map<string, LiveTask>();
  readonly #byArrival = new ArrivalList<LiveTask>();
  readonly #poolLogs = new Map<string, Logger>();

  constructor(options: TaskBookOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#tasks.size;
  }

  get(taskId: string): LiveTask | undefined {
    return this.#tasks.get(taskId);
  }

  /** A newcomer; it is listed once the core has accepted it. */
  add(task: LiveTask): void {
    this.#tasks.set(task.taskId, task);
  }

  /** A task that an earlier life of the daemon accepted. Call in order of arrival. */
  restore(task: LiveTask): void {
    this.#tasks.set(task.taskId, task);
    this.#byArrival.push(task);
    this.#options.accountsOf(task).scheduling.accepted(task);
  }

  drop(taskId: string): void {
    const task = this.#tasks.get(taskId);
    if (task === undefined) return;
    this.#tasks.delete(taskId);
    this.#byArrival.remove(task);
  }

  /** Accepted tasks that have not ended, newest first, with an arrival number below the given one. */
  newestFirst(below?: number): Iterable<LiveTask> {
    return this.#byArrival.newestFirst(below);
  }

  /** Every task that has not ended, oldest first. */
  all(): Iterable<LiveTask> {
    return this.#tasks.values();
  }

  observe(event: CoreEvent): void {
    if (event.type === 'session.ended') this.#options.sessionEnded(event.sessionId);
    if (event.type !== 'task.accepted') return;
    const task = this.#tasks.get(event.taskId);
    if (task === undefined) return;
    task.arrival = event.seq;
    this.#byArrival.push(task);
    this.#options.accountsOf(task).scheduling.accepted(task);
  }

  detail(event: CoreEvent): AcceptedDetail | ForeseenDetail | undefined {
    if (event.type !== 'task.accepted' && event.type !== 'task.foreseen') return undefined;
    const task = this.#tasks.get(event.taskId);
    if (task === undefined) return undefined;
    const { forecast } = task.admission;
    const told = { forecast: forecast && storedForecast(forecast) };
    return event.type === 'task.accepted' ? { ...task.record, ...told } : told;
  }

  handle(effect: Effect, nowMs: number): EffectWrites | undefined {
    switch (effect.type) {
      case 'accepted':
        this.#accepted(effect);
        return undefined;
      case 'foreseen':
        this.#promised(effect);
        return undefined;
      case 'rejected':
        return undefined;
      case 'dispatch':
        return this.#dispatched(effect, nowMs);
      case 'abort':
        this.#options.abort(effect);
        return undefined;
      case 'requeued':
        this.#requeued(effect.taskId, effect.reason, nowMs);
        return undefined;
      case 'ended':
        return this.#ended(effect, nowMs);
      case 'evict-session':
        this.#options.evictSession(effect.sessionId, effect.replicaId);
        return undefined;
      case 'load-pool':
        this.#options.loadPool(effect.poolId);
        return undefined;
      case 'unload-pool':
        this.#options.unloadPool(effect.poolId);
        return undefined;
    }
  }

  #accepted(effect: PromiseEffect): void {
    const task = this.#promised(effect);
    if (task === undefined) return;
    // Counting and logging can wait until the engine has been asked and the ledger has its write.
    queueMicrotask(() => this.#report(task));
  }

  #promised(effect: PromiseEffect): LiveTask | undefined {
    const { taskId, queuePosition, predictedStartMs, forecast } = effect;
    const task = this.#tasks.get(taskId);
    if (task !== undefined) task.admission = { queuePosition, predictedStartMs, forecast };
    return task;
  }

  #report(task: LiveTask): void {
    const { accountsOf, weightOf } = this.#options;
    const { queuePosition, predictedStartMs, forecast } = task.admission;
    const chance = forecast?.onTimeProbability;
    accountsOf(task).metrics.tasksEnqueued.inc(taskLabels(task));
    this.#poolLog(task).info(
      {
        ...requestFields(task, weightOf(task.record.tenantId)),
        queue_position: queuePosition,
        predicted_start_ms: Math.round(predictedStartMs),
        on_time_probability: chance === undefined ? undefined : shownChance(chance),
      },
      'task accepted',
    );
  }

  /** A logger that has written what all tasks of a pool share once and for all. */
  #poolLog(task: LiveTask): Logger {
    const { poolId } = task.record;
    let log = this.#poolLogs.get(poolId);
    if (log === undefined) {
      log = this.#options.log.child(poolFields(task));
      this.#poolLogs.set(poolId, log);
    }
    return log;
  }

  /**
   * Its output is shown only once the dispatch is durable: after a crash a task that was never dispatched is
   * one that nobody has seen anything of, which may run on any replica set and number its log anew.
   */
  #dispatched(effect: DispatchEffect, nowMs: number): EffectWrites | undefined {
    const task = this.#tasks.get(effect.taskId);
    if (task === undefined) return undefined;
    const show = task.log.hold();
    task.attempts = effect.attempt;
    task.kvWarmth = effect.kvWarmth;
    task.dispatchedAtMs ??= nowMs;
    task.startedAtMs = nowMs;
    this.#options.dispatch(task, effect);
    const { attempt, replicaId, decision } = effect;
    const { metrics, scheduling } = this.#options.accountsOf(task);
    // Whether the engine then takes the task or not: the wait is over.
    if (attempt === 1) metrics.queueTimeMs.observe(latencyLabels(task), task.queueMs);
    scheduling.dispatched(task, decision);
    task.note({
      kind: 'dispatched',
      atMs: nowMs,
      attempt,
      replicaId,
      decision: keptDecision(decision),
    });
    return { onDurable: show };
  }

  #requeued(taskId: string, reason: RequeueReason, nowMs: number): void {
    const task = this.#tasks.get(taskId);
    if (task === undefined) return;
    const { accountsOf, log, onPreempted } = this.#options;
    const isPreempted = reason === 'preempted';
    if (isPreempted) task.preemptions += 1;
    task.note({ kind: 'requeued', atMs: nowMs, reason });
    accountsOf(task).scheduling.requeued(task, reason);
    const level = isPreempted ? 'info' : 'warn';
    log[level]({ ...this.#logFields(task), reason }, 'task goes back to the queue');
    if (isPreempted) onPreempted(task);
  }

  #logFields(task: LiveTask): Record<string, unknown> {
    return logFields(task, this.#options.weightOf(task.record.tenantId));
  }

  /**
   * The last entries are shown only once they are durable, so a reader that saw an `end` can rely on it
   * after any crash. A cancel silences readers at once (ORCH-3026).
   */
  #ended({ taskId, outcome, wait }: EndedEffect, nowMs: number): EffectWrites | undefined {
    const task = this.#tasks.get(taskId);
    if (task === undefined) return undefined;
    const { transcripts, signals, accountsOf, onCompleted } = this.#options;
    const { scheduling, slo } = accountsOf(task);
    const { log } = task;
    if (outcome.kind === 'canceled' && outcome.reason === 'withdrawn') {
      scheduling.ended(task, undefined, nowMs);
      this.drop(taskId);
      return undefined;
    }
    const kept = deadlineKept(task, outcome, nowMs);
    scheduling.ended(task, kept, nowMs);
    if (outcome.kind === 'completed') scheduling.completed(task, outcome.usage, nowMs);
    const waited = wait && keptWait(wait);
    task.note({ kind: 'ended', atMs: nowMs, deadlineKept: kept, wait: waited });
    if (outcome.kind === 'canceled') log.suppressTokens();
    const show = log.hold();
    if (log.tokens > 0 && outcome.kind !== 'canceled') {
      const chance = kept === undefined ? {} : { on_time_probability: kept ? 1 : 0 };
      log.append({ event: 'metrics', data: JSON.stringify({ ...signals(task), ...chance }) });
    }
    const output = outputOf(task);
    log.seal(terminalEntry(task, outcome, output.outputSha256));
    this.#count(task, outcome);
    if (task.replica !== undefined && outcome.kind !== 'canceled') {
      slo.observe(task.replica.setId, task.priority, {
        endedAtMs: nowMs,
        failed: outcome.kind === 'failed',
        ttftMs: task.ttftMs,
        tokenMs: log.tokens > 1 ? task.decodeMs / (log.tokens - 1) : undefined,
      });
    }
    if (isAudit(task.record)) {
      // Compared, and then forgotten: it takes no room from what is kept for tenants.
      return {
        onDurable: () => {
          this.drop(taskId);
          show();
        },
      };
    }
    const transcript = transcripts.take(taskId, log);
    const view = endedView(task, outcome, { ...output, endedAtMs: nowMs });
    return {
      transcript,
      archive: {
        taskId,
        acceptedSeq: task.arrival,
        endedAtMs: nowMs,
        tenantId: task.record.tenantId,
        poolId: task.record.poolId,
        priority: view.priority,
        sessionId: view.session_id,
        state: view.state,
        view: packArchived(
          view,
          task.history,
          toStoredAdmission(task),
          outcome.kind === 'completed' ? toStoredOrder(task) : undefined,
        ),
      },
      onDurable: () => {
        if (transcript !== undefined) log.markPersisted(lastIdOf(transcript));
        this.drop(taskId);
        show();
        if (outcome.kind === 'completed') onCompleted(task);
      },
    };
  }

  #count(task: LiveTask, outcome: Outcome): void {
    const { accountsOf, log } = this.#options;
    const { metrics } = accountsOf(task);
    const { engine, poolId } = task.record;
    const ended = { ...this.#logFields(task), tokens_out: task.log.tokens };
    switch (outcome.kind) {
      case 'completed': {
        metrics.tasksCompleted.inc({ ...taskLabels(task), finish_reason: outcome.finishReason });
        if (task.wholeResult === undefined) {
          metrics.decodeMs.observe(latencyLabels(task), task.decodeMs);
        }
        metrics.tokensIn.inc(replicaLabels(task), outcome.usage.tokensIn);
        log.info(
          { ...ended, tokens_in: outcome.usage.tokensIn, decode_time_ms: task.decodeMs },
          'task completed',
        );
        return;
      }
      case 'canceled':
        metrics.tasksCanceled.inc({ ...replicaLabels(task), reason: outcome.reason });
        log.info({ ...ended, reason: outcome.reason }, 'task canceled');
        return;
      case 'failed':
        metrics.tasksFailed.inc({ engine, pool_id: poolId, code: outcome.code });
        if (outcome.code === 'QUEUE_FULL_DROP_LRU') {
          metrics.backpressure.inc({ engine, policy: this.#options.fullPolicyOf(poolId) });
        }
        // The message may hold an engine's words about the request: it is for the client alone.
        log.warn({ ...ended, code: outcome.code }, 'task failed');
        return;
    }
  }
}
