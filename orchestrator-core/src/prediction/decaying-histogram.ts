/**
 * A distribution learned online with forgetting, in fixed memory: weights of bins on a scale of the
 * caller's choice, from 0 to `size`. Adding is O(1); reading is O(size), some hundred nanoseconds.
 */

import { areWithin, fieldsOf, isWithin } from './saved-values.ts';

/** New samples weigh ever more instead of old ones less; beyond this all weights are scaled back. */
const LARGEST_UNIT = 1e9;
/** How far a sum kept along may be from the sum of its parts, in samples, or as a share. */
const ROUNDING = 1e-3;

export interface SavedHistogram {
  readonly weights: readonly number[];
  readonly unit: number;
  readonly sum: number;
}

export class DecayingHistogram {
  readonly #weights: Float64Array;
  readonly #growth: number;
  #unit = 1;
  #sum = 0;

  /** @param memory samples after which an old one counts 1/e */
  constructor(size: number, memory: number) {
    this.#weights = new Float64Array(size);
    this.#growth = 1 / (1 - 1 / memory);
  }

  get size(): number {
    return this.#weights.length;
  }

  /** Samples that count, at most the memory. */
  get total(): number {
    return this.#sum / this.#unit;
  }

  /** The bin of a position; those beyond the scale belong to its first or last bin. */
  binOf(position: number): number {
    return Math.min(this.size - 1, Math.max(0, Math.floor(position)));
  }

  add(position: number): void {
    this.age();
    this.put(this.binOf(position), 1);
  }

  /** What is there already weighs less by the share that one new sample takes. */
  age(): void {
    this.#unit *= this.#growth;
    if (this.#unit <= LARGEST_UNIT) return;
    for (let i = 0; i < this.size; i++) this.#weights[i] = (this.#weights[i] ?? 0) / this.#unit;
    this.#sum /= this.#unit;
    this.#unit = 1;
  }

  /** Adds part of a sample; the parts of one follow on one `age`. */
  put(bin: number, share: number): void {
    this.#weights[bin] = (this.#weights[bin] ?? 0) + share * this.#unit;
    this.#sum += share * this.#unit;
  }

  /** Weight of one bin, in samples. */
  weight(bin: number): number {
    return (this.#weights[bin] ?? 0) / this.#unit;
  }

  save(): SavedHistogram {
    return { weights: Array.from(this.#weights), unit: this.#unit, sum: this.#sum };
  }

  /**
   * Goes on exactly where another one of the same size was saved.
   * @returns false, keeping its state, when `saved` is nothing that one could have saved
   */
  load(saved: unknown): boolean {
    const { weights, unit, sum } = fieldsOf(saved);
    if (!isWithin(unit, 1, LARGEST_UNIT)) return false;
    const memory = this.#growth / (this.#growth - 1);
    const most = memory * unit * (1 + ROUNDING);
    if (!isWithin(sum, 0, most) || !areWithin(weights, this.size, 0, most)) return false;
    const total = weights.reduce((all, weight) => all + weight, 0);
    if (Math.abs(total - sum) > ROUNDING * unit) return false;
    this.#weights.set(weights);
    this.#unit = unit;
    this.#sum = sum;
    return true;
  }
}

/** Share of the weight below a position; bins count evenly over their width. */
export function rankOf(weights: Float64Array, position: number): number {
  let below = 0;
  let sum = 0;
  for (let i = 0; i < weights.length; i++) {
    const weight = weights[i] ?? 0;
    sum += weight;
    below += weight * Math.min(1, Math.max(0, position - i));
  }
  return sum > 0 ? below / sum : 0.5;
}

/** The position below which the share `rank` of the weight lies: the inverse of `rankOf`. */
export function positionOf(weights: Float64Array, rank: number): number {
  let sum = 0;
  for (const weight of weights) sum += weight;
  let left = rank * sum;
  for (let i = 0; i < weights.length; i++) {
    const weight = weights[i] ?? 0;
    if (weight > 0 && left <= weight) return i + left / weight;
    left -= weight;
  }
  return weights.length;
}
