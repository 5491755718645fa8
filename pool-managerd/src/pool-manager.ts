/**
 * The port's implementation: one driver per replica, one desk for leases, one guard for all processes.
 * It only wires and looks up; what a replica does next is decided in `replica-machine.ts`.
 */
import { OrchError } from '@llama-orch/contracts';
import type { EngineName, OpenAdapter } from '@llama-orch/worker-adapters';
import { LeaseDesk } from './lease-desk.ts';
import { createModelFacts } from './model-digest.ts';
import type { ReadModelFacts } from './model-digest.ts';
import { OwnedChildren } from './owned-children.ts';
import { poolHealth } from './pool-health.ts';
import { poolSettings } from './pool-config.ts';
import type { PoolConfig } from './pool-config.ts';
import type { Clock, Logger, Random } from './ports.ts';
import { ReplicaDriver } from './replica-driver.ts';
import type { ReplicaDriverDeps } from './replica-driver.ts';
import { StormBound } from './restart-policy.ts';
import { createSpawnEngine } from './spawn-engine.ts';
import type { SpawnEngine } from './spawn-engine.ts';
import type {
  Lease,
  PoolEvent,
  PoolHealth,
  PoolManager,
  ReplicaHandle,
  ReplicaSnapshot,
  ReplicaSuspicion,
} from './types.ts';

export interface PoolManagerOptions {
  readonly pools: readonly PoolConfig[];
  /** Where the pid file of spawned engines is kept. */
  readonly dataDir: string;
  /** Opens an adapter for the engine; called once per life of a replica. */
  readonly openAdapter: (engine: EngineName) => OpenAdapter;
  /** The script of the embedded engine process. */
  readonly embeddedEntry: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Default 10000. */
  readonly leaseTtlMs?: number;
  /** Default: real processes, under the guard and listed in the pid file. */
  readonly spawn?: SpawnEngine;
  /** Default: hash the file, once for all replicas that share it. */
  readonly readModelFacts?: ReadModelFacts;
}

const DEFAULT_LEASE_TTL_MS = 10_000;

interface Pool {
  readonly drivers: readonly ReplicaDriver[];
  draining: boolean;
}

/** @throws RangeError for settings that cannot describe a pool, and for two pools of one id */
export function createPoolManager(options: PoolManagerOptions): PoolManager {
  return new LocalPoolManager(options);
}

class LocalPoolManager implements PoolManager {
  readonly #options: PoolManagerOptions;
  readonly #children: OwnedChildren | undefined;
  readonly #leases: LeaseDesk;
  readonly #pools = new Map<string, Pool>();
  readonly #drivers = new Map<string, ReplicaDriver>();
  readonly #listeners = new Set<(event: PoolEvent) => void>();
  #phase: 'new' | 'running' | 'stopped' = 'new';
  #stopping: Promise<void> | undefined;

