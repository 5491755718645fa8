/**
 * Who may dispatch to which replica. A lease lasts for a TTL and is kept alive by renewing; its
 * fencing token grows with every grant of the replica and never goes back, so a holder that slept
 * through its expiry cannot pass for the present one (Kleppmann, "How to do distributed locking", 2016).
 *
 * At any time a replica has at most one live lease. The table keeps no clock and no timers: times come
 * in as arguments, and whoever owns it asks `nextExpiryMs` when to look again.
 */
import type { Lease } from './types.ts';

export class LeaseTable {
  readonly #ttlMs: number;
  readonly #live = new Map<string, Lease>();
  /** One count for all: replicas of models that are gone leave nothing behind. */
  #lastToken: number;

  /** @param tokensAfter every token is greater than this */
  constructor(ttlMs: number, tokensAfter = 0) {
    this.#ttlMs = ttlMs;
    this.#lastToken = tokensAfter;
  }

  /**
   * Grants the replica, unless another holder's lease is live. The same holder asking again gets a
   * new token and fences its own old one. Call `expire` first: a lease past its time still blocks.
   * @param fromMs when its time begins
   */
  acquire(replicaId: string, holder: string, fromMs: number): Lease | undefined {
    const current = this.#live.get(replicaId);
    if (current !== undefined && current.holder !== holder) return undefined;
    this.#lastToken += 1;
    const lease: Lease = {
      replicaId,
      holder,
      token: this.#lastToken,
      expiresAtMs: fromMs + this.#ttlMs,
    };
    this.#live.set(replicaId, lease);
    return lease;
  }

  /** Lets a live lease last for the TTL after `fromMs`, keeping its token; never shortens it. */
  renew(lease: Lease, nowMs: number, fromMs = nowMs): Lease | undefined {
    if (!this.isLive(lease, nowMs)) return undefined;
    const current = this.#live.get(lease.replicaId) ?? lease;
    const expiresAtMs = Math.max(current.expiresAtMs, fromMs + this.#ttlMs);
    const renewed: Lease = { ...current, expiresAtMs };
    this.#live.set(lease.replicaId, renewed);
    return renewed;
  }

  /** Whether work under this lease may go ahead. The token decides, not the object. */
  isLive(lease: Lease, nowMs: number): boolean {
    const current = this.#live.get(lease.replicaId);
    return (
      current !== undefined &&
      current.token === lease.token &&
      current.holder === lease.holder &&
      current.expiresAtMs > nowMs
    );
  }

  /** Call `expire` first: a lease past its time still counts. */
  isHeld(replicaId: string): boolean {
    return this.#live.has(replicaId);
  }

  /** Gives a lease back; false when it was lost before. */
  release(lease: Lease, nowMs: number): boolean {
    return this.isLive(lease, nowMs) && this.#live.delete(lease.replicaId);
  }

  /** Ends whatever lease the replica has, because what it was granted for is gone. */
  fence(replicaId: string): boolean {
    return this.#live.delete(replicaId);
  }

  /** Removes the leases whose time is over and returns them. */
  expire(nowMs: number): readonly Lease[] {
    const over = [...this.#live.values()].filter((lease) => lease.expiresAtMs <= nowMs);
    for (const lease of over) this.#live.delete(lease.replicaId);
    return over;
  }

  nextExpiryMs(): number | undefined {
    let next: number | undefined;
    for (const { expiresAtMs } of this.#live.values())
      if (next === undefined || expiresAtMs < next) next = expiresAtMs;
    return next;
  }
}
