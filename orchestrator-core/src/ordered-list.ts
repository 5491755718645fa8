/**
 * A list kept in ascending (key, seq) that also knows how many items, and how much weight, lie
 * before any point of it.
 *
 * Chunks of at most 256 items, under two Fenwick trees over the chunks (their lengths and their
 * weights). The trees are built when a position is first asked for and kept up to date until a
 * chunk is added or dropped, so a list that nobody asks for positions never pays for them. A chunk
 * holds only references, 8 to 16 bytes per item; a balanced tree would cost several times that and
 * a pointer chase per level.
 */
const MAX_CHUNK = 256;
/** Well below half of the maximum, so that one removal and one insertion never undo each other. */
const MIN_CHUNK = 64;

/** How to read an item. What it returns for an item must not change while the item is listed. */
export interface Ordering<T> {
  key(item: T): number;
  /** Breaks ties; no two listed items may have both key and seq in common. */
  seq(item: T): number;
  weight(item: T): number;
}

interface Chunk<T> {
  readonly items: T[];
  weight: number;
}

/** Sums before a point. */
export interface Before {
  readonly count: number;
  readonly weight: number;
}

/** Every operation is O(log n + chunk); the first position asked for after a split adds O(n / chunk). */
export class OrderedList<T> implements Iterable<T> {
  readonly #ordering: Ordering<T>;
  /** Never empty; only the chunk of an empty list has no items. */
  #chunks: Chunk<T>[] = [{ items: [], weight: 0 }];
  #size = 0;
  #total = 0;
  /** 1-based: `[i]` sums the chunks at indexes (i - lowbit(i), i]; undefined when out of date. */
  #trees: { readonly counts: number[]; readonly weights: number[] } | undefined;

  constructor(ordering: Ordering<T>) {
    this.#ordering = ordering;
  }

  get size(): number {
    return this.#size;
  }

  /** The weight of all items, to floating-point accuracy; exactly 0 when there are none. */
  get total(): number {
    return this.#total;
  }

  first(): T | undefined {
    return this.#chunks[0]?.items[0];
  }

  last(): T | undefined {
    return this.#chunks.at(-1)?.items.at(-1);
  }

  /** @throws Error when an item with this key and seq is listed already */
  insert(item: T): void {
    const key = this.#ordering.key(item);
    const seq = this.#ordering.seq(item);
    let index = this.#chunkAt(key, seq);
    let items = this.#itemsOf(index);
    let at = this.#lowerBound(items, key, seq);
    const there = items[at];
    if (there !== undefined && this.#compare(there, key, seq) === 0) {
      throw new Error(`an item at (${key}, ${seq}) is listed already`);
    }
    if (items.length === MAX_CHUNK) {
      // What arrives in order leaves full chunks behind; anything else splits one in two.
      const isLast = at === MAX_CHUNK && index === this.#chunks.length - 1;
      const keep = isLast ? MAX_CHUNK : MAX_CHUNK / 2;
      this.#replace(index, [items.slice(0, keep), items.slice(keep)]);
      if (at >= keep) {
        index += 1;
        at -= keep;
      }
      items = this.#itemsOf(index);
    }
    items.splice(at, 0, item);
    this.#shift(index, 1, this.#ordering.weight(item));
  }

