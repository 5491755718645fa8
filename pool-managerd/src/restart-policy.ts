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
 * reset, must not keep the machine busy with starting engines. `stormMax` may follow each other at once;
 * beyond that a restart is not refused but waits, so that they come `windowMs / stormMax` apart, and a
 * pool whose fault has passed is back within about that time. What was not used comes back at the same
 * pace. Any time of length t holds at most `stormMax + t · stormMax / windowMs` restarts.
 *
 * It is the generic cell rate algorithm (ITU-T I.371, Annex A), whose only state is the time at which
 * all that was booked would be through at that pace.
 */
export class StormBound {
  readonly #spacingMs: number;
  readonly #burstMs: number;
  #throughAtMs = -Infinity;

  constructor({ stormMax, windowMs }: Pick<RestartPolicy, 'stormMax' | 'windowMs'>) {
    this.#spacingMs = windowMs / stormMax;
    this.#burstMs = windowMs - this.#spacingMs;
  }

  /** Books a restart for the earliest permitted time at or after `nowMs + delayMs`; returns its delay, ms. */
  book(nowMs: number, delayMs: number): number {
    const wantedMs = nowMs + delayMs;
    const atMs = Math.max(wantedMs, Math.ceil(this.#throughAtMs - this.#burstMs));
    this.#throughAtMs = Math.max(atMs, this.#throughAtMs) + this.#spacingMs;
    return atMs - nowMs;
  }
}
