/**
 * Families that cannot grow without bound. Configuration and the contract's lists make every label value,
 * yet replicas get new ids with each change of their model, and a daemon may live for months.
 */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** A family has no more series than this (OC-METRICS-7111). */
export const MAX_SERIES = 2_000;
/** What every label says of all that came too late for a series of its own. */
export const OTHER = 'other';

/** One value for each label, none left out. */
export type Labels<L extends string> = Readonly<Record<L, string>>;

export interface CounterFamily<L extends string> {
  inc(labels: Labels<L>, by?: number): void;
}
export interface GaugeFamily<L extends string> {
  set(labels: Labels<L>, value: number): void;
  reset(): void;
}
export interface HistogramFamily<L extends string> {
  observe(labels: Labels<L>, value: number): void;
}

export interface FamilyOptions<L extends string> {
  readonly name: string;
  readonly help: string;
  readonly labelNames: readonly L[];
  readonly registers: Registry[];
}

/** What has no series of its own any more is added to one for all others, so sums stay true. */
export function boundedCounter<L extends string>(options: FamilyOptions<L>): CounterFamily<L> {
  const counter = new Counter(options);
  const budget = new SeriesBudget(options.labelNames, MAX_SERIES - 1);
  const other = allOther(options.labelNames);
  return { inc: (labels, by = 1) => counter.inc(budget.admits(labels) ? labels : other, by) };
}

/** Gauges cannot be added up: those beyond the budget have no series. */
export function boundedGauge<L extends string>(options: FamilyOptions<L>): GaugeFamily<L> {
  const gauge = new Gauge(options);
  const budget = new SeriesBudget(options.labelNames, MAX_SERIES);
  return {
    set: (labels, value) => {
      if (budget.admits(labels)) gauge.set(labels, value);
    },
    reset: () => {
      gauge.reset();
      budget.reset();
    },
  };
}

/** As counters; each set of labels makes a series of every bucket, of +Inf, the sum and the count. */
export function boundedHistogram<L extends string>(
  options: FamilyOptions<L> & { readonly buckets: number[] },
): HistogramFamily<L> {
  const histogram = new Histogram(options);
  const sets = Math.floor(MAX_SERIES / (options.buckets.length + 3));
  const budget = new SeriesBudget(options.labelNames, sets - 1);
  const other = allOther(options.labelNames);
  return {
    observe: (labels, value) => histogram.observe(budget.admits(labels) ? labels : other, value),
  };
}

function allOther<L extends string>(names: readonly L[]): Labels<L> {
  return Object.fromEntries(names.map((name) => [name, OTHER])) as Labels<L>;
}

/** Sets of labels that are known, by the value of one label after the other. */
class Known extends Map<string, Known> {}

/**
 * First come, first served. Counted with every token: looking up values that are the same strings each
 * time costs much less than making a key of them.
 */
class SeriesBudget<L extends string> {
  readonly #names: readonly L[];
  readonly #limit: number;
  readonly #known = new Known();
  #sets = 0;

  constructor(names: readonly L[], limit: number) {
    this.#names = names;
    this.#limit = limit;
  }

  admits(labels: Labels<L>): boolean {
    let known: Known | undefined = this.#known;
    for (const name of this.#names) {
      known = known.get(labels[name]);
      if (known === undefined) return this.#admitNew(labels);
    }
    return true;
  }

  reset(): void {
    this.#known.clear();
    this.#sets = 0;
  }

  #admitNew(labels: Labels<L>): boolean {
    if (this.#sets >= this.#limit) return false;
    this.#sets += 1;
    let known = this.#known;
    for (const name of this.#names) {
      let next = known.get(labels[name]);
      if (next === undefined) {
        next = new Known();
        known.set(labels[name], next);
      }
      known = next;
    }
    return true;
  }
}
