/**
 * Which engine slot last held which session's KV, so that ending a session can erase it. Bounded by the
 * number of slots: a slot remembers only its last tenant.
 */
export class SessionSlots {
  readonly #holders = new Map<string, Map<number, string | undefined>>();

  /** A task of `sessionId` (or of none) ended on a slot. */
  note(replicaId: string, slotId: number, sessionId: string | undefined): void {
    let slots = this.#holders.get(replicaId);
    if (slots === undefined) {
      slots = new Map();
      this.#holders.set(replicaId, slots);
    }
    slots.set(slotId, sessionId);
  }

  /** Slots of the replica whose KV is the session's; they are forgotten. */
  take(replicaId: string, sessionId: string): readonly number[] {
    const slots = this.#holders.get(replicaId);
    if (slots === undefined) return [];
    const held = [...slots].filter(([, holder]) => holder === sessionId).map(([slot]) => slot);
    for (const slot of held) slots.delete(slot);
    return held;
  }

  /** The replica's process is gone, and its KV with it. */
  forget(replicaId: string): void {
    this.#holders.delete(replicaId);
  }
}
