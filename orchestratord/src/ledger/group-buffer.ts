/**
 * The writes that wait for the ledger's thread: kept in call order and cut into groups, each of which
 * becomes one transaction. Bounded: the caller asks `isFull` before it adds what may be refused.
 */
import type { Wire } from './wire.ts';

export interface GroupLimits {
  /** Writes that may wait, the group under commit included. */
  readonly maxWaitingWrites: number;
  /** Characters of JSON text that may wait, likewise. */
  readonly maxWaitingChars: number;
}

export interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

export interface Group {
  readonly wire: Wire;
  /** One per item, in order. */
  readonly waiters: Waiter[];
  chars: number;
}

/** Keeps a commit, and so what a read waits for, to a few milliseconds. */
const MAX_GROUP_WRITES = 2_048;
const MAX_GROUP_CHARS = 4 * 1024 * 1024;

export class GroupBuffer {
  readonly #limits: GroupLimits;
  readonly #groups: Group[] = [];
  #writes = 0;
  #chars = 0;

  constructor(limits: GroupLimits) {
    this.#limits = limits;
  }

  /** Writes added and not yet settled. */
  get waitingWrites(): number {
    return this.#writes;
  }

  get isFull(): boolean {
    return this.#isFilled(1);
  }

  get isHalfFull(): boolean {
    return this.#isFilled(0.5);
  }

  #isFilled(share: number): boolean {
    return (
      this.#writes >= this.#limits.maxWaitingWrites * share ||
      this.#chars >= this.#limits.maxWaitingChars * share
    );
  }

  /** `encode` appends one item to a group and returns its size in characters. */
  add(encode: (wire: Wire) => number, waiter: Waiter): void {
    const group = this.#openGroup();
    const chars = encode(group.wire);
    group.waiters.push(waiter);
    group.chars += chars;
    this.#writes += 1;
    this.#chars += chars;
  }

  #openGroup(): Group {
    const last = this.#groups.at(-1);
    if (
      last !== undefined &&
      last.waiters.length < MAX_GROUP_WRITES &&
      last.chars < MAX_GROUP_CHARS
    ) {
      return last;
    }
    const group: Group = { wire: [], waiters: [], chars: 0 };
    this.#groups.push(group);
    return group;
  }

  /** The oldest group, to be committed; it counts as waiting until `settled`. */
  take(): Group | undefined {
    return this.#groups.shift();
  }

  takeAll(): readonly Group[] {
    return this.#groups.splice(0);
  }

  settled(group: Group): void {
    this.#writes -= group.waiters.length;
    this.#chars -= group.chars;
  }
}
