/**
 * How long to wait before trying again, and how often to try at all.
 *
 * The delay is exponential backoff with full jitter (Brooker, "Exponential Backoff and Jitter", AWS
 * Architecture Blog, 2015): uniform between zero and the doubled bound, so that replicas which died
 * together do not come back together.
 */
import type { RestartPolicy } from './pool-config.ts';

/**
 * @param failures failures in a row before this one
 * @param jitter uniform in [0, 1)
 * @returns ms
 */
export function backoffDelayMs(
  failures: number,
  policy: Pick<RestartPolicy, 'baseMs' | 'maxMs'>,
  jitter: number,
): number {
  // 2 ** 1024 is Infinity, which Math.min takes in its stride.
  return Math.floor(jitter * Math.min(policy.maxMs, policy.baseMs * 2 ** failures));
}

/** The times that still count at `nowMs`. */
export function withinWindow(
  times: readonly number[],
  nowMs: number,
  windowMs: number,
): readonly number[] {
  return times.filter((at) => at > nowMs - windowMs);
}

/**
 * Bounds the restarts of a whole pool (ORCH-3053): a fault that all replicas share, such as a driver
 * reset, must not keep the machine busy with starting engines. Beyond the bound a restart is not
 * refused but waits until the window has room.
 */
export class StormBound {
  readonly #policy: Pick<RestartPolicy, 'stormMax' | 'windowMs'>;
  #times: readonly number[] = [];

  constructor(policy: Pick<RestartPolicy, 'stormMax' | 'windowMs'>) {
    this.#policy = policy;
  }

  /** Books a restart for the earliest permitted time at or after `nowMs + delayMs`; returns its delay, ms. */
  book(nowMs: number, delayMs: number): number {
    const { stormMax, windowMs } = this.#policy;
    this.#times = withinWindow(this.#times, nowMs, windowMs);
    const wanted = nowMs + delayMs;
    // Booked times grow, so the restart `stormMax` places back decides when the window has room.
    const blocking = this.#times.at(-stormMax);
    const last = this.#times.at(-1) ?? wanted;
    const at = Math.max(wanted, blocking === undefined ? wanted : blocking + windowMs);
    this.#times = [...this.#times, Math.max(at, last)];
    return at - nowMs;
  }
}
