import { DEFAULT_CONSTANTS, type LatencyConstants } from './prediction/latency-model.ts';
import type { Priority } from './types.ts';

/** Constants of the core with the reason for their values; every one can be set in tests. */
export interface Tuning {
  /** Service that a flow may be ahead of the one with the least, to serve a more urgent task, cost units per unit weight. */
  readonly fairnessWindow: number;
  /** Service that a flow may have been short of while it was idle and still have before others, in the same units. */
  readonly returnCredit: number;
  /** Part of its expected output that a task is charged for at its dispatch; the rest as it streams. */
  readonly prepaidShare: number;
  /** Cost of one prompt token to be computed, and of one output token (VTC's w_p and w_q). */
  readonly inputCost: number;
  readonly outputCost: number;
  /** A task without a deadline should start within this time per class, plus `patience` times its own prefill, ms. */
  readonly startWithinMs: { readonly [P in Priority]: number };
  readonly patience: number;
  /**
   * Whether newcomers of one moment are planned together, by a timer that is due at that moment, unless
   * more replicas are idle than tasks wait. The host must then run at once what is due at once.
   */
  readonly gatherArrivals: boolean;
  /** Waiting tasks of which the best are planned. */
  readonly lookahead: number;
  /** A task without a deadline that has waited so long lets fresh ones pass that are no more urgent by less than the penalty, ms. */
  readonly overdueAfterMs: number;
  readonly overduePenaltyMs: number;
  /** Waiting tasks planned before a slot stays free. */
  readonly candidates: number;
  /** Weight of prefill in placement beyond its part of the time to the first token, up to a length, ms. */
  readonly workWeight: number;
  readonly longPrefillMs: number;
  /** Prompts after which what a replica showed is believed in full. */
  readonly trustSamples: number;
  /** Dispatches of the pool that went elsewhere after which nothing is left of that belief. */
  readonly trustTurns: number;
  /**
   * Running batch work is stopped for an interactive task that would wait longer than this, ms, or than this
   * part of its own prefill: to whoever waits for a short prompt, half as much again is much.
   */
  readonly preemptAfterMs: number;
  readonly preemptAfterPrefills: number;
  /**
   * Running work of a tenant ahead of its share is stopped for one that has waited this long, ms, or this part
   * of the time for which tasks of the pool hold a slot: on a quick engine much less is much.
   */
  readonly preemptTenantAfterMs: number;
  readonly preemptTenantAfterHolds: number;
  /** And only when it is ahead by this much, cost units per unit weight, or by so many tasks like the waiting one. */
  readonly preemptTenantGap: number;
  readonly preemptTenantGapTasks: number;
  /**
   * Batch work is kept back where it would slow an interactive answer to less than a token in this time, from
   * its first to its last, ms: 50 is faster than people read, less a seventh for prompts that come between.
   */
  readonly readerPaceMs: number;
  /** Batch work that is kept back is owed its share again after so long, however much it had before, ms. */
  readonly batchLeadMs: number;
  /** Waiting work whose chance to keep its deadline is below this is ended when its turn comes. */
  readonly shedBelow: number;
  /** Speeds assumed of an engine before anything was seen of it; wrong ones cost some first forecasts. */
  readonly latency: LatencyConstants;
  /** Slot-holding time assumed before the first task of a pool has ended, ms. */
  readonly initialHoldMs: number;
  /** While tasks are held for busy replicas though another is open, they are looked at this often, ms. */
  readonly askAgainMs: number;
  /** Added to predicted starts while no replica is ready: a small model's load and self-test, ms. */
  readonly coldStartMs: number;
  /** Longest wait ever advised to a refused client, ms. */
  readonly maxRetryAfterMs: number;
  /** Advice while a pool cannot come back by itself, ms. */
  readonly unavailableRetryMs: number;
  /** A deadline with a smaller chance to be kept is refused. */
  readonly refuseBelow: number;
  /** Samples a prediction needs before a deadline is refused on its word. */
  readonly deadlineMinSamples: number;
  /** A replica rests this long after a fault, doubled for each further one without success, ms. */
  readonly cooldownBaseMs: number;
  readonly cooldownMaxMs: number;
  /** Sessions kept at once; beyond it the oldest ends. Bounds memory against made-up ids. */
  readonly maxSessions: number;
}

export const DEFAULT_TUNING: Tuning = {
  fairnessWindow: 32,
  returnCredit: 1_600,
  prepaidShare: 0.25,
  inputCost: 1,
  outputCost: 2,
  startWithinMs: { interactive: 500, batch: 60_000 },
  patience: 4,
  gatherArrivals: false,
  lookahead: 64,
  overdueAfterMs: 80,
  overduePenaltyMs: 2_000,
  candidates: 16,
  workWeight: 6,
  longPrefillMs: 2_500,
  trustSamples: 8,
  trustTurns: 48,
  preemptAfterMs: 20,
  preemptAfterPrefills: 0.5,
  preemptTenantAfterMs: 300,
  preemptTenantAfterHolds: 0.1,
  preemptTenantGap: 1_200,
  preemptTenantGapTasks: 4,
  readerPaceMs: 43,
  batchLeadMs: 300_000,
  shedBelow: 0.2,
  latency: DEFAULT_CONSTANTS,
  initialHoldMs: 1_000,
  askAgainMs: 100,
  coldStartMs: 3_000,
  maxRetryAfterMs: 60_000,
  unavailableRetryMs: 30_000,
  refuseBelow: 0.05,
  deadlineMinSamples: 8,
  cooldownBaseMs: 100,
  cooldownMaxMs: 5_000,
  maxSessions: 100_000,
};
