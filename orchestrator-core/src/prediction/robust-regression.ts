/**
 * Recursive least squares for times: learns the non-negative coefficients of a sum online, one sample
 * at a time, in O(n²) for n features.
 *
 * Errors are taken relative to the prediction, since a time is noisy in proportion to its length. The
 * start values are mostly wrong by one common factor (another device): the median ratio of the first
 * few samples sets it, and only then is each coefficient learned for itself.
 */

import { areWithin, fieldsOf, isCount, isWithin } from './saved-values.ts';

/** A sample further off than this many standard deviations counts as if it were just so far off. */
const CLIP_DEVIATIONS = 2.5;
/** Samples that set the common factor. */
const LEVEL_SAMPLES = 5;
/** Relative variance of each coefficient, and of the common factor, once that is set. */
const OWN_VARIANCE = 0.1;
const LEVEL_VARIANCE = 0.1;
/** Added to that of the common factor when the device seems to have changed: half or twice is likely. */
const SHIFT_VARIANCE = 1;
/** Relative variance of a sample assumed at first, and the least ever believed. */
const FIRST_NOISE = 0.04;
const LEAST_NOISE = 1e-4;
const NOISE_MEMORY = 50;
/** Surplus of deviations to one side that says "the device changed its speed": a CUSUM, slack 1. */
const SHIFT_ALARM = 6;
/** Bounds that keep the arithmetic sound whatever is fed in; real values stay far from them. */
const LEAST_PREDICTION = 1e-6;
const MOST_PREDICTION = 1e12;
const MOST_THETA = 1e6;
const LEAST_VARIANCE = 1e-8;
const LEAST_RATIO = 1e-4;
const MOST_RATIO = 1e4;
const MOST_NOISE = 1e12;
/** How far rounding may take a covariance beyond what its two variances allow. */
const ROUNDING = 0.01;

export interface RegressionOptions {
  /** Coefficients to start from, each above 0. Being wrong by a factor of a few costs a few samples. */
  readonly initial: readonly number[];
  /** Samples after which an old one counts 1/e. */
  readonly memory: number;
}

export interface SavedRegression {
  /** In units of the initial coefficients. */
  readonly theta: readonly number[];
  /** Row by row. */
  readonly covariance: readonly number[];
  readonly noise: number;
  readonly slower: number;
  readonly faster: number;
  readonly samples: number;
  readonly level: number;
  readonly ratios: readonly number[];
}

export class RobustRegression {
  readonly #initial: Float64Array;
  readonly #keep: number;
  readonly #theta: Float64Array;
  readonly #covariance: Float64Array;
  /** Scratch: the features relative to the sample's scale, and the covariance times them. */
  readonly #scaled: Float64Array;
  readonly #gain: Float64Array;
  #noise = FIRST_NOISE;
  #slower = 0;
  #faster = 0;
  #samples = 0;
  /** The common factor, and what the samples that set it say of it. */
  #level = 1;
  #ratios: number[] = [];

  constructor({ initial, memory }: RegressionOptions) {
    const size = initial.length;
    this.#initial = Float64Array.from(initial);
    this.#keep = 1 - 1 / memory;
    this.#theta = new Float64Array(size).fill(1);
    this.#covariance = new Float64Array(size * size);
    this.#scaled = new Float64Array(size);
    this.#gain = new Float64Array(size);
    for (let i = 0; i < size; i++) this.#covariance[i * size + i] = OWN_VARIANCE;
    this.#doubtLevel(LEVEL_VARIANCE);
  }

  get samples(): number {
    return this.#samples;
  }

