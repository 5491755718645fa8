/**
 * The leases that the process before this one may still hold. Until they are over nothing is dispatched
 * to their pools: a task that was running there is in the queue again, and might run twice at once.
 */
import type { Clock } from '../clock.ts';
import { surelyOverAfterMs } from './host-state.ts';
import type { KnownHost } from './known-hosts.ts';

export interface InheritedLeasesOptions {
  readonly hosts: ReadonlyMap<string, KnownHost>;
  readonly clock: Clock;
  /** A pool may be dispatched to from now on. */
  readonly onFree: (poolId: string) => void;
  /** A host was not heard of until its leases were over. */
  readonly onExpired: (hostId: string) => void;
}

export class InheritedLeases {
  readonly #options: InheritedLeasesOptions;
  readonly #hosts: Map<string, KnownHost>;
  readonly #timers: readonly (() => void)[];

  constructor(options: InheritedLeasesOptions) {
    this.#options = options;
    this.#hosts = new Map(options.hosts);
    this.#timers = [...options.hosts].map(([hostId, { ttlMs }]) =>
      options.clock.setTimer(surelyOverAfterMs(ttlMs), () => {
        if (!this.#hosts.has(hostId)) return;
        options.onExpired(hostId);
        this.end(hostId);
      }),
    );
  }

  /** The host has heard of this process: it has taken back what it granted to the one before. */
  end(hostId: string): void {
    const host = this.#hosts.get(hostId);
    if (host === undefined) return;
    this.#hosts.delete(hostId);
    for (const poolId of host.poolIds) if (!this.mayLiveIn(poolId)) this.#options.onFree(poolId);
  }

  mayLiveIn(poolId: string): boolean {
    return [...this.#hosts.values()].some(({ poolIds }) => poolIds.includes(poolId));
  }

  stop(): void {
    for (const cancel of this.#timers) cancel();
  }
}
