/**
 * A circuit breaker (Nygard, "Release It!", 2007) for what keeps failing: closed, it lets every try
 * pass; after enough failures within a window it opens and lets none pass until it has cooled down; then
 * it is half open and lets one try pass, whose outcome decides.
 *
 * The breaker is a value without clock or timers. Whoever holds it waits out the cool-down.
 */
import { withinWindow } from './restart-policy.ts';

export interface Breaker {
  readonly state: 'closed' | 'open' | 'half-open';
  /** Of the failures that may still count, ms. */
  readonly failuresAtMs: readonly number[];
}

export interface BreakerPolicy {
  /** Failures within the window that open it. */
  readonly openAfter: number;
  readonly windowMs: number;
  readonly coolDownMs: number;
}

export const CLOSED: Breaker = { state: 'closed', failuresAtMs: [] };

export function afterFailure(breaker: Breaker, nowMs: number, policy: BreakerPolicy): Breaker {
  const { state, failuresAtMs } = breaker;
  const failures = [...withinWindow(failuresAtMs, nowMs, policy.windowMs), nowMs];
  const opens = state !== 'closed' || failures.length >= policy.openAfter;
  return { state: opens ? 'open' : 'closed', failuresAtMs: failures.slice(-policy.openAfter) };
}

/** Only the try of a half-open breaker proves that the fault is over; others may just have been lucky. */
export function afterSuccess(breaker: Breaker): Breaker {
  return breaker.state === 'half-open' ? CLOSED : breaker;
}

/** The cool-down is over, and this is the one try. */
export function halfOpened(breaker: Breaker): Breaker {
  return breaker.state === 'open' ? { ...breaker, state: 'half-open' } : breaker;
}

/**
 * The one try that replicas with open breakers share: whatever broke them may be the same for all, so
 * only one of them starts to find out.
 */
export class ProbePermit {
  #holder: string | undefined;

  /** @returns whether `who` has it now */
  take(who: string): boolean {
    this.#holder ??= who;
    return this.#holder === who;
  }

  release(who: string): void {
    if (this.#holder === who) this.#holder = undefined;
  }
}
