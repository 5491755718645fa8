/** Constants of the core with the reason for their values; every one can be set in tests. */
export interface Tuning {
  /** Weight of the newest sample in a slot-holding time, once there are `1 / weight` samples. */
  readonly holdWeight: number;
  /** Slot-holding time assumed before the first task of a pool has ended, ms. */
  readonly initialHoldMs: number;
  /** Added to predicted starts while no replica is ready: a small model's load and self-test, ms. */
  readonly coldStartMs: number;
  /** Longest wait ever advised to a refused client, ms. */
  readonly maxRetryAfterMs: number;
  /** Advice while a pool cannot come back by itself, ms. */
  readonly unavailableRetryMs: number;
  /** A deadline is refused when the predicted start is this many times the time left. */
  readonly deadlineSlack: number;
  /** Samples a prediction needs before a deadline is refused on its word. */
  readonly deadlineMinSamples: number;
  /** A replica rests this long after a fault, doubled for each further one without success, ms. */
  readonly cooldownBaseMs: number;
  readonly cooldownMaxMs: number;
  /** Sessions kept at once; beyond it the oldest ends. Bounds memory against made-up ids. */
  readonly maxSessions: number;
}

export const DEFAULT_TUNING: Tuning = {
  holdWeight: 0.1,
  initialHoldMs: 1_000,
  coldStartMs: 3_000,
  maxRetryAfterMs: 60_000,
  unavailableRetryMs: 30_000,
  deadlineSlack: 2,
  deadlineMinSamples: 8,
  cooldownBaseMs: 100,
  cooldownMaxMs: 5_000,
  maxSessions: 100_000,
};
