/**
 * How many tokens a task will generate, from what its tenant's tasks of the same class did: a
 * forgetting histogram per tenant and class, leaning on the whole pool's while it has few samples.
 *
 * An answer cut off by its `max_tokens` only tells that it would have been longer: its weight is spread
 * over the longer lengths as they are known so far (redistribution to the right, Efron 1967), so a
 * tenant that cuts short does not make the others' answers look short.
 */
import type { Priority } from '../types.ts';
import type { SavedHistogram } from './decaying-histogram.ts';
import { DecayingHistogram, positionOf } from './decaying-histogram.ts';
import { fieldsOf, isCount, isWithin } from './saved-values.ts';

/** Three bins to the octave, up to two million tokens. */
const BINS_PER_OCTAVE = 3;
const BINS = 63;
const MEMORY_SAMPLES = 200;
const PARENT_WEIGHT = 5;
/**
 * Before anything was seen: log-normal, half of all answers within 1.3 octaves of 180 tokens. A heavier
 * tail would make the mean that of answers nobody has ever seen.
 */
const PRIOR_WEIGHT = 2;
const PRIOR_OCTAVE = 7.5;
const PRIOR_SCALE_OCTAVES = 2;
const HINT_MEMORY = 20;
/** Mean error of a hint before any was checked, as a factor's logarithm, and the least believed. */
const FIRST_HINT_ERROR = 0.7;
const LEAST_ERROR = 0.05;
/** A hint that is wrong by more than this, as a factor's logarithm, counts as if it were just so wrong. */
const MOST_MISS = 30;
const MAX_KEYS = 1_000;

/** What the router knows of a task. */
export interface LengthQuery {
  readonly tenantId: string;
  readonly priority: Priority;
  readonly maxTokens: number | undefined;
  /** The client's own estimate. */
  readonly expectedTokens: number | undefined;
}

/** Tokens; none above `max_tokens`, none below 1. */
export interface ExpectedLength {
  readonly mean: number;
  readonly p50: number;
  readonly p90: number;
}

/** How a tenant's own estimates compare, in logarithms of factors. */
interface HintRecord {
  bias: number;
  error: number;
  /** Error of the median instead. */
  medianError: number;
  samples: number;
}

interface Entry {
  readonly lengths: DecayingHistogram;
  readonly hints: HintRecord;
}

interface Answer {
  readonly maxTokens: number | undefined;
  readonly expectedTokens: number | undefined;
  readonly length: ExpectedLength;
}

export interface SavedLengths {
  readonly all: SavedHistogram;
  /** Least recently used first. */
  readonly entries: readonly SavedLengthEntry[];
}

export interface SavedLengthEntry {
  readonly key: string;
  readonly lengths: SavedHistogram;
  readonly hints: Readonly<HintRecord>;
}

/** Lengths of one pool. */
export class OutputLengths {
  readonly #all = new DecayingHistogram(BINS, MEMORY_SAMPLES);
  readonly #entries = new Map<string, Entry>();
  readonly #blend = new Float64Array(BINS);
  /** What was answered last of each, until something is observed. */
  readonly #answers = new Map<Entry | undefined, Answer>();

  /** O(1). */
  expect(query: LengthQuery): ExpectedLength {
    const entry = this.#entries.get(keyOf(query));
    const { maxTokens, expectedTokens } = query;
    const last = this.#answers.get(entry);
    if (
      last !== undefined &&
      last.maxTokens === maxTokens &&
      last.expectedTokens === expectedTokens
    )
      return last.length;
    const length = this.#expect(entry, query);
    this.#answers.set(entry, { maxTokens, expectedTokens, length });
    return length;
  }

