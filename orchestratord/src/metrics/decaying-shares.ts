/**
 * Who got how much lately: exponentially weighted counts, so that an observation is O(1) and old ones
 * fade without being kept.
 */

/** After this time a count weighs 1/e of what it did, ms. */
const FADE_MS = 60_000;

interface Count {
  weight: number;
  atMs: number;
}

export class DecayingShares {
  readonly #counts = new Map<string, Count>();
  readonly #total: Count = { weight: 0, atMs: 0 };

  observe(key: string, nowMs: number): void {
    let count = this.#counts.get(key);
    if (count === undefined) {
      count = { weight: 0, atMs: nowMs };
      this.#counts.set(key, count);
    }
    for (const each of [count, this.#total]) {
      each.weight = weightAt(each, nowMs) + 1;
      each.atMs = nowMs;
    }
  }

  /** The share of one key in all observations, 0 to 1; undefined while there are none to speak of. */
  share(key: string, nowMs: number): number | undefined {
    const total = weightAt(this.#total, nowMs);
    if (total < NEGLIGIBLE) return undefined;
    const count = this.#counts.get(key);
    return count === undefined ? 0 : Math.min(1, weightAt(count, nowMs) / total);
  }
}

/** A single observation of five fading times ago. */
const NEGLIGIBLE = Math.exp(-5);

function weightAt({ weight, atMs }: Count, nowMs: number): number {
  return weight * Math.exp(-Math.max(0, nowMs - atMs) / FADE_MS);
}
