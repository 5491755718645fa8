/**
 * How long a pool could not dispatch, by cause. A waiting task remembers the totals at its arrival; the
 * difference at its dispatch says what it waited for, at O(1) per task however long it waited.
 */
import type { PoolCause, WaitCauses } from './decision.ts';

const CAUSES = [
  'before-restart',
  'pool-draining',
  'pool-unavailable',
  'no-ready-replica',
  'model-not-loaded',
  'no-free-slot',
  'no-kv-room',
  'replicas-prefilling',
  'turn',
] as const satisfies readonly (keyof WaitCauses)[];

/** The totals of a clock at one moment. Do not change it: all who ask at that moment share it. */
export type Mark = Float64Array;

/** Until it is first set it counts the time before the pool was there: that of an earlier process. */
export class WaitClock {
  readonly #totals = new Float64Array(CAUSES.length);
  #current: PoolCause | undefined;
  #sinceMs = 0;
  /** Handed out to every task that arrives while nothing changes. */
  #mark: Mark | undefined;

  /** From now on it is this that tasks wait for. */
  set(cause: PoolCause, nowMs: number): void {
    if (cause === this.#current) return;
    this.#advance(nowMs);
    this.#current = cause;
  }

  get current(): PoolCause {
    return this.#current ?? 'no-ready-replica';
  }

  mark(nowMs: number): Mark {
    this.#advance(nowMs);
    this.#mark ??= this.#totals.slice();
    return this.#mark;
  }

  #advance(nowMs: number): void {
    const at = CAUSES.indexOf(this.#current ?? 'before-restart');
    const ms = nowMs - this.#sinceMs;
    this.#sinceMs = nowMs;
    if (ms <= 0) return;
    this.#totals[at] = (this.#totals[at] ?? 0) + ms;
    this.#mark = undefined;
  }
}

/** Milliseconds by cause from one moment to another; causes without any are left out. */
export function causesBetween(from: Mark, to: Mark): Partial<WaitCauses> {
  const waits: { -readonly [C in keyof WaitCauses]?: number } = {};
  CAUSES.forEach((cause, at) => {
    const ms = (to[at] ?? 0) - (from[at] ?? 0);
    if (ms > 0) waits[cause] = ms;
  });
  return waits;
}

/** The mark that leaves the time between two others out of what is counted from it. */
export function markWithout(mark: Mark, from: Mark, to: Mark): Mark {
  return mark.map((total, at) => total + (to[at] ?? 0) - (from[at] ?? 0));
}
