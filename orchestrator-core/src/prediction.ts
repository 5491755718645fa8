/**
 * When will a task start, and when is it worth trying again? Behind an interface, so that a model
 * that learns from prompt and output lengths can take the place of the running means here.
 */
import type { Tuning } from './tuning.ts';
import type { Priority } from './types.ts';
import { PRIORITIES } from './types.ts';
import type { Ahead } from './waiting-queue.ts';

/** The work between a task and its start, as counts: O(1) to gather however long the queue is. */
export interface Backlog {
  /** Slots that take tasks; when none is ready, the slots to be expected. */
  readonly slots: number;
  readonly hasReadySlot: boolean;
  readonly ahead: Ahead;
  readonly running: { readonly [P in Priority]: RunningLoad };
}

export interface RunningLoad {
  readonly count: number;
  /** Sum over the running tasks of the time each has held its slot, ms. */
  readonly elapsedMs: number;
}

/** How long tasks of one class hold a slot. */
export interface HoldEstimate {
  readonly meanMs: number;
  readonly samples: number;
}

export type HoldEstimates = { readonly [P in Priority]: HoldEstimate };

export interface Predictor {
  /** A task of this class held its slot for `holdMs` and completed. */
  observe(priority: Priority, holdMs: number): void;
  /** Wait from this moment to the start, whole ms, at least 1. */
  startMs(backlog: Backlog): number;
  /** Advice for a client that was refused: about when one more task will fit, whole ms in [1, max]. */
  retryAfterMs(backlog: Backlog): number;
  estimates(): HoldEstimates;
  load(estimates: HoldEstimates): void;
}

/** Exponentially weighted mean per class; the first samples weigh equally (1/n) until `1/n < weight`. */
export class MeanHoldPredictor implements Predictor {
  readonly #tuning: Tuning;
  #estimates: HoldEstimates = {
    interactive: { meanMs: 0, samples: 0 },
    batch: { meanMs: 0, samples: 0 },
  };

  constructor(tuning: Tuning) {
    this.#tuning = tuning;
  }

  observe(priority: Priority, holdMs: number): void {
    const { meanMs, samples } = this.#estimates[priority];
    const weight = Math.max(1 / (samples + 1), this.#tuning.holdWeight);
    this.#estimates = {
      ...this.#estimates,
      [priority]: { meanMs: meanMs + weight * (holdMs - meanMs), samples: samples + 1 },
    };
  }

  startMs(backlog: Backlog): number {
    let workMs = 0;
    for (const priority of PRIORITIES) {
      const meanMs = this.#meanMs(priority);
      const { count, elapsedMs } = backlog.running[priority];
      workMs += backlog.ahead[priority] * meanMs + Math.max(0, count * meanMs - elapsedMs);
    }
    const loadingMs = backlog.hasReadySlot ? 0 : this.#tuning.coldStartMs;
    return Math.max(1, Math.ceil(loadingMs + workMs / Math.max(1, backlog.slots)));
  }

  retryAfterMs(backlog: Backlog): number {
    const { interactive, batch } = backlog.running;
    const count = interactive.count + batch.count;
    const meanMs =
      count === 0
        ? this.#meanMs('interactive')
        : (interactive.count * this.#meanMs('interactive') + batch.count * this.#meanMs('batch')) /
          count;
    const loadingMs = backlog.hasReadySlot ? 0 : this.#tuning.coldStartMs;
    const drainMs = meanMs / Math.max(1, backlog.slots);
    return clamp(Math.ceil(drainMs + loadingMs), 1, this.#tuning.maxRetryAfterMs);
  }

  estimates(): HoldEstimates {
    return this.#estimates;
  }

  load(estimates: HoldEstimates): void {
    this.#estimates = estimates;
  }

  /** A class without samples borrows the other's mean. */
  #meanMs(priority: Priority): number {
    const own = this.#estimates[priority];
    const other = this.#estimates[priority === 'batch' ? 'interactive' : 'batch'];
    if (own.samples > 0) return own.meanMs;
    return other.samples > 0 ? other.meanMs : this.#tuning.initialHoldMs;
  }
}

export function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}
