/**
 * Between pool-managerd and the core: replica events become core commands, and the leases under which
 * this daemon dispatches are taken and renewed here.
 */
import type { Command } from '@llama-orch/orchestrator-core';
import type { Lease, PoolEvent, PoolManager, ReplicaSnapshot } from '@llama-orch/pool-managerd';
import type { Clock } from '../clock.ts';
import type { Logger } from '../logging.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { RestoredCache } from './kv-keeper.ts';

export interface ReplicaBridgeOptions {
  readonly pools: PoolManager;
  readonly command: (command: Command) => void;
  /** Names this daemon as the holder of leases. */
  readonly holder: string;
  readonly renewEveryMs: number;
  /** As configured for the replica. */
  readonly labelsOf: (replica: ReplicaSnapshot) => Readonly<Record<string, string>>;
  /** It gives strict tasks the same bytes only while nothing else runs there. */
  readonly isStrictAlone: (replica: ReplicaSnapshot) => boolean;
  /** How many tasks wait in the pool that no replica of it fits. */
  readonly unmatchedIn: (poolId: string) => number;
  /** Its engine stops a generation at a token boundary when asked. */
  readonly isInterruptible: (replica: ReplicaSnapshot) => boolean;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly log: Logger;
  /**
   * Gives a replica back what an earlier life of it had in the cache; undefined when there is nothing. Is
   * bounded in time and never rejects.
   */
  readonly restoreCache: (lease: Lease) => Promise<RestoredCache> | undefined;
  /** A replica's process, and what it held in memory, is gone. */
  readonly onGone: (replicaId: string) => void;
  /** Attempts that run on a replica now. */
  readonly runningOn: (replicaId: string) => number;
}

export class ReplicaBridge {
  readonly #options: ReplicaBridgeOptions;
  readonly #leases = new Map<string, Lease>();
  /** Leased replicas that take nothing new: their leases are given back once nothing runs there. */
  readonly #leaving = new Set<string>();
  /** Those that are being given their cache back: ready, and not to be given work yet. */
  readonly #restoring = new Set<string>();
  readonly #recoverable = new Map<string, boolean>();
  readonly #unmatched = new Map<string, number>();
  #unsubscribe: (() => void) | undefined;
  #cancelRenewal: (() => void) | undefined;
  #frozen = false;

  constructor(options: ReplicaBridgeOptions) {
    this.#options = options;
  }

  start(): void {
    this.#unsubscribe = this.#options.pools.subscribe((event) => this.#on(event));
    this.#options.pools.start();
    this.#scheduleRenewal();
  }

  leaseOf(replicaId: string): Lease | undefined {
    return this.#leases.get(replicaId);
  }

