/**
 * How long a pool could not dispatch, by cause. A waiting task remembers the totals at its arrival; the
 * difference at its dispatch says what it waited for, at O(1) per task however long it waited.
 */
import type { WaitCause, WaitCauses } from './decision.ts';

export const WAIT_CAUSES = [
  'pool-draining',
  'pool-unavailable',
  'no-ready-replica',
  'no-free-slot',
  'no-kv-room',
  'replicas-prefilling',
  'turn',
] as const satisfies readonly WaitCause[];

export class WaitClock {
  readonly #totals = new Float64Array(WAIT_CAUSES.length);
  #current: WaitCause = 'turn';
  #sinceMs = 0;
  /** Handed out to every task that arrives while nothing changes. */
  #mark: Float64Array | undefined;

  /** From now on it is this that tasks wait for. */
  set(cause: WaitCause, nowMs: number): void {
    if (cause === this.#current) return;
    this.#advance(nowMs);
    this.#current = cause;
  }

  get current(): WaitCause {
    return this.#current;
  }

  /** The totals so far, for `since`. Do not change it: arrivals of one moment share it. */
  mark(nowMs: number): Float64Array {
    this.#advance(nowMs);
    this.#mark ??= this.#totals.slice();
    return this.#mark;
  }

  /** Milliseconds by cause since the mark; causes without any are left out. */
  since(mark: Float64Array, nowMs: number): Partial<WaitCauses> {
    this.#advance(nowMs);
    const waits: { [C in WaitCause]?: number } = {};
    WAIT_CAUSES.forEach((cause, at) => {
      const ms = (this.#totals[at] ?? 0) - (mark[at] ?? 0);
      if (ms > 0) waits[cause] = ms;
    });
    return waits;
  }

  #advance(nowMs: number): void {
    const at = WAIT_CAUSES.indexOf(this.#current);
    const ms = nowMs - this.#sinceMs;
    this.#sinceMs = nowMs;
    if (ms <= 0) return;
    this.#totals[at] = (this.#totals[at] ?? 0) + ms;
    this.#mark = undefined;
  }
}
