/**
 * The batch tasks that wait, so that it can be told whether an interactive one passes an older of them:
 * in a line as they came, and apart from it those that ran before and came back, which are few.
 */

export interface Arrived {
  readonly poolId: string;
  readonly arrival: number;
}

export class WaitingBatch<T extends Arrived> {
  readonly #lines = new Map<string, Line<T>>();

  /** Call in order of arrival. */
  add(task: T): void {
    this.#lineOf(task.poolId).push(task);
  }

  /** It waits again after an attempt. */
  addReturned(task: T): void {
    this.#lineOf(task.poolId).pushReturned(task);
  }

  remove(task: T): void {
    this.#lineOf(task.poolId).remove(task);
  }

  hasOlderThan({ poolId, arrival }: Arrived): boolean {
    return this.#lineOf(poolId).oldest() < arrival;
  }

  #lineOf(poolId: string): Line<T> {
    let line = this.#lines.get(poolId);
    if (line === undefined) {
      line = new Line();
      this.#lines.set(poolId, line);
    }
    return line;
  }
}

const SWEEP_FROM = 64;

class Line<T extends Arrived> {
  /** Also tasks that wait no more, until the head has passed them or they are the majority. */
  #items: T[] = [];
  #head = 0;
  readonly #waiting = new Set<T>();
  readonly #returned = new Set<T>();

  push(task: T): void {
    this.#waiting.add(task);
    this.#items.push(task);
  }

  pushReturned(task: T): void {
    if (!this.#waiting.has(task)) this.#returned.add(task);
  }

  remove(task: T): void {
    this.#returned.delete(task);
    if (!this.#waiting.delete(task)) return;
    if (this.#items.length > 2 * this.#waiting.size + SWEEP_FROM) {
      this.#items = this.#items.slice(this.#head).filter((each) => this.#waiting.has(each));
      this.#head = 0;
    }
  }

  /** The lowest arrival number; Infinity when nothing waits. O(1) amortised, apart from the returned. */
  oldest(): number {
    let item = this.#items[this.#head];
    while (item !== undefined && !this.#waiting.has(item)) {
      this.#head += 1;
      item = this.#items[this.#head];
    }
    let oldest = item?.arrival ?? Infinity;
    for (const { arrival } of this.#returned) oldest = Math.min(oldest, arrival);
    return oldest;
  }
}
