/**
 * Counts how many members of a set of arrival numbers lie below a given one. Numbers are added
 * almost always in ascending order, leave in any order, and may come back.
 *
 * A Fenwick tree over the numbers in order of arrival, grown by appending: a new node sums its
 * children, of which there are as many as trailing zeros in its index, so appending is O(1)
 * amortised; removal, return and counting are O(log n). Members that left stay as holes, which is
 * what lets them return in place; when holes outnumber members the tree is rebuilt without them.
 * A balanced tree would do the same with more code and a pointer chase per level.
 */
export class ArrivalIndex {
  /** Ascending; a hole keeps its number. */
  #seqs: number[] = [];
  #present: boolean[] = [];
  /** 1-based: `#tree[i]` counts members at indexes (i - lowbit(i), i]. */
  #tree: number[] = [0];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** @throws Error when `seq` is a member already */
  add(seq: number): void {
    const last = this.#seqs.at(-1);
    if (last === undefined || seq > last) {
      this.#append(seq);
    } else {
      const at = this.#lowerBound(seq);
      if (this.#seqs[at] === seq) {
        if (this.#present[at]) throw new Error(`arrival ${seq} is in the index already`);
        this.#present[at] = true;
        this.#shift(at, 1);
      } else {
        const members = this.#members();
        const before = members.findIndex((member) => member > seq);
        members.splice(before < 0 ? members.length : before, 0, seq);
        this.#rebuild(members);
        return;
      }
    }
    this.#size += 1;
  }

  /** @throws Error when `seq` is not a member */
  remove(seq: number): void {
    const at = this.#lowerBound(seq);
    if (this.#seqs[at] !== seq || !this.#present[at]) {
      throw new Error(`arrival ${seq} is not in the index`);
    }
    this.#present[at] = false;
    this.#shift(at, -1);
    this.#size -= 1;
    if (this.#seqs.length > 64 && this.#seqs.length > 2 * this.#size) {
      this.#rebuild(this.#members());
    }
  }

  countBelow(seq: number): number {
    let count = 0;
    for (let i = this.#lowerBound(seq); i > 0; i -= i & -i) count += this.#tree[i] ?? 0;
    return count;
  }

  #append(seq: number): void {
    this.#seqs.push(seq);
    this.#present.push(true);
    const i = this.#seqs.length;
    let sum = 1;
    for (let child = i - 1; child > i - (i & -i); child -= child & -child) {
      sum += this.#tree[child] ?? 0;
    }
    this.#tree.push(sum);
  }

  #shift(at: number, by: number): void {
    for (let i = at + 1; i < this.#tree.length; i += i & -i) {
      this.#tree[i] = (this.#tree[i] ?? 0) + by;
    }
  }

  /** First index whose number is not below `seq`. */
  #lowerBound(seq: number): number {
    let low = 0;
    let high = this.#seqs.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#seqs[middle] ?? 0) < seq) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #members(): number[] {
    return this.#seqs.filter((_, at) => this.#present[at]);
  }

  #rebuild(members: readonly number[]): void {
    this.#seqs = [];
    this.#present = [];
    this.#tree = [0];
    for (const seq of members) this.#append(seq);
    this.#size = members.length;
  }
}
