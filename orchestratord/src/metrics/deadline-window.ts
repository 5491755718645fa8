/** How many of the last tasks with a deadline kept it: a ring per class, so memory is bounded. */
import { PRIORITIES, type Priority } from '@llama-orch/orchestrator-core';

/** How far back the ratio looks, ms. */
export const DEADLINE_WINDOW_MS = 300_000;
const RING_SIZE = 1024;

interface Ring {
  readonly endedAtMs: Float64Array;
  readonly kept: Uint8Array;
  next: number;
  size: number;
}

export class DeadlineWindow {
  readonly #rings = new Map<Priority, Ring>(PRIORITIES.map((priority) => [priority, newRing()]));

  observe(priority: Priority, kept: boolean, endedAtMs: number): void {
    const ring = this.#rings.get(priority);
    if (ring === undefined) return;
    ring.endedAtMs[ring.next] = endedAtMs;
    ring.kept[ring.next] = kept ? 1 : 0;
    ring.next = (ring.next + 1) % RING_SIZE;
    ring.size = Math.min(RING_SIZE, ring.size + 1);
  }

  /** 0 to 1; undefined while no task with a deadline has ended within the window. */
  ratio(priority: Priority, nowMs: number): number | undefined {
    const ring = this.#rings.get(priority);
    let seen = 0;
    let kept = 0;
    for (let at = 0; at < (ring?.size ?? 0); at += 1) {
      if ((ring?.endedAtMs[at] ?? 0) < nowMs - DEADLINE_WINDOW_MS) continue;
      seen += 1;
      kept += ring?.kept[at] ?? 0;
    }
    return seen === 0 ? undefined : kept / seen;
  }
}

function newRing(): Ring {
  return {
    endedAtMs: new Float64Array(RING_SIZE),
    kept: new Uint8Array(RING_SIZE),
    next: 0,
    size: 0,
  };
}
