/** A binary heap of items by a number, least first; items of equal number leave as they came. */
export class KeyedHeap<T> {
  readonly #keys: number[] = [];
  readonly #orders: number[] = [];
  readonly #items: T[] = [];
  #pushed = 0;

  get size(): number {
    return this.#items.length;
  }

  /** Infinity when empty. */
  get leastKey(): number {
    return this.#keys[0] ?? Infinity;
  }

  get least(): T | undefined {
    return this.#items[0];
  }

  push(key: number, item: T): void {
    this.#keys.push(key);
    this.#orders.push(this.#pushed++);
    this.#items.push(item);
    let at = this.#items.length - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#isBefore(at, parent)) break;
      this.#swap(at, parent);
      at = parent;
    }
  }

  pop(): T | undefined {
    const top = this.#items[0];
    const last = this.#items.length - 1;
    if (last < 0) return undefined;
    this.#swap(0, last);
    this.#keys.pop();
    this.#orders.pop();
    this.#items.pop();
    let at = 0;
    for (;;) {
      const left = 2 * at + 1;
      if (left >= last) break;
      const right = left + 1;
      const child = right < last && this.#isBefore(right, left) ? right : left;
      if (!this.#isBefore(child, at)) break;
      this.#swap(at, child);
      at = child;
    }
    return top;
  }

  #isBefore(a: number, b: number): boolean {
    const keyA = this.#keys[a] ?? Infinity;
    const keyB = this.#keys[b] ?? Infinity;
    return keyA < keyB || (keyA === keyB && (this.#orders[a] ?? 0) < (this.#orders[b] ?? 0));
  }

  #swap(a: number, b: number): void {
    swapIn(this.#keys, a, b);
    swapIn(this.#orders, a, b);
    swapIn(this.#items, a, b);
  }
}

function swapIn<T>(list: T[], a: number, b: number): void {
  const kept = list[a] as T;
  list[a] = list[b] as T;
  list[b] = kept;
}
