/**
 * A token bucket: over any time t it grants at most burst + rate × t. Kept as a leaky bucket of what was
 * taken, which is the same and needs two numbers and no timer.
 */

export interface RateLimit {
  /** Long-run grants per second. */
  readonly rps: number;
  /** Grants at once, after a pause. */
  readonly burst: number;
}

/** Sums of fractions may miss a whole number by this much. */
const TOLERANCE = 1e-9;

export class TokenBucket {
  readonly #perMs: number;
  readonly #burst: number;
  /** Grants that have not leaked out yet: 0 to burst. */
  #taken = 0;
  #atMs = 0;

  constructor({ rps, burst }: RateLimit) {
    this.#perMs = rps / 1000;
    this.#burst = burst;
  }

  /** Grants and returns 0, or refuses and returns the shortest wait after which it would grant, ms. */
  take(nowMs: number): number {
    const passedMs = Math.max(0, nowMs - this.#atMs);
    const taken = Math.max(0, this.#taken - passedMs * this.#perMs);
    const excess = taken + 1 - this.#burst;
    if (excess > TOLERANCE) return excess / this.#perMs;
    this.#taken = taken + 1;
    this.#atMs = Math.max(this.#atMs, nowMs);
    return 0;
  }
}