  /** Above 0, and finite for features that are finite and not negative. */
  predict(features: Float64Array): number {
    let sum = 0;
    for (let i = 0; i < features.length; i++) {
      sum += at(this.#theta, i) * at(this.#initial, i) * at(features, i);
    }
    return clamp(sum, LEAST_PREDICTION, MOST_PREDICTION);
  }

  /**
   * Learns from one sample; one that is not made of finite numbers from 0 on is passed over.
   * @param besides what was measured in one piece with the value and taken off it: as noisy as the rest
   * @param parts of equal noise that the value is the sum of: their noise averages out
   */
  observe(features: Float64Array, value: number, besides = 0, parts = 1): void {
    if (!isAmount(value) || !isAmount(besides) || !features.every(isAmount)) return;
    const predicted = this.predict(features);
    if (this.#samples < LEVEL_SAMPLES) this.#setLevel(value / predicted);
    else this.#correct(features, value, predicted, predicted + besides, parts);
    this.#samples += 1;
  }

  /** The median ratio of the first samples, from which a stalled one or two cannot lead away. */
  #setLevel(ratio: number): void {
    this.#ratios.push(clamp(ratio * this.#level, LEAST_RATIO, MOST_RATIO));
    this.#ratios.sort((a, b) => a - b);
    const level = this.#ratios[Math.floor(this.#ratios.length / 2)] ?? 1;
    const change = level / this.#level;
    for (const [i, theta] of this.#theta.entries()) this.#theta[i] = theta * change;
    for (const [i, value] of this.#covariance.entries()) this.#covariance[i] = value * change ** 2;
    this.#level = level;
  }

  #correct(
    features: Float64Array,
    value: number,
    predicted: number,
    scale: number,
    parts: number,
  ): void {
    const uncertainty = this.#weigh(features, scale);
    const variance = uncertainty + this.#noise / parts;
    const limit = CLIP_DEVIATIONS * Math.sqrt(variance);
    const error = clamp((value - predicted) / scale, -limit, limit);

    for (let i = 0; i < this.#theta.length; i++) {
      const moved = at(this.#theta, i) + (at(this.#gain, i) / variance) * error;
      this.#theta[i] = clamp(moved, 0, MOST_THETA);
    }
    this.#shrinkCovariance(variance);
    const weight = 1 / Math.min(NOISE_MEMORY, this.#samples);
    this.#noise += weight * (parts * (error * error - uncertainty) - this.#noise);
    this.#noise = clamp(this.#noise, LEAST_NOISE, MOST_NOISE);
    this.#watchForShift(error / Math.sqrt(variance));
  }

  save(): SavedRegression {
    return {
      theta: Array.from(this.#theta),
      covariance: Array.from(this.#covariance),
      noise: this.#noise,
      slower: this.#slower,
      faster: this.#faster,
      samples: this.#samples,
      level: this.#level,
      ratios: [...this.#ratios],
    };
  }

  /**
   * Goes on from what another instance with as many features saved.
   * @returns false, keeping its start, when `saved` is nothing that one could have saved
   */
  load(saved: unknown): boolean {
    if (!isSaved(saved, this.#theta.length)) return false;
    this.#take(saved);
    return true;
  }

  #take(saved: SavedRegression): void {
    this.#theta.set(saved.theta);
    this.#covariance.set(saved.covariance);
    this.#noise = saved.noise;
    this.#slower = saved.slower;
    this.#faster = saved.faster;
    this.#samples = saved.samples;
    this.#level = saved.level;
    this.#ratios = [...saved.ratios];
  }

  /** Takes over what a relative with as many features has learned, as a start with doubts: the device may be another. */
  inherit(saved: SavedRegression): void {
    this.#take(saved);
    this.#slower = 0;
    this.#faster = 0;
    this.#samples = 0;
    this.#ratios = [];
    this.#doubtLevel(LEVEL_VARIANCE);
  }

  /** Fills the scratch vectors; the variance of the prediction, relative to the scale squared. */
  #weigh(features: Float64Array, scale: number): number {
    const size = this.#theta.length;
    for (let i = 0; i < size; i++) {
      this.#scaled[i] = (at(features, i) * at(this.#initial, i)) / scale;
    }
    let variance = 0;
    for (let i = 0; i < size; i++) {
      let sum = 0;
      for (let j = 0; j < size; j++)
        sum += at(this.#covariance, i * size + j) * at(this.#scaled, j);
      this.#gain[i] = sum;
      variance += sum * at(this.#scaled, i);
    }
    return Math.max(0, variance);
  }

  #shrinkCovariance(variance: number): void {
    const size = this.#theta.length;
    for (let i = 0; i < size; i++) {
      for (let j = i; j < size; j++) {
        const learned = (at(this.#gain, i) * at(this.#gain, j)) / variance;
        const value = (at(this.#covariance, i * size + j) - learned) / this.#keep;
        this.#covariance[i * size + j] = value;
        this.#covariance[j * size + i] = value;
      }
    }
    this.#boundCovariance();
  }

  /**
   * Forgetting inflates the covariance in directions that no sample excites. Scaling a row and its
   * column by one factor keeps the matrix positive semidefinite, and every variance below its start.
   */
  #boundCovariance(): void {
    const size = this.#theta.length;
    for (let i = 0; i < size; i++) {
      const variance = at(this.#covariance, i * size + i);
      const most = mostVariance(at(this.#theta, i), this.#level);
      // Rounding can take a variance below 0; then nothing is known of what goes with it.
      if (variance < LEAST_VARIANCE) this.#scaleCovariance(i, 0, LEAST_VARIANCE);
      else if (variance > most) this.#scaleCovariance(i, Math.sqrt(most / variance), most);
    }
  }

  #scaleCovariance(index: number, factor: number, variance: number): void {
    const size = this.#theta.length;
    for (let j = 0; j < size; j++) {
      // Plus 0: a negative zero would not survive JSON.
      const value = at(this.#covariance, index * size + j) * factor + 0;
      this.#covariance[index * size + j] = value;
      this.#covariance[j * size + index] = value;
    }
    this.#covariance[index * size + index] = variance;
  }

  #watchForShift(deviations: number): void {
    this.#slower = Math.max(0, this.#slower + deviations - 1);
    this.#faster = Math.max(0, this.#faster - deviations - 1);
    if (this.#slower < SHIFT_ALARM && this.#faster < SHIFT_ALARM) return;
    this.#slower = 0;
    this.#faster = 0;
    this.#doubtLevel(SHIFT_VARIANCE);
  }

  /** Lets the next samples move all coefficients by a common factor. */
  #doubtLevel(variance: number): void {
    const size = this.#theta.length;
    for (let i = 0; i < size; i++) {
      for (let j = 0; j < size; j++) {
        const level = variance * at(this.#theta, i) * at(this.#theta, j);
        this.#covariance[i * size + j] = at(this.#covariance, i * size + j) + level;
      }
    }
    this.#boundCovariance();
  }
}

function isSaved(saved: unknown, size: number): saved is SavedRegression {
  const { theta, covariance, noise, slower, faster, samples, level, ratios } = fieldsOf(saved);
  return (
    areWithin(theta, size, 0, MOST_THETA) &&
    isWithin(level, LEAST_RATIO, MOST_RATIO) &&
    isCovariance(covariance, theta, level) &&
    isWithin(noise, LEAST_NOISE, MOST_NOISE) &&
    isWithin(slower, 0, SHIFT_ALARM) &&
    isWithin(faster, 0, SHIFT_ALARM) &&
    isCount(samples) &&
    areWithin(ratios, Math.min(samples, LEVEL_SAMPLES), LEAST_RATIO, MOST_RATIO)
  );
}

/** Symmetric, every variance within its bounds, and no covariance beyond what two variances allow. */
function isCovariance(values: unknown, theta: readonly number[], level: number): boolean {
  const size = theta.length;
  if (!areWithin(values, size * size, -Infinity, Infinity)) return false;
  const variances = theta.map((_, i) => values[i * size + i] ?? 0);
  return values.every((value, at) => {
    const [i, j] = [Math.floor(at / size), at % size];
    const [own, other] = [variances[i] ?? 0, variances[j] ?? 0];
    if (value !== values[j * size + i]) return false;
    if (i !== j) return Math.abs(value) <= (1 + ROUNDING) * Math.sqrt(own * other) + ROUNDING;
    return isWithin(
      value,
      0,
      Math.max(LEAST_VARIANCE, mostVariance(theta[i] ?? 0, level)) * (1 + ROUNDING),
    );
  });
}

function mostVariance(theta: number, level: number): number {
  return (SHIFT_VARIANCE + OWN_VARIANCE) * Math.max(level, theta) ** 2;
}

function isAmount(value: number): boolean {
  return value >= 0 && value < Infinity;
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}

/** Typed arrays are indexed within their length here; the compiler cannot know. */
function at(array: Float64Array, index: number): number {
  return array[index] ?? 0;
}
