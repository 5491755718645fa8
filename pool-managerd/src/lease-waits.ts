import type { Clock } from './ports.ts';

/** Waits for replicas to be free of leases, each for a bounded time. */
export class LeaseWaits {
  readonly #clock: Clock;
  readonly #isLeased: (replicaId: string) => boolean;
  readonly #settle = new Map<string, () => void>();

  constructor(clock: Clock, isLeased: (replicaId: string) => boolean) {
    this.#clock = clock;
    this.#isLeased = isLeased;
  }

  /** Resolves when nobody holds a lease on the replica, after `ms`, or when `signal` aborts. */
  untilFree(replicaId: string, ms: number, signal?: AbortSignal): Promise<void> {
    if (!this.#isLeased(replicaId) || signal?.aborted === true) return Promise.resolve();
    return new Promise((resolve) => {
      const settle = (): void => {
        cancel();
        signal?.removeEventListener('abort', settle);
        this.#settle.delete(replicaId);
        resolve();
      };
      const cancel = this.#clock.setTimer(ms, settle);
      signal?.addEventListener('abort', settle);
      this.#settle.set(replicaId, settle);
    });
  }

  /** A lease on the replica is over. */
  ended(replicaId: string): void {
    this.#settle.get(replicaId)?.();
  }

  /** Waiting is of no use any more. */
  endAll(): void {
    for (const settle of [...this.#settle.values()]) settle();
  }
}
