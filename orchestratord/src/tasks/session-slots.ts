/**
 * What each engine slot has last computed, so that ending a session can erase its KV, and what may be
 * wanted again can be saved. Bounded by the number of slots: a slot remembers only its last user.
 */
import type { PromptPrefix } from '@llama-orch/orchestrator-core';

/** What a slot has in its KV. */
export interface SlotKv {
  readonly sessionId: string | undefined;
  /** Prompt and answer, where a next turn of the conversation will begin with them. */
  readonly prefix: PromptPrefix | undefined;
  /** A task like the one that left it would make use of it. */
  readonly isReusable: boolean;
  /** A slot file that holds it too. */
  readonly file?: string;
}

export class SessionSlots {
  /** By replica and slot, the most recently used last. */
  readonly #holders = new Map<string, Map<number, SlotKv>>();

  /** A task has ended on a slot, or its KV was restored there. */
  note(replicaId: string, slotId: number, kv: SlotKv): void {
    let slots = this.#holders.get(replicaId);
    if (slots === undefined) {
      slots = new Map();
      this.#holders.set(replicaId, slots);
    }
    slots.delete(slotId);
    slots.set(slotId, kv);
  }

  /** Slots of the replica whose KV is the session's; they are forgotten. */
  take(replicaId: string, sessionId: string): readonly number[] {
    const slots = this.#holders.get(replicaId);
    if (slots === undefined) return [];
    const held = [...slots].filter(([, kv]) => kv.sessionId === sessionId).map(([slot]) => slot);
    for (const slot of held) slots.delete(slot);
    return held;
  }

  /** Slots of the replica with what they have, the most recently used first. */
  newestFirst(replicaId: string): readonly (readonly [slotId: number, kv: SlotKv])[] {
    return [...(this.#holders.get(replicaId) ?? [])].reverse();
  }

  /** The replica's process is gone, and its KV with it. */
  forget(replicaId: string): void {
    this.#holders.delete(replicaId);
  }
}