  /** Call when an attempt on the replica has ended. */
  attemptOver(replicaId: string): void {
    if (this.#leaving.has(replicaId)) this.#giveBackIfIdle(replicaId);
  }

  leases(): Iterable<Lease> {
    return this.#leases.values();
  }

  /** Nothing new is dispatched from here on; what runs goes on. For shutdown. */
  freeze(poolIds: readonly string[]): void {
    this.#frozen = true;
    for (const poolId of poolIds) {
      for (const replica of this.#options.pools.replicas(poolId)) this.#tellCore(replica);
    }
  }

  stop(): void {
    this.#frozen = true;
    this.#unsubscribe?.();
    this.#cancelRenewal?.();
    for (const lease of this.#leases.values()) this.#options.pools.release(lease);
    this.#leases.clear();
    this.#leaving.clear();
  }

  #on(event: PoolEvent): void {
    const { metrics, log } = this.#options;
    switch (event.type) {
      case 'replica':
      case 'replica-gone':
        log.info(replicaFields(event.replica), `replica is ${event.replica.state}`);
        this.#showNone(event.replica);
        if (event.type === 'replica-gone') this.#forget(event.replica, event.crashed);
        this.#tellCore(event.replica);
        this.#tellAvailability(event.replica.poolId);
        // Once the core, which may be within a step, has taken the command.
        queueMicrotask(() => this.#warnOfUnmatched(event.replica.poolId));
        return;
      case 'restart': {
        const { engine, poolId, replicaId } = event.replica;
        metrics.replicaRestarts.inc({
          engine,
          pool_id: poolId,
          replica_id: replicaId,
          reason: event.reason,
        });
        if (event.reason === 'driver') {
          metrics.driverResets.inc({ pool_id: poolId, device: event.replica.device });
        }
        log.warn(
          { ...replicaFields(event.replica), reason: event.reason, delay_ms: event.delayMs },
          'replica restarts',
        );
        return;
      }
      case 'preload':
        metrics.preloads.inc({
          engine: event.replica.engine,
          pool_id: event.replica.poolId,
          outcome: event.outcome,
        });
        return;
      case 'lease':
        metrics.leaseEvents.inc({ pool_id: event.poolId, event: event.event });
        return;
    }
  }

  /** Of what alerts look for the first time of: the rise from 0 is seen, a series that begins with 1 is not. */
  #showNone({ engine, poolId, device }: ReplicaSnapshot): void {
    const { preloads, leaseEvents, driverResets } = this.#options.metrics;
    preloads.inc({ engine, pool_id: poolId, outcome: 'failed' }, 0);
    leaseEvents.inc({ pool_id: poolId, event: 'expired' }, 0);
    if (device !== 'cpu') driverResets.inc({ pool_id: poolId, device }, 0);
  }

  /** While a replica may come back the core knows of it: what is pinned to its set waits for it. */
  #tellCore(replica: ReplicaSnapshot): void {
    const { poolId, replicaId, setId, slots, ctx, state, device, exactPrefixReuse } = replica;
    const { canaryPercent, kvTokens, chunkTokens } = replica;
    if (state === 'stopped' || state === 'failed') {
      this.#forget(replica);
      return;
    }
    const held = state === 'ready' && !this.#frozen && this.#hold(replicaId);
    if (held) this.#restoreCache(replica);
    const ready = held && !this.#restoring.has(replicaId);
    this.#options.command({
      type: 'replica-set',
      replica: {
        replicaId,
        poolId,
        setId,
        slots,
        ctx,
        ready,
        device,
        kvTokens,
        chunkTokens,
        exactPrefixReuse,
        strictAlone: this.#options.isStrictAlone(replica),
        labels: this.#options.labelsOf(replica),
        interruptible: this.#options.isInterruptible(replica),
        canaryPercent,
      },
    });
    if (state === 'ready') this.#leaving.delete(replicaId);
    else if (this.#leases.has(replicaId)) {
      this.#leaving.add(replicaId);
      this.#giveBackIfIdle(replicaId);
    }
  }

  /** Before the core knows that it is ready, so that no task takes a slot that something belongs into. */
  #restoreCache({ poolId, replicaId }: ReplicaSnapshot): void {
    const { pools, command, restoreCache } = this.#options;
    const lease = this.#leases.get(replicaId);
    if (lease === undefined || this.#restoring.has(replicaId)) return;
    const restored = restoreCache(lease);
    if (restored === undefined) return;
    this.#restoring.add(replicaId);
    void restored.then((cache) => {
      this.#restoring.delete(replicaId);
      // It may have been lost, and have come back, meanwhile.
      if (this.#leases.get(replicaId)?.token === lease.token) {
        command({ type: 'cache-restored', poolId, replicaId, ...cache });
      }
      const replica = pools.replicas(poolId).find((each) => each.replicaId === replicaId);
      if (replica !== undefined) this.#tellCore(replica);
    });
  }

  /** Tells the manager that nothing of ours runs there any more, so that it need not wait. */
  #giveBackIfIdle(replicaId: string): void {
    const lease = this.#leases.get(replicaId);
    if (lease === undefined || this.#options.runningOn(replicaId) > 0) return;
    this.#leaving.delete(replicaId);
    this.#leases.delete(replicaId);
    this.#options.pools.release(lease);
  }

  /** What ran there is lost, and what it held in memory. */
  #forget({ poolId, replicaId }: ReplicaSnapshot, crashed = false): void {
    this.#leases.delete(replicaId);
    this.#leaving.delete(replicaId);
    this.#options.onGone(replicaId);
    this.#options.command({ type: 'replica-gone', poolId, replicaId, crashed });
  }

  #tellAvailability(poolId: string): void {
    const { recoverable, lastError } = this.#options.pools.health(poolId);
    if (this.#recoverable.get(poolId) === recoverable) return;
    this.#recoverable.set(poolId, recoverable);
    this.#options.command({
      type: 'pool-availability',
      poolId,
      recoverable,
      reason: lastError ?? '',
    });
  }

  /** Labels and devices come and go with replicas: tasks that name them may be left with none. */
  #warnOfUnmatched(poolId: string): void {
    const { unmatchedIn, log } = this.#options;
    const tasks = unmatchedIn(poolId);
    if (tasks === (this.#unmatched.get(poolId) ?? 0)) return;
    this.#unmatched.set(poolId, tasks);
    if (tasks === 0) return;
    log.warn({ pool_id: poolId, tasks }, 'tasks wait for labels or devices that no replica has');
  }

  #hold(replicaId: string): boolean {
    if (this.#leases.has(replicaId)) return true;
    const lease = this.#options.pools.acquire(replicaId, this.#options.holder);
    if (lease !== undefined) this.#leases.set(replicaId, lease);
    return lease !== undefined;
  }

  #scheduleRenewal(): void {
    this.#cancelRenewal = this.#options.clock.setTimer(this.#options.renewEveryMs, () => {
      this.#renewAll();
      this.#scheduleRenewal();
    });
  }

  /** A lost lease is asked for anew; while it is not ours the replica takes nothing. */
  #renewAll(): void {
    for (const [replicaId, lease] of [...this.#leases]) {
      const renewed = this.#options.pools.renew(lease);
      if (renewed !== undefined) {
        this.#leases.set(replicaId, renewed);
        continue;
      }
      this.#leases.delete(replicaId);
      this.#options.log.warn({ replica_id: replicaId }, 'a lease was lost');
    }
    for (const poolId of this.#recoverable.keys()) {
      for (const replica of this.#options.pools.replicas(poolId)) {
        if (replica.state === 'ready' && !this.#leases.has(replica.replicaId)) {
          this.#tellCore(replica);
        }
      }
    }
  }
}

function replicaFields(replica: ReplicaSnapshot): Record<string, unknown> {
  return {
    engine: replica.engine,
    engine_version: replica.engineVersion,
    pool_id: replica.poolId,
    replica_id: replica.replicaId,
    model_id: replica.modelId,
    quant: replica.quant,
    ctx: replica.ctx,
    last_error: replica.lastError,
  };
}
