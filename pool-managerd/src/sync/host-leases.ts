/**
 * The leases of this host in the hands of orchestratord. What it wants is granted as soon as it can be,
 * and lives as long as it is told to, counted from the moment the answered sync was sent; when a lease is
 * over, by whatever cause, everything under it is cut off.
 */
import { hash, timingSafeEqual } from 'node:crypto';
import type { HostLease, HostSyncAnswer } from '@llama-orch/contracts';
import type { Clock } from '../ports.ts';
import type { ChatRendering, Lease, PoolManager, ReplicaSnapshot } from '../types.ts';

export interface HostLeasesOptions {
  readonly manager: PoolManager;
  /** Every replica of the host. */
  readonly replicas: () => readonly ReplicaSnapshot[];
  readonly leaseTtlMs: number;
  readonly clock: Clock;
  /** 128 bits or more, in base64url. */
  readonly makeSecret: () => string;
  /** The lease on a replica is over. */
  readonly onOver: (replicaId: string) => void;
}

interface Held {
  readonly lease: Lease;
  readonly secret: string;
  /** Of the process of orchestratord that it was granted to. */
  readonly instanceId: string;
}

interface Wish {
  readonly replicaIds: ReadonlySet<string>;
  readonly orchestrator: HostSyncAnswer['orchestrator'];
  /** When the sync was sent whose answer said so. */
  readonly sentMs: number;
}

export class HostLeases {
  readonly #options: HostLeasesOptions;
  readonly #held = new Map<string, Held>();
  readonly #unsubscribe: () => void;
  #wish: Wish | undefined;

  constructor(options: HostLeasesOptions) {
    this.#options = options;
    this.#unsubscribe = options.manager.subscribe((event) => {
      if (event.type === 'lease' && ['expired', 'fenced', 'released'].includes(event.event)) {
        if (this.#held.delete(event.replicaId)) options.onOver(event.replicaId);
      }
      // It was wanted before it could be had.
      if (event.type === 'replica' && event.replica.state === 'ready')
        this.#grant(event.replica.replicaId);
    });
  }

  /** Grants, renews and releases until what is held is what is wanted, as far as it can be had. */
  want(wish: Wish): void {
    this.#wish = wish;
    for (const [replicaId, { lease, instanceId }] of [...this.#held]) {
      // What another process of orchestratord held is of no use to this one, and must not be.
      if (!wish.replicaIds.has(replicaId) || instanceId !== wish.orchestrator.instance_id)
        this.#options.manager.release(lease);
    }
    for (const replicaId of wish.replicaIds) {
      const held = this.#held.get(replicaId);
      if (held !== undefined) this.#renew(replicaId, held, wish);
      this.#grant(replicaId);
    }
  }

  /** The replica, for whoever shows its live lease; undefined while its engine has no address. */
  authorize(replicaId: string, credential: string): ReplicaSnapshot | undefined {
    const held = this.#held.get(replicaId);
    if (held === undefined || held.lease.expiresAtMs <= this.#options.clock.now()) return undefined;
    if (!isSame(credential, `${held.lease.token}.${held.secret}`)) return undefined;
    const replica = this.#replica(replicaId);
    return replica?.url === '' ? undefined : replica;
  }

  /** How chat becomes text there; known while it is leased and ready. */
  chatOf(replicaId: string): ChatRendering | undefined {
    const held = this.#held.get(replicaId);
    if (held === undefined || this.#replica(replicaId)?.state !== 'ready') return undefined;
    return this.#options.manager.use(held.lease).envelope;
  }

  /** @param nameOf what a replica is called outside */
  report(nameOf: (replicaId: string) => string): HostLease[] {
    return [...this.#held].map(([replicaId, { lease, secret, instanceId }]) => ({
      replica_id: nameOf(replicaId),
      orchestrator_instance_id: instanceId,
      token: lease.token,
      secret,
    }));
  }

  /** Nothing is granted any more, and everything is over. */
  close(): void {
    this.#wish = undefined;
    for (const { lease } of [...this.#held.values()]) this.#options.manager.release(lease);
    this.#unsubscribe();
  }

  /** Unless it is held, is not wanted any more, or cannot be had. */
  #grant(replicaId: string): void {
    const wish = this.#wish;
    const { manager, clock, leaseTtlMs, makeSecret } = this.#options;
    if (wish?.replicaIds.has(replicaId) !== true || this.#held.has(replicaId)) return;
    // What was asked for so long ago is not asked for any more.
    if (wish.sentMs + leaseTtlMs <= clock.now()) return;
    if (this.#replica(replicaId) === undefined) return;
    const { id, instance_id: instanceId } = wish.orchestrator;
    const lease = manager.acquire(replicaId, id, wish.sentMs);
    if (lease !== undefined) this.#held.set(replicaId, { lease, secret: makeSecret(), instanceId });
  }

  #renew(replicaId: string, held: Held, { sentMs }: Wish): void {
    const lease = this.#options.manager.renew(held.lease, sentMs);
    if (lease !== undefined) this.#held.set(replicaId, { ...held, lease });
  }

  #replica(replicaId: string): ReplicaSnapshot | undefined {
    return this.#options.replicas().find((each) => each.replicaId === replicaId);
  }
}

/** In constant time, whatever is compared. */
function isSame(one: string, other: string): boolean {
  return timingSafeEqual(hash('sha256', one, 'buffer'), hash('sha256', other, 'buffer'));
}
