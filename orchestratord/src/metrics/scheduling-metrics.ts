/** What the scheduler's decisions count: shares, deadlines, preemptions (`.specs/71-metrics-contract.md`). */
import {
  DEFAULT_TUNING,
  PRIORITIES,
  type DispatchDecision,
  type Priority,
  type Usage,
} from '@llama-orch/orchestrator-core';
import { isPreempted } from '../tasks/task-history.ts';
import type { LiveTask } from '../tasks/live-task.ts';
import { DeadlineWindow } from './deadline-window.ts';
import { DecayingShares } from './decaying-shares.ts';
import type { Metrics } from './metrics.ts';
import { WaitingBatch } from './waiting-batch.ts';

/** Tenants that have a series: with two classes each, as many as one family may have. */
const MAX_TENANTS = 1_000;

export interface SchedulingMetricsOptions {
  readonly metrics: Metrics;
  /** As configured; others, which only a recovered ledger can name, have no series. */
  readonly tenants: Iterable<string>;
}

export class SchedulingMetrics {
  readonly #metrics: Metrics;
  readonly #tenants: readonly string[];
  readonly #shares = new DecayingShares();
  readonly #deadlines = new DeadlineWindow();
  readonly #waitingBatch = new WaitingBatch<LiveTask>();

  constructor({ metrics, tenants }: SchedulingMetricsOptions) {
    this.#metrics = metrics;
    this.#tenants = [...tenants].slice(0, MAX_TENANTS);
  }

  /** Call in order of arrival. */
  accepted(task: LiveTask): void {
    if (task.priority === 'batch') this.#waitingBatch.add(task);
  }

  /** Call before the dispatch is noted in the task's history. */
  dispatched(task: LiveTask, decision: DispatchDecision): void {
    const { preemptions, resumptions } = this.#metrics;
    const { engine } = task.record;
    if (isPreempted(task.history)) resumptions.inc({ engine });
    if (task.priority === 'batch') {
      this.#waitingBatch.remove(task);
    } else if (!decision.preempted && this.#waitingBatch.hasOlderThan(task)) {
      preemptions.inc({ mode: 'soft', engine });
    }
  }

  /** Tokens that its readers were given for the first time. */
  streamed(task: LiveTask, tokens: number, nowMs: number): void {
    this.#serve(task, DEFAULT_TUNING.outputCost * tokens, nowMs);
  }

  /** Only now is it known how much of its prompt was computed for it. */
  completed(task: LiveTask, { tokensIn, cachedTokens }: Usage, nowMs: number): void {
    const uncached = Math.max(0, tokensIn - cachedTokens);
    this.#serve(task, DEFAULT_TUNING.inputCost * uncached, nowMs);
  }

  requeued(task: LiveTask, reason: string): void {
    if (task.priority === 'batch') this.#waitingBatch.addReturned(task);
    if (reason === 'preempted') {
      this.#metrics.preemptions.inc({ mode: 'hard', engine: task.record.engine });
    }
  }

  /** @param kept undefined for a task that had no deadline to keep */
  ended(task: LiveTask, kept: boolean | undefined, nowMs: number): void {
    if (task.priority === 'batch') this.#waitingBatch.remove(task);
    if (kept !== undefined) this.#deadlines.observe(task.priority, kept, nowMs);
  }

  #serve({ record, priority }: LiveTask, cost: number, nowMs: number): void {
    this.#shares.observe(keyOf(record.tenantId, priority), cost, nowMs);
  }

  /** Sets the gauges. */
  collect(nowMs: number): void {
    const { admissionShare, deadlinesMetRatio } = this.#metrics;
    admissionShare.reset();
    deadlinesMetRatio.reset();
    for (const priority of PRIORITIES) {
      const ratio = this.#deadlines.ratio(priority, nowMs);
      if (ratio !== undefined) deadlinesMetRatio.set({ priority }, ratio);
      for (const tenant of this.#tenants) {
        const share = this.#shares.share(keyOf(tenant, priority), nowMs);
        if (share !== undefined) admissionShare.set({ tenant, priority }, share);
      }
    }
  }
}

function keyOf(tenantId: string, priority: Priority): string {
  return `${priority} ${tenantId}`;
}
