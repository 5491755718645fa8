/**
 * What is due next, without timers of our own: the daemon asks `peek` when to come back. One entry
 * per key; setting a key again moves it. Equal times come out by key, so the order does not depend
 * on how the entries got in (live or by recovery).
 */
export interface Timer<T> {
  readonly key: string;
  readonly dueMs: number;
  readonly value: T;
}

interface Entry<T> extends Timer<T> {
  index: number;
}

/** Binary heap with an index by key: peek is O(1), set, cancel and takeDue are O(log n). */
export class TimerHeap<T> {
  readonly #heap: Entry<T>[] = [];
  readonly #byKey = new Map<string, Entry<T>>();

  get size(): number {
    return this.#heap.length;
  }

  peek(): Timer<T> | undefined {
    return this.#heap[0];
  }

  set(key: string, dueMs: number, value: T): void {
    this.cancel(key);
    const entry: Entry<T> = { key, dueMs, value, index: this.#heap.length };
    this.#byKey.set(key, entry);
    this.#heap.push(entry);
    this.#siftUp(entry);
  }

  cancel(key: string): void {
    const entry = this.#byKey.get(key);
    if (entry === undefined) return;
    this.#byKey.delete(key);
    const last = this.#heap.pop();
    if (last === undefined || last === entry) return;
    this.#place(last, entry.index);
    this.#siftUp(last);
    this.#siftDown(last);
  }

  /** Removes and returns the earliest entry due at `nowMs`, if there is one. */
  takeDue(nowMs: number): Timer<T> | undefined {
    const first = this.#heap[0];
    if (first === undefined || first.dueMs > nowMs) return undefined;
    this.cancel(first.key);
    return first;
  }

  #place(entry: Entry<T>, index: number): void {
    this.#heap[index] = entry;
    entry.index = index;
  }

  #siftUp(entry: Entry<T>): void {
    while (entry.index > 0) {
      const parent = this.#heap[(entry.index - 1) >> 1];
      if (parent === undefined || !isBefore(entry, parent)) return;
      this.#swap(entry, parent);
    }
  }

  #siftDown(entry: Entry<T>): void {
    for (;;) {
      const left = this.#heap[2 * entry.index + 1];
      const right = this.#heap[2 * entry.index + 2];
      const child = left && right && isBefore(right, left) ? right : left;
      if (child === undefined || !isBefore(child, entry)) return;
      this.#swap(child, entry);
    }
  }

  #swap(a: Entry<T>, b: Entry<T>): void {
    const index = a.index;
    this.#place(a, b.index);
    this.#place(b, index);
  }
}

function isBefore(a: Timer<unknown>, b: Timer<unknown>): boolean {
  return a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.key < b.key);
}
