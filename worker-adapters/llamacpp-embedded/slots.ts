import { HttpFault } from './http-fault.ts';
import { reusablePositions } from './prefill.ts';
import type { TokenSequence } from './token-model.ts';

/** What a slot is doing, as `/slots` tells it. */
export interface SlotTask {
  readonly id: number;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly promptTokens: number;
  readonly maxTokens: number;
  cachedTokens: number;
  processedTokens: number;
  decodedTokens: number;
  hasNewLine: boolean;
  running: boolean;
}

/** One place to run a generation, with the KV cache it keeps between requests. */
export interface Slot {
  readonly id: number;
  readonly sequence: TokenSequence;
  /** Tokens of the leading positions a later request may reuse, see `prefill.ts`. */
  canonical: number[];
  busy: boolean;
  /** Order of last use; 0 is never. */
  lastUsed: number;
  /** The newest task, kept after it ended. */
  task: SlotTask | undefined;
}

/** The free slot that spares most evaluation; among equals the one unused for longest. */
export function chooseSlot(
  slots: readonly Slot[],
  prompt: readonly number[],
  chunk: number,
): Slot | undefined {
  let best: Slot | undefined;
  let bestReuse = -1;
  for (const slot of slots) {
    if (slot.busy) continue;
    const reuse = reusablePositions(slot.canonical, prompt, chunk);
    if (reuse > bestReuse || (reuse === bestReuse && slot.lastUsed < (best?.lastUsed ?? 0))) {
      best = slot;
      bestReuse = reuse;
    }
  }
  return best;
}

export interface SlotBoard {
  readonly slots: readonly Slot[];
  readonly busyCount: number;
  readonly deferredCount: number;
  /**
   * A slot for this prompt, waiting for one where all are busy, or for the pinned one. A pin counts
   * modulo the number of slots, as in llama-server.
   * @throws HttpFault `unavailable_error` when too many wait already; the signal's reason once aborted.
   */
  acquire(prompt: readonly number[], pin: number | undefined, signal: AbortSignal): Promise<Slot>;
  /** Gives the slot to the first waiter pinned to it, else to the oldest without a pin. */
  release(slot: Slot): void;
}

interface Waiter {
  readonly pin: number | undefined;
  readonly grant: (slot: Slot) => void;
}

export function createSlotBoard(
  sequences: readonly TokenSequence[],
  options: { readonly chunk: number; readonly maxDeferred: number },
): SlotBoard {
  const slots = sequences.map((sequence, id): Slot => ({
    id,
    sequence,
    canonical: [],
    busy: false,
    lastUsed: 0,
    task: undefined,
  }));
  const waiters = new Set<Waiter>();
  let uses = 0;

  const take = (slot: Slot): Slot => {
    slot.busy = true;
    slot.lastUsed = uses += 1;
    return slot;
  };

  return {
    slots,
    get busyCount() {
      return slots.filter((slot) => slot.busy).length;
    },
    get deferredCount() {
      return waiters.size;
    },
    async acquire(prompt, requestedPin, signal) {
      signal.throwIfAborted();
      const pin = requestedPin === undefined ? undefined : requestedPin % slots.length;
      const candidates = pin === undefined ? slots : slots.slice(pin, pin + 1);
      const free = chooseSlot(candidates, prompt, options.chunk);
      if (free !== undefined) return take(free);
      if (waiters.size >= options.maxDeferred) {
        throw new HttpFault('unavailable_error', 'too many requests are waiting for a slot');
      }
      return await new Promise<Slot>((resolve, reject) => {
        const onAbort = () => {
          waiters.delete(waiter);
          reject(signal.reason as Error);
        };
        const waiter: Waiter = {
          pin,
          grant: (slot) => {
            waiters.delete(waiter);
            signal.removeEventListener('abort', onAbort);
            resolve(take(slot));
          },
        };
        waiters.add(waiter);
        signal.addEventListener('abort', onAbort, { once: true });
      });
    },
    release(slot) {
      slot.busy = false;
      const waiting = [...waiters];
      const next =
        waiting.find((waiter) => waiter.pin === slot.id) ??
        waiting.find((waiter) => waiter.pin === undefined);
      next?.grant(slot);
    },
  };
}
