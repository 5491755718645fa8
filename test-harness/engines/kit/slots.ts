/** Slots with llama-server's rules of placement and deferral (tools/server/server-context.cpp). */

export interface SimSlot {
  readonly id: number;
  busy: boolean;
  taskId: number;
  /** Text whose KV the slot holds. */
  heldText: string;
  /** Tokens held; undefined while the slot was never used. */
  heldTokens: number | undefined;
  decoded: number;
  remaining: number;
  lastUsed: number;
}

interface Deferred {
  readonly pinned: number | undefined;
  readonly start: (slot: SimSlot) => void;
}

/** A slot is preferred over the least recently used one when this share of the prompt matches. */
const PROMPT_SIMILARITY = 0.1;

export class SlotTable {
  readonly slots: readonly SimSlot[];
  #deferred: Deferred[] = [];
  #uses = 0;

  constructor(count: number) {
    this.slots = Array.from({ length: count }, (_, id) => ({
      id,
      busy: false,
      taskId: -1,
      heldText: '',
      heldTokens: undefined,
      decoded: 0,
      remaining: 0,
      lastUsed: 0,
    }));
  }

  get busy(): number {
    return this.slots.filter((slot) => slot.busy).length;
  }

  get deferred(): number {
    return this.#deferred.length;
  }

  /**
   * Runs `start` when a slot is free: at once, or deferred without bound as the engine does it.
   * @param pin slot asked for, taken modulo the slot count; negative means any
   * @returns a function that withdraws a request still deferred
   */
  acquire(prompt: string, pin: number, start: (slot: SimSlot) => void): () => void {
    const pinned = pin < 0 ? undefined : pin % this.slots.length;
    const slot = pinned === undefined ? this.#choose(prompt) : this.slots[pinned];
    if (slot !== undefined && !slot.busy) {
      this.#start(slot, start);
      return () => {};
    }
    const entry: Deferred = { pinned, start };
    this.#deferred.push(entry);
    return () => {
      this.#deferred = this.#deferred.filter((other) => other !== entry);
    };
  }

  /** Frees a slot, keeping its KV, and starts the task deferred for it, else the oldest one. */
  release(slot: SimSlot): void {
    slot.busy = false;
    const pinned = this.#deferred.findIndex((entry) => entry.pinned === slot.id);
    const index =
      pinned >= 0 ? pinned : this.#deferred.findIndex((entry) => entry.pinned === undefined);
    const [next] = index < 0 ? [] : this.#deferred.splice(index, 1);
    if (next !== undefined) this.#start(slot, next.start);
  }

  #start(slot: SimSlot, start: (slot: SimSlot) => void): void {
    this.#uses += 1;
    slot.busy = true;
    slot.lastUsed = this.#uses;
    slot.taskId = this.#uses;
    start(slot);
  }

  #choose(prompt: string): SimSlot | undefined {
    const idle = this.slots.filter((slot) => !slot.busy);
    const similar = idle
      .map((slot) => ({ slot, shared: commonPrefix(slot.heldText, prompt) }))
      .filter(({ shared }) => shared > prompt.length * PROMPT_SIMILARITY)
      .toSorted((a, b) => b.shared - a.shared)[0];
    return similar?.slot ?? idle.toSorted((a, b) => a.lastUsed - b.lastUsed)[0];
  }
}

/** Length of the longest common prefix, UTF-16 units. */
export function commonPrefix(a: string, b: string): number {
  const end = Math.min(a.length, b.length);
  let i = 0;
  while (i < end && a.charCodeAt(i) === b.charCodeAt(i)) i += 1;
  return i;
}
