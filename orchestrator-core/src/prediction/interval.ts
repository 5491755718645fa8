/**
 * How far predictions of a wait are off, learned from how far they were: intervals and on-time
 * probabilities from empirical error quantiles by bucket, instead of from an assumed distribution.
 *
 * An error is `ln((actual + FLOOR_MS) / (predicted + FLOOR_MS))`: relative for long waits, absolute
 * for short ones. Each bucket keeps a forgetting histogram of its errors, leans on that of all buckets
 * while it has few, and that one on a broad prior, which never fully goes: no time is impossible.
 *
 * What all waits have in common at the moment, a fleet that just became slower, is followed apart from
 * the shape of the errors and much faster, as a common shift.
 *
 * The levels that bound the interval adapt (adaptive conformal inference, Gibbs and Candès 2021): each
 * miss widens its side, each hit narrows it, so that in the long run the share of misses is right even
 * while the errors drift.
 */
import type { SavedHistogram } from './decaying-histogram.ts';
import { DecayingHistogram, positionOf, rankOf } from './decaying-histogram.ts';
import { fieldsOf, isWithin } from './saved-values.ts';

const FLOOR_MS = 2;
/** Bins on either side of no error. Their width grows from 0.15 % there to 15 % of the error. */
const HALF_BINS = 48;
const FINEST = 0.01;
const BINS_PER_UNIT = 6.6;
const MEMORY_SAMPLES = 300;
/** Weight of all buckets in one, and of the prior in all, in samples. */
const PARENT_WEIGHT = 5;
const PRIOR_WEIGHT = 2;
/** Scale of the prior's Laplace distribution: half of all waits within a factor of 1.4. */
const PRIOR_SCALE = 0.5;
const MISS_RATE = 0.1;
const ADAPTATION = 0.01;
/** Of errors that are alike within a burst: there many say little more than one. */
const BURSTY_ADAPTATION = 0.005;
const BURSTY_MEMORY_SAMPLES = 1_000;
const LEAST_LEVEL = 0.005;
const MOST_LEVEL = 0.35;
/**
 * The common shift moves when the mean side of the median that the last errors fell on is beyond what
 * chance brings, by at most a part of their spread per sample, and goes back when nothing holds it.
 */
const SIDE_MEMORY = 30;
const USUAL_SIDE = 0.5;
const SHIFT_SAMPLES = 5;
const SHIFT_MEMORY = 1_000;
const MAX_BUCKETS = 64;
/** Times that are wrong by more than this, as a factor's logarithm, were not predicted at all. */
const MOST_SHIFT = 20;

interface Bucket {
  readonly errors: DecayingHistogram;
  /** Levels of the error quantiles that bound the 80 % interval, from either end. */
  low: number;
  high: number;
}

interface Blended {
  readonly bucket: Bucket | undefined;
  /** Positions of the interval's ends, once asked for. */
  bounds?: readonly [low: number, high: number];
}

export interface SavedIntervals {
  readonly shift: number;
  readonly side: number;
  readonly all: SavedHistogram;
  readonly buckets: readonly SavedBucket[];
}

export interface SavedBucket {
  readonly key: string;
  readonly errors: SavedHistogram;
  readonly low: number;
  readonly high: number;
}

/** A bucket for waits alike in length: five to the decade between 10 ms and 100 s. */
export function waitBucket(predictedMs: number): string {
  return `${Math.round(5 * Math.log10(Math.min(1e5, Math.max(10, predictedMs))))}`;
}

export interface IntervalOptions {
  /**
   * True for errors that are all alike for a while, to one side in one burst and to the other in the next:
   * then what they have in common passes with the burst, and is not followed.
   */
  readonly areBursty: boolean;
}

export class WaitIntervals {
  readonly #areBursty: boolean;
  /** Added to every error, as a factor's logarithm. */
  #shift = 0;
  /** Mean side of the median that errors fall on, from -1 to 1. */
  #side = 0;
  readonly #all: DecayingHistogram;
  readonly #buckets = new Map<string, Bucket>();
  /** Scratch: the weights of a bucket with what it leans on. */
  readonly #blend = new Float64Array(2 * HALF_BINS);
  /** Whose they are; undefined when out of date. */
  #blended: Blended | undefined;