  constructor(options: PoolManagerOptions) {
    this.#options = options;
    const { clock, logger, dataDir, leaseTtlMs = DEFAULT_LEASE_TTL_MS } = options;
    this.#leases = new LeaseDesk(clock, leaseTtlMs, (replicaId, event) => {
      const poolId = this.#driver(replicaId).snapshot.poolId;
      this.#emit({ type: 'lease', poolId, event });
    });
    this.#children = options.spawn ? undefined : new OwnedChildren(dataDir, clock, logger);
    const spawn = options.spawn ?? createSpawnEngine(this.#children as OwnedChildren, clock);
    const readModelFacts = options.readModelFacts ?? createModelFacts();
    for (const config of options.pools) this.#addPool(config, { spawn, readModelFacts });
  }

  start(): void {
    if (this.#phase !== 'new') return;
    this.#phase = 'running';
    this.#children?.sweep();
    for (const driver of this.#drivers.values()) driver.start();
  }

  subscribe(listener: (event: PoolEvent) => void): () => void {
    // Wrapped, so that one function subscribed twice is two subscriptions.
    const entry = (event: PoolEvent): void => listener(event);
    this.#listeners.add(entry);
    return () => void this.#listeners.delete(entry);
  }

  replicas(poolId: string): readonly ReplicaSnapshot[] {
    return this.#pool(poolId).drivers.map(({ snapshot }) => snapshot);
  }

  use(lease: Lease): ReplicaHandle {
    const driver = this.#drivers.get(lease.replicaId);
    const handle = driver?.handle;
    if (handle === undefined) throw unready(driver, `replica ${lease.replicaId} is not ready`);
    if (!this.#leases.isLive(lease))
      throw unready(driver, `the lease on ${lease.replicaId} was lost`);
    return handle;
  }

  acquire(replicaId: string, holder: string): Lease | undefined {
    if (this.#driver(replicaId).snapshot.state !== 'ready') return undefined;
    return this.#leases.acquire(replicaId, holder);
  }

  renew(lease: Lease): Lease | undefined {
    return this.#leases.renew(lease);
  }

  release(lease: Lease): void {
    this.#leases.release(lease);
  }

  suspect(replicaId: string, suspicion: ReplicaSuspicion, detail: string): void {
    this.#driver(replicaId).suspect(suspicion, detail);
  }

  health(poolId: string): PoolHealth {
    const { drivers, draining } = this.#pool(poolId);
    return poolHealth(poolId, draining, drivers);
  }

  drain(poolId: string): void {
    const pool = this.#pool(poolId);
    pool.draining = true;
    for (const driver of pool.drivers) driver.drain();
  }

  undrain(poolId: string): void {
    const pool = this.#pool(poolId);
    pool.draining = false;
    for (const driver of pool.drivers) driver.undrain();
  }

  stop(graceMs: number): Promise<void> {
    this.#phase = 'stopped';
    this.#stopping ??= this.#stopAll(graceMs);
    return this.#stopping;
  }

  /** Stops without a grace worth speaking of; whoever has running work calls `stop` before. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop(1000);
  }

  async #stopAll(graceMs: number): Promise<void> {
    await Promise.all([...this.#drivers.values()].map((driver) => driver.stop(graceMs)));
    this.#leases.close();
    await this.#children?.close();
  }

  #addPool(
    config: PoolConfig,
    { spawn, readModelFacts }: Pick<ReplicaDriverDeps, 'spawn' | 'readModelFacts'>,
  ): void {
    const settings = poolSettings(config);
    if (this.#pools.has(settings.id)) throw new RangeError(`two pools are called ${settings.id}`);
    const { clock, random, embeddedEntry, openAdapter } = this.#options;
    const storm = new StormBound(settings.restart);
    const drivers = Array.from({ length: settings.replicas }, (_, index) => {
      const replicaId = `${settings.id}-${index}`;
      const driver = new ReplicaDriver({
        replicaId,
        pool: settings,
        endpoint: settings.launch === 'external' ? settings.endpoints[index] : undefined,
        clock,
        random,
        openAdapter: openAdapter(settings.engine),
        embeddedEntry,
        spawn,
        readModelFacts,
        storm,
        fence: () => this.#leases.fence(replicaId),
        emit: (event) => this.#emit(event),
      });
      this.#drivers.set(replicaId, driver);
      return driver;
    });
    this.#pools.set(settings.id, { drivers, draining: false });
  }

  #emit(event: PoolEvent): void {
    for (const listener of this.#listeners) {
      try {
        listener(event);
      } catch (error) {
        // One bad listener must not keep the others, or the replica, from going on.
        this.#options.logger.error({ err: error, event: event.type }, 'a pool listener failed');
      }
    }
  }

  #pool(poolId: string): Pool {
    const pool = this.#pools.get(poolId);
    if (pool === undefined) throw new OrchError('NOT_FOUND', `there is no pool ${poolId}`);
    return pool;
  }

  #driver(replicaId: string): ReplicaDriver {
    const driver = this.#drivers.get(replicaId);
    if (driver === undefined) throw new OrchError('NOT_FOUND', `there is no replica ${replicaId}`);
    return driver;
  }
}

function unready(driver: ReplicaDriver | undefined, message: string): OrchError {
  const poolId = driver?.snapshot.poolId;
  return new OrchError('POOL_UNREADY', message, poolId === undefined ? {} : { poolId });
}
