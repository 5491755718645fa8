/** The lease table on the clock: lets leases expire by themselves and tells of everything that happens to them. */
import { LeaseTable } from './lease-table.ts';
import type { Clock } from './ports.ts';
import type { Lease, LeaseEventName } from './types.ts';

export class LeaseDesk {
  readonly #clock: Clock;
  readonly #table: LeaseTable;
  readonly #onEvent: (replicaId: string, event: LeaseEventName) => void;
  #cancelExpiry: () => void = () => undefined;
  #closed = false;

  constructor(
    clock: Clock,
    ttlMs: number,
    onEvent: (replicaId: string, event: LeaseEventName) => void,
    tokensAfter = 0,
  ) {
    this.#clock = clock;
    this.#table = new LeaseTable(ttlMs, tokensAfter);
    this.#onEvent = onEvent;
  }

  acquire(replicaId: string, holder: string, fromMs = this.#clock.now()): Lease | undefined {
    this.#expire();
    const lease = this.#table.acquire(replicaId, holder, fromMs);
    return this.#granted(lease, 'granted');
  }

  renew(lease: Lease, fromMs = this.#clock.now()): Lease | undefined {
    this.#expire();
    return this.#granted(this.#table.renew(lease, this.#clock.now(), fromMs), 'renewed');
  }

  /** Whether anybody holds the replica. */
  isHeld(replicaId: string): boolean {
    this.#expire();
    return this.#table.isHeld(replicaId);
  }

  isLive(lease: Lease): boolean {
    return this.#table.isLive(lease, this.#clock.now());
  }

  release(lease: Lease): void {
    this.#expire();
    if (this.#table.release(lease, this.#clock.now())) this.#onEvent(lease.replicaId, 'released');
    this.#arm();
  }

  fence(replicaId: string): void {
    this.#expire();
    if (this.#table.fence(replicaId)) this.#onEvent(replicaId, 'fenced');
    this.#arm();
  }

  /** Forgets the timer; leases still end by their time when somebody asks. */
  close(): void {
    this.#closed = true;
    this.#cancelExpiry();
  }

  #granted(lease: Lease | undefined, event: LeaseEventName): Lease | undefined {
    this.#arm();
    if (lease !== undefined) this.#onEvent(lease.replicaId, event);
    return lease;
  }

  #expire(): void {
    for (const { replicaId } of this.#table.expire(this.#clock.now()))
      this.#onEvent(replicaId, 'expired');
  }

  #arm(): void {
    this.#cancelExpiry();
    if (this.#closed) return;
    const nextMs = this.#table.nextExpiryMs();
    this.#cancelExpiry =
      nextMs === undefined
        ? () => undefined
        : this.#clock.setTimer(Math.max(0, nextMs - this.#clock.now()), () => {
            this.#expire();
            this.#arm();
          });
  }
}
