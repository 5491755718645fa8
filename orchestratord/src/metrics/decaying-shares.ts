/**
 * Who got how much lately: exponentially weighted sums, so that an observation is O(1) and old ones
 * fade without being kept.
 */

/** After this time an amount weighs 1/e of what it did, ms. */
const FADE_MS = 60_000;
/** So long after the last one there is nothing to speak of, ms. */
const FADED_MS = 5 * FADE_MS;

interface Sum {
  weight: number;
  atMs: number;
}

export class DecayingShares {
  readonly #sums = new Map<string, Sum>();
  readonly #total: Sum = { weight: 0, atMs: 0 };

  /** @param amount from 0 up; nothing is noted of 0 */
  observe(key: string, amount: number, nowMs: number): void {
    if (!(amount > 0)) return;
    let sum = this.#sums.get(key);
    if (sum === undefined) {
      sum = { weight: 0, atMs: nowMs };
      this.#sums.set(key, sum);
    }
    add(sum, amount, nowMs);
    add(this.#total, amount, nowMs);
  }

  /** The share of one key in all that was observed, 0 to 1; undefined while there is none to speak of. */
  share(key: string, nowMs: number): number | undefined {
    const { atMs } = this.#total;
    const total = weightAt(this.#total, nowMs);
    if (total === 0 || nowMs - atMs > FADED_MS) return undefined;
    const sum = this.#sums.get(key);
    return sum === undefined ? 0 : Math.min(1, weightAt(sum, nowMs) / total);
  }
}

function add(sum: Sum, amount: number, nowMs: number): void {
  sum.weight = weightAt(sum, nowMs) + amount;
  sum.atMs = nowMs;
}

function weightAt({ weight, atMs }: Sum, nowMs: number): number {
  return weight * Math.exp(-Math.max(0, nowMs - atMs) / FADE_MS);
}
