/**
 * What tasks of each class experienced over the last few minutes, per replica set: the SLO snapshot of
 * `GET /v1/replicasets`. A ring per class, so an observation costs O(1) and memory is bounded; the
 * percentiles are computed when asked for.
 */
import type { ClassSlo, Priority, SloSnapshot } from '@llama-orch/contracts';

/** How far back a snapshot looks, ms. */
export const SLO_WINDOW_MS = 300_000;
const RING_SIZE = 512;

export interface TaskObservation {
  readonly endedAtMs: number;
  readonly failed: boolean;
  /** Admission to first token, ms. */
  readonly ttftMs: number | undefined;
  /** Mean time between tokens, ms. */
  readonly tokenMs: number | undefined;
}

class Ring {
  readonly #items: TaskObservation[] = [];
  #next = 0;

  push(item: TaskObservation): void {
    this.#items[this.#next] = item;
    this.#next = (this.#next + 1) % RING_SIZE;
  }

  since(timeMs: number): TaskObservation[] {
    return this.#items.filter((item) => item.endedAtMs >= timeMs);
  }
}

export class SloWindow {
  readonly #rings = new Map<string, Ring>();

  observe(setId: string, priority: Priority, observation: TaskObservation): void {
    const key = `${setId} ${priority}`;
    let ring = this.#rings.get(key);
    if (ring === undefined) {
      ring = new Ring();
      this.#rings.set(key, ring);
    }
    ring.push(observation);
  }

  snapshot(setId: string, nowMs: number): SloSnapshot {
    return {
      window_ms: SLO_WINDOW_MS,
      interactive: this.#classSlo(setId, 'interactive', nowMs),
      batch: this.#classSlo(setId, 'batch', nowMs),
    };
  }

  #classSlo(setId: string, priority: Priority, nowMs: number): ClassSlo {
    const seen = this.#rings.get(`${setId} ${priority}`)?.since(nowMs - SLO_WINDOW_MS) ?? [];
    const ttft = sorted(seen.map((item) => item.ttftMs));
    const token = sorted(seen.map((item) => item.tokenMs));
    return {
      tasks: seen.length,
      errors: seen.filter((item) => item.failed).length,
      ...percentiles('ttft', ttft),
      ...percentiles('token', token),
    };
  }
}

function sorted(values: readonly (number | undefined)[]): number[] {
  return values.filter((value) => value !== undefined).sort((a, b) => a - b);
}

/** Nearest-rank percentiles; absent while there was nothing to observe. */
function percentiles(name: 'ttft' | 'token', values: readonly number[]): Partial<ClassSlo> {
  const at = (share: number): number | undefined => values[Math.ceil(share * values.length) - 1];
  const p50 = at(0.5);
  const p95 = at(0.95);
  if (p50 === undefined || p95 === undefined) return {};
  return name === 'ttft'
    ? { ttft_p50_ms: p50, ttft_p95_ms: p95 }
    : { token_p50_ms: p50, token_p95_ms: p95 };
}