  /** Takes out the item with the key and seq of `item`, and returns it. */
  remove(item: T): T | undefined {
    const key = this.#ordering.key(item);
    const seq = this.#ordering.seq(item);
    const index = this.#chunkAt(key, seq);
    const items = this.#itemsOf(index);
    const at = this.#lowerBound(items, key, seq);
    const found = items[at];
    if (found === undefined || this.#compare(found, key, seq) !== 0) return undefined;
    if (at === 0) items.shift();
    else items.splice(at, 1);
    this.#shift(index, -1, -this.#ordering.weight(found));
    if (this.#size === 0) this.clear();
    else if (items.length < MIN_CHUNK) this.#shrink(index);
    return found;
  }

  clear(): void {
    this.#chunks = [{ items: [], weight: 0 }];
    this.#trees = undefined;
    this.#size = 0;
    this.#total = 0;
  }

  /** How many lie strictly before (key, seq), listed or not. */
  countBefore(key: number, seq: number): number {
    const { counts } = (this.#trees ??= this.#buildTrees());
    const index = this.#chunkAt(key, seq);
    return sumTo(counts, index) + this.#lowerBound(this.#itemsOf(index), key, seq);
  }

  weightBefore(key: number, seq: number): number {
    return this.before(key, seq).weight;
  }

  /** What lies strictly before (key, seq), listed or not. */
  before(key: number, seq: number): Before {
    const { counts, weights } = (this.#trees ??= this.#buildTrees());
    const index = this.#chunkAt(key, seq);
    const items = this.#itemsOf(index);
    const at = this.#lowerBound(items, key, seq);
    const count = sumTo(counts, index) + at;
    // Newcomers mostly ask what lies before the very end.
    if (count === this.#size) return { count, weight: this.#total };
    let weight = sumTo(weights, index);
    for (let i = 0; i < at; i += 1) {
      const item = items[i];
      if (item !== undefined) weight += this.#ordering.weight(item);
    }
    return { count, weight };
  }

  /**
   * Of the first `count` items all, or where they are more than `most`, the middle ones of so many
   * stretches of equal length. O(most + chunks).
   */
  spread(count: number, most: number): T[] {
    const among = Math.min(count, this.#size);
    const picked = Math.min(among, most);
    const spread: T[] = [];
    let passed = 0;
    for (const { items } of this.#chunks) {
      while (spread.length < picked) {
        const at = Math.floor(((spread.length + 0.5) * among) / picked) - passed;
        const item = items[at];
        if (item === undefined) break;
        spread.push(item);
      }
      if (spread.length === picked) break;
      passed += items.length;
    }
    return spread;
  }

  /** Ascending; the list must not change meanwhile. */
  *[Symbol.iterator](): Generator<T, undefined> {
    for (const { items } of this.#chunks) {
      for (const item of items) yield item;
    }
  }

  /** Whether `a` comes before `b` in this list's order; neither need be listed. */
  isBefore(a: T, b: T): boolean {
    return this.#compare(a, this.#ordering.key(b), this.#ordering.seq(b)) < 0;
  }

  #compare(item: T, key: number, seq: number): number {
    const itemKey = this.#ordering.key(item);
    if (itemKey !== key) return itemKey < key ? -1 : 1;
    return this.#ordering.seq(item) - seq;
  }

  #itemsOf(index: number): T[] {
    return this.#chunks[index]?.items ?? [];
  }

  /** The last chunk that starts at or before (key, seq), else the first. */
  #chunkAt(key: number, seq: number): number {
    let low = 0;
    let high = this.#chunks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      const start = this.#chunks[middle]?.items[0];
      if (start !== undefined && this.#compare(start, key, seq) > 0) high = middle - 1;
      else low = middle;
    }
    return low;
  }

  /** First index whose item is not before (key, seq). */
  #lowerBound(items: readonly T[], key: number, seq: number): number {
    let low = 0;
    let high = items.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const item = items[middle];
      if (item !== undefined && this.#compare(item, key, seq) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Drops a chunk that is empty, and joins a small one with a small neighbour. */
  #shrink(index: number): void {
    if (this.#itemsOf(index).length === 0) return this.#replace(index, []);
    for (const left of [index - 1, index]) {
      const a = this.#chunks[left]?.items;
      const b = this.#chunks[left + 1]?.items;
      if (a === undefined || b === undefined || a.length + b.length > MAX_CHUNK / 2) continue;
      return this.#replace(left, [[...a, ...b]], 2);
    }
  }

  #replace(index: number, contents: readonly T[][], count = 1): void {
    const chunks = contents.map((items) => ({ items, weight: this.#weigh(items) }));
    this.#chunks.splice(index, count, ...chunks);
    this.#trees = undefined;
  }

  #shift(index: number, count: number, weight: number): void {
    this.#size += count;
    this.#total += weight;
    const chunk = this.#chunks[index];
    if (chunk !== undefined) chunk.weight += weight;
    if (this.#trees === undefined) return;
    const { counts, weights } = this.#trees;
    for (let i = index + 1; i < counts.length; i += i & -i) {
      counts[i] = (counts[i] ?? 0) + count;
      weights[i] = (weights[i] ?? 0) + weight;
    }
  }

  #buildTrees() {
    const counts = [0, ...this.#chunks.map(({ items }) => items.length)];
    const weights = [0, ...this.#chunks.map(({ weight }) => weight)];
    for (let i = 1; i < counts.length; i += 1) {
      const parent = i + (i & -i);
      if (parent >= counts.length) continue;
      counts[parent] = (counts[parent] ?? 0) + (counts[i] ?? 0);
      weights[parent] = (weights[parent] ?? 0) + (weights[i] ?? 0);
    }
    return { counts, weights };
  }

  #weigh(items: readonly T[]): number {
    return items.reduce((sum, item) => sum + this.#ordering.weight(item), 0);
  }
}

/** Of a Fenwick tree, the chunks before `index`. */
function sumTo(tree: readonly number[], index: number): number {
  let sum = 0;
  for (let i = index; i > 0; i -= i & -i) sum += tree[i] ?? 0;
  return sum;
}

/** A list's place in a merge; `rest` begins once its first item was taken. */
interface Cursor<T> {
  readonly head: T;
  readonly list: OrderedList<T>;
  readonly rest: Iterator<T, undefined> | undefined;
}

/** The first `limit` items of lists with the same ordering together, in that order. */
export function mergeFirst<T>(lists: readonly OrderedList<T>[], limit: number): T[] {
  const cursors: Cursor<T>[] = [];
  for (const list of lists) {
    const head = list.first();
    if (head === undefined) continue;
    // A list whose first item is not among the first `limit` ones has nothing to contribute.
    const last = cursors.length < limit ? undefined : cursors.at(-1);
    if (last !== undefined && !list.isBefore(head, last.head)) continue;
    putInOrder(cursors, { head, list, rest: undefined });
    if (cursors.length > limit) cursors.pop();
  }
  const items: T[] = [];
  for (let next = cursors.shift(); next !== undefined; next = cursors.shift()) {
    items.push(next.head);
    if (items.length === limit) break;
    const rest = next.rest ?? withoutFirst(next.list);
    const { value: head, done } = rest.next();
    if (done !== true) putInOrder(cursors, { head, list: next.list, rest });
  }
  return items;
}

function withoutFirst<T>(list: OrderedList<T>): Iterator<T, undefined> {
  const items = list[Symbol.iterator]();
  items.next();
  return items;
}

function putInOrder<T>(cursors: Cursor<T>[], cursor: Cursor<T>): void {
  let low = 0;
  let high = cursors.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const other = cursors[middle];
    if (other === undefined || cursor.list.isBefore(cursor.head, other.head)) high = middle;
    else low = middle + 1;
  }
  cursors.splice(low, 0, cursor);
}