  constructor({ areBursty }: IntervalOptions = { areBursty: false }) {
    this.#areBursty = areBursty;
    this.#all = newBucket(areBursty).errors;
  }

  /** The range that the actual wait falls below in a tenth of cases, and above in a tenth, ms. */
  interval(predictedMs: number, key = waitBucket(predictedMs)): [low: number, high: number] {
    const bucket = this.#buckets.get(key);
    this.#blendFor(bucket);
    return this.#bounds(predictedMs, bucket);
  }

  /** The prediction without its typical error: as often too high as too low, ms. */
  medianMs(predictedMs: number, key = waitBucket(predictedMs)): number {
    this.#blendFor(this.#buckets.get(key));
    return this.#waitAt(predictedMs, positionOf(this.#blend, 0.5));
  }

  /** How likely the wait is over within the budget; above 0 and below 1 unless the budget is gone. */
  probabilityWithin(predictedMs: number, budgetMs: number, key = waitBucket(predictedMs)): number {
    if (!(budgetMs > 0)) return 0;
    this.#blendFor(this.#buckets.get(key));
    return rankOf(this.#blend, this.#positionOf(predictedMs, budgetMs));
  }

  /**
   * @param given the interval that was given with the prediction. Others may have been observed since,
   *   and in a burst all are: what counts is whether the one given has held.
   */
  observe(
    predictedMs: number,
    actualMs: number,
    key = waitBucket(predictedMs),
    given?: readonly [low: number, high: number],
  ): void {
    if (!isTime(predictedMs) || !isTime(actualMs)) return;
    const bucket = this.#bucket(key);
    this.#blendFor(bucket);
    const [lowMs, highMs] = given ?? this.#bounds(predictedMs, bucket);
    const step = this.#areBursty ? BURSTY_ADAPTATION : ADAPTATION;
    bucket.low = adapt(bucket.low, actualMs < lowMs, step);
    bucket.high = adapt(bucket.high, actualMs > highMs, step);
    const position = this.#positionOf(predictedMs, actualMs);
    if (!this.#areBursty) this.#moveShift(bucket, position);
    bucket.errors.add(position);
    this.#all.add(position);
    this.#blended = undefined;
  }

  save(): SavedIntervals {
    const buckets = Array.from(this.#buckets, ([key, { errors, low, high }]) => ({
      key,
      errors: errors.save(),
      low,
      high,
    }));
    return { shift: this.#shift, side: this.#side, all: this.#all.save(), buckets };
  }

  /** @returns false, keeping its state, when `saved` is nothing that one could have saved */
  load(saved: unknown): boolean {
    const { shift, side, all, buckets } = fieldsOf(saved);
    if (!isWithin(shift, -MOST_SHIFT, MOST_SHIFT) || !isWithin(side, -1, 1)) return false;
    const loaded = bucketsOf(buckets, this.#areBursty);
    if (loaded === undefined || !this.#all.load(all)) return false;
    this.#blended = undefined;
    this.#shift = shift;
    this.#side = side;
    this.#buckets.clear();
    for (const [key, bucket] of loaded) this.#buckets.set(key, bucket);
    return true;
  }

  #bounds(predictedMs: number, bucket: Bucket | undefined): [low: number, high: number] {
    const [low, high] = this.#blended?.bounds ?? this.#positionsOf(bucket);
    if (this.#blended !== undefined) this.#blended.bounds ??= [low, high];
    return [this.#waitAt(predictedMs, low), this.#waitAt(predictedMs, high)];
  }

  #positionsOf(bucket: Bucket | undefined): readonly [low: number, high: number] {
    const low = positionOf(this.#blend, bucket?.low ?? MISS_RATE);
    return [low, positionOf(this.#blend, 1 - (bucket?.high ?? MISS_RATE))];
  }

  /**
   * Moves with the side of the median that errors fall on, so no outlier moves it far, only while nearly
   * all fall on one side, and in steps that are small for narrow errors as well as for the bucket's own.
   */
  #moveShift(bucket: Bucket, position: number): void {
    this.#blendFor(bucket);
    const side = Math.sign(position - positionOf(this.#blend, 0.5));
    this.#side += (side - this.#side) / SIDE_MEMORY;
    this.#shift -= this.#shift / SHIFT_MEMORY;
    const surplus = Math.abs(this.#side) - USUAL_SIDE;
    if (surplus <= 0) return;
    const ownSpread = spreadOf(this.#blend);
    this.#blendFor(undefined);
    const spread = Math.min(ownSpread, spreadOf(this.#blend));
    this.#shift += (Math.sign(this.#side) * surplus * spread) / SHIFT_SAMPLES;
  }

  #positionOf(predictedMs: number, actualMs: number): number {
    const error = Math.log((actualMs + FLOOR_MS) / (predictedMs + FLOOR_MS)) - this.#shift;
    const position = HALF_BINS + BINS_PER_UNIT * Math.asinh(error / FINEST);
    // What is off the scale is still neither certain nor impossible.
    return Math.min(2 * HALF_BINS - 0.5, Math.max(0.5, position));
  }

  #waitAt(predictedMs: number, position: number): number {
    const factor = Math.exp(errorAt(position) + this.#shift);
    return Math.max(0, (predictedMs + FLOOR_MS) * factor - FLOOR_MS);
  }

  #blendFor(bucket: Bucket | undefined): void {
    if (this.#blended !== undefined && this.#blended.bucket === bucket) return;
    this.#blended = { bucket };
    const parent = this.#all.total + PRIOR_WEIGHT;
    for (let i = 0; i < this.#blend.length; i++) {
      const all = (this.#all.weight(i) + PRIOR_WEIGHT * (PRIOR[i] ?? 0)) / parent;
      this.#blend[i] = (bucket?.errors.weight(i) ?? 0) + PARENT_WEIGHT * all;
    }
  }

  /** Keys beyond the bound share one bucket, so that made-up ones cost no memory. */
  #bucket(key: string): Bucket {
    const known = this.#buckets.get(key);
    if (known !== undefined) return known;
    if (this.#buckets.size >= MAX_BUCKETS && key !== OVERFLOW) return this.#bucket(OVERFLOW);
    const bucket = newBucket(this.#areBursty);
    this.#buckets.set(key, bucket);
    return bucket;
  }
}

const OVERFLOW = '';

function newBucket(areBursty: boolean): Bucket {
  const memory = areBursty ? BURSTY_MEMORY_SAMPLES : MEMORY_SAMPLES;
  const errors = new DecayingHistogram(2 * HALF_BINS, memory);
  return { errors, low: MISS_RATE, high: MISS_RATE };
}

/** Undefined when these are no saved buckets. */
function bucketsOf(saved: unknown, areBursty: boolean): ReadonlyMap<string, Bucket> | undefined {
  if (!Array.isArray(saved) || saved.length > MAX_BUCKETS + 1) return undefined;
  const buckets = new Map<string, Bucket>();
  for (const each of saved as readonly unknown[]) {
    const { key, errors, low, high } = fieldsOf(each);
    const bucket = newBucket(areBursty);
    if (typeof key !== 'string' || !bucket.errors.load(errors)) return undefined;
    if (!isWithin(low, LEAST_LEVEL, MOST_LEVEL)) return undefined;
    if (!isWithin(high, LEAST_LEVEL, MOST_LEVEL)) return undefined;
    buckets.set(key, { ...bucket, low, high });
  }
  return buckets;
}

/** Share of the prior in each bin. */
const PRIOR = Float64Array.from({ length: 2 * HALF_BINS }, (_, bin) => {
  const below = bin === 0 ? 0 : laplace(errorAt(bin));
  return (bin === 2 * HALF_BINS - 1 ? 1 : laplace(errorAt(bin + 1))) - below;
});

function laplace(error: number): number {
  const tail = Math.exp(-Math.abs(error) / PRIOR_SCALE) / 2;
  return error < 0 ? tail : 1 - tail;
}

function errorAt(position: number): number {
  return FINEST * Math.sinh((position - HALF_BINS) / BINS_PER_UNIT);
}

/** Distance of the quartiles. */
function spreadOf(weights: Float64Array): number {
  return errorAt(positionOf(weights, 0.75)) - errorAt(positionOf(weights, 0.25));
}

function adapt(level: number, missed: boolean, step: number): number {
  const moved = level + step * (MISS_RATE - (missed ? 1 : 0));
  return Math.min(MOST_LEVEL, Math.max(LEAST_LEVEL, moved));
}

function isTime(value: number): boolean {
  return value >= 0 && value < Infinity;
}