  #expect(entry: Entry | undefined, query: LengthQuery): ExpectedLength {
    this.#blendFor(entry);
    const median = octavesAt(positionOf(this.#blend, 0.5));
    const { center, spread } = this.#weighHint(entry, median, query.expectedTokens);
    const most = Math.max(1, query.maxTokens ?? Infinity);
    // Most clients give no hint, and then the lengths are those of the bins.
    const isPlain = spread === 1 && center === median;
    const tokensAt = (octaves: number) =>
      Math.min(most, Math.max(1, 2 ** (center + spread * (octaves - median))));
    let sum = 0;
    let weights = 0;
    for (let bin = 0; bin < BINS; bin++) {
      const weight = this.#blend[bin] ?? 0;
      const tokens = LENGTHS[bin] ?? 1;
      sum += weight * (isPlain ? Math.min(most, tokens) : tokensAt(octavesAt(bin + 0.5)));
      weights += weight;
    }
    const p90 = octavesAt(positionOf(this.#blend, 0.9));
    return { mean: Math.min(most, sum / weights), p50: tokensAt(median), p90: tokensAt(p90) };
  }

  /** A task ended with so many tokens; `cutOff` when `max_tokens` or the context ended it. */
  observe(query: LengthQuery, tokens: number, cutOff: boolean): void {
    if (!(tokens >= 1 && tokens < Infinity)) return;
    this.#answers.clear();
    const entry = this.#touch(keyOf(query));
    this.#blendFor(entry);
    if (!cutOff) this.#checkHint(entry.hints, query.expectedTokens, tokens);
    const position = BINS_PER_OCTAVE * Math.log2(tokens);
    this.#add(entry.lengths, position, cutOff);
    this.#add(this.#all, position, cutOff);
  }

  save(): SavedLengths {
    const entries = Array.from(this.#entries, ([key, { lengths, hints }]) => ({
      key,
      lengths: lengths.save(),
      hints: { ...hints },
    }));
    return { all: this.#all.save(), entries };
  }

  /** @returns false, keeping its state, when `saved` is nothing that one could have saved */
  load(saved: unknown): boolean {
    const { all, entries } = fieldsOf(saved);
    const loaded = entriesOf(entries);
    if (loaded === undefined || !this.#all.load(all)) return false;
    this.#answers.clear();
    this.#entries.clear();
    for (const [key, entry] of loaded) this.#entries.set(key, entry);
    return true;
  }

  #add(lengths: DecayingHistogram, position: number, cutOff: boolean): void {
    lengths.age();
    const bin = lengths.binOf(position);
    let longer = 0;
    if (cutOff) for (let i = bin; i < BINS; i++) longer += this.#blend[i] ?? 0;
    if (longer <= 0) {
      lengths.put(bin, 1);
      return;
    }
    for (let i = bin; i < BINS; i++) lengths.put(i, (this.#blend[i] ?? 0) / longer);
  }

  #blendFor(entry: Entry | undefined): void {
    const parent = this.#all.total + PRIOR_WEIGHT;
    for (let bin = 0; bin < BINS; bin++) {
      const all = (this.#all.weight(bin) + PRIOR_WEIGHT * (PRIOR[bin] ?? 0)) / parent;
      this.#blend[bin] = (entry?.lengths.weight(bin) ?? 0) + PARENT_WEIGHT * all;
    }
  }

  /**
   * The median and the hint, each weighed by the inverse of its squared error so far. The errors of
   * both together are smaller, so the other quantiles move closer to the center.
   */
  #weighHint(
    entry: Entry | undefined,
    median: number,
    hint: number | undefined,
  ): { center: number; spread: number } {
    if (hint === undefined || !(hint >= 1 && hint < Infinity)) return { center: median, spread: 1 };
    const { bias, error, medianError } = entry?.hints ?? NO_HINTS;
    const share = medianError ** 2 / (medianError ** 2 + error ** 2);
    const hinted = Math.log2(hint) + bias / Math.LN2;
    return { center: median + share * (hinted - median), spread: Math.sqrt(1 - share) };
  }

  #checkHint(hints: HintRecord, hint: number | undefined, tokens: number): void {
    if (hint === undefined || !(hint >= 1 && hint < Infinity)) return;
    const median = 2 ** octavesAt(positionOf(this.#blend, 0.5));
    const miss = missOf(tokens, hint);
    hints.samples += 1;
    const weight = 1 / Math.min(HINT_MEMORY, hints.samples + 3);
    const follow = (from: number, to: number) => from + weight * (Math.max(LEAST_ERROR, to) - from);
    hints.error = follow(hints.error, Math.abs(miss - hints.bias));
    hints.medianError = follow(hints.medianError, Math.abs(missOf(tokens, median)));
    hints.bias += weight * (miss - hints.bias);
  }

  /** The entry of a key, made the most recently used. */
  #touch(key: string): Entry {
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      entry = newEntry();
      const [oldest] = this.#entries.keys();
      if (this.#entries.size >= MAX_KEYS && oldest !== undefined) this.#entries.delete(oldest);
    } else {
      this.#entries.delete(key);
    }
    this.#entries.set(key, entry);
    return entry;
  }
}

const NO_HINTS: Readonly<HintRecord> = {
  bias: 0,
  error: FIRST_HINT_ERROR,
  medianError: FIRST_HINT_ERROR,
  samples: 0,
};

function missOf(tokens: number, expected: number): number {
  return Math.min(MOST_MISS, Math.max(-MOST_MISS, Math.log(tokens / expected)));
}

function newEntry(): Entry {
  return { lengths: new DecayingHistogram(BINS, MEMORY_SAMPLES), hints: { ...NO_HINTS } };
}

/** Undefined when these are no saved entries. */
function entriesOf(saved: unknown): ReadonlyMap<string, Entry> | undefined {
  if (!Array.isArray(saved) || saved.length > MAX_KEYS) return undefined;
  const entries = new Map<string, Entry>();
  for (const each of saved as readonly unknown[]) {
    const { key, lengths, hints } = fieldsOf(each);
    const entry = newEntry();
    if (typeof key !== 'string' || !entry.lengths.load(lengths)) return undefined;
    const { bias, error, medianError, samples } = fieldsOf(hints);
    if (!isWithin(bias, -MOST_MISS, MOST_MISS) || !isCount(samples)) return undefined;
    if (!isWithin(error, LEAST_ERROR / 2, 2 * MOST_MISS)) return undefined;
    if (!isWithin(medianError, LEAST_ERROR / 2, 2 * MOST_MISS)) return undefined;
    Object.assign(entry.hints, { bias, error, medianError, samples });
    entries.set(key, entry);
  }
  return entries;
}

/** Tokens at the middle of each bin. */
const LENGTHS = Float64Array.from({ length: BINS }, (_, bin) =>
  Math.max(1, 2 ** octavesAt(bin + 0.5)),
);

const PRIOR = Float64Array.from({ length: BINS }, (_, bin) =>
  Math.exp(-(((octavesAt(bin + 0.5) - PRIOR_OCTAVE) / PRIOR_SCALE_OCTAVES) ** 2) / 2),
);
const PRIOR_SUM = PRIOR.reduce((sum, weight) => sum + weight, 0);
for (const [bin, weight] of PRIOR.entries()) PRIOR[bin] = weight / PRIOR_SUM;

function octavesAt(position: number): number {
  return position / BINS_PER_OCTAVE;
}

function keyOf({ tenantId, priority }: LengthQuery): string {
  return `${priority}:${tenantId}`;
}
