/**
 * Live tasks in order of arrival, for lists that show the newest first: a page costs what it shows, not
 * what is queued. Removal leaves a hole; holes are swept out once they are the majority, so that both
 * stay O(log n) amortised.
 */

export interface Arrived {
  /** Strictly increasing from one `push` to the next. */
  readonly arrival: number;
}

const SWEEP_FROM = 64;

export class ArrivalList<T extends Arrived> {
  #items: (T | undefined)[] = [];
  /** Arrival numbers of all items, holes included: what the binary search reads. */
  #arrivals: number[] = [];
  #holes = 0;

  get size(): number {
    return this.#items.length - this.#holes;
  }

  push(item: T): void {
    this.#items.push(item);
    this.#arrivals.push(item.arrival);
  }

  remove(item: T): void {
    const at = this.#firstFrom(item.arrival);
    if (this.#items[at] !== item) return;
    this.#items[at] = undefined;
    this.#holes += 1;
    if (this.#holes >= SWEEP_FROM && this.#holes * 2 > this.#items.length) this.#sweep();
  }

  /** Items with an arrival number below the given one, newest first. */
  *newestFirst(below = Infinity): Iterable<T> {
    for (let at = this.#firstFrom(below) - 1; at >= 0; at -= 1) {
      const item = this.#items[at];
      if (item !== undefined) yield item;
    }
  }

  /** Position of the first item with at least this arrival number. */
  #firstFrom(arrival: number): number {
    let low = 0;
    let high = this.#arrivals.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#arrivals[middle] ?? Infinity) < arrival) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #sweep(): void {
    const items = this.#items.filter((item) => item !== undefined);
    this.#items = items;
    this.#arrivals = items.map((item) => item.arrival);
    this.#holes = 0;
  }
}
