/** What a test counts by itself, to hold the rise of the daemon's counters against it. */
import { sumOf, type Scrape } from '../src/metrics-text.ts';

type Labels = Readonly<Record<string, string>>;

interface Count {
  readonly labels: Labels;
  value: number;
}

/** Sums of milliseconds are told rounded to the client, each by less than this. */
const ROUNDING_MS = 1;

export class Tally {
  readonly #series = new Map<string, Map<string, Count>>();
  readonly #partial: ReadonlySet<string>;

  /** @param partial series of which only what is counted is compared, and not their sum */
  constructor(partial: readonly string[] = []) {
    this.#partial = new Set(partial);
  }

  /** Counts are told apart by these labels; each count of one series has values for the same ones. */
  add(series: string, labels: Labels, by = 1): void {
    const counts = this.#series.get(series) ?? new Map<string, Count>();
    this.#series.set(series, counts);
    const key = JSON.stringify(Object.entries(labels).toSorted());
    const count = counts.get(key) ?? { labels, value: 0 };
    counts.set(key, count);
    count.value += by;
  }

  /** The families that were counted. */
  get families(): readonly string[] {
    return [...this.#series.keys()].map((name) => name.replace(/_(sum|count)$/, ''));
  }

  total(series: string): number {
    return [...(this.#series.get(series)?.values() ?? [])].reduce(
      (sum, { value }) => sum + value,
      0,
    );
  }

  /**
   * What rose otherwise than counted, by itself or in sum, one line each.
   * @param within only series with these labels are looked at
   */
  compare(before: Scrape, after: Scrape, within: Labels = {}): readonly string[] {
    return [...this.#series].flatMap(([name, counts]) => {
      const faults: string[] = [];
      const check = (labels: Labels, counted: number): void => {
        const rose = sumOf(after, name, labels) - sumOf(before, name, labels);
        const tolerance = name.endsWith('_ms_sum') ? ROUNDING_MS * this.total(countOf(name)) : 1e-6;
        if (Math.abs(rose - counted) <= tolerance) return;
        faults.push(`${name}${JSON.stringify(labels)} rose by ${rose}, counted were ${counted}`);
      };
      for (const { labels, value } of counts.values()) check({ ...within, ...labels }, value);
      if (!this.#partial.has(name)) check(within, this.total(name));
      return faults;
    });
  }
}

function countOf(sumName: string): string {
  return sumName.replace(/_sum$/, '_count');
}
