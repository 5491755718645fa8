/**
 * The port's implementation: one driver per replica, one desk for leases, one guard for all processes.
 * It only wires and looks up; what a replica does next is decided in `replica-machine.ts`.
 */
import { OrchError } from '@llama-orch/contracts';
import type { EngineName, OpenAdapter } from '@llama-orch/worker-adapters';
import { ProbePermit } from './circuit-breaker.ts';
import { gpusOf } from './device-mask.ts';
import { GpuWatch } from './gpu-watch.ts';
import { LeaseDesk } from './lease-desk.ts';
import { ManagedPool } from './managed-pool.ts';
import type { ManagedPoolDeps } from './managed-pool.ts';
import { MemoryDesk } from './memory-desk.ts';
import type { MeasureModel } from './memory-desk.ts';
import { createMemoryProbe } from './memory-probe.ts';
import type { MemoryProbe } from './memory-probe.ts';
import { createModelFacts, measureModel } from './model-digest.ts';
import type { ReadModelFacts } from './model-digest.ts';
import { OwnedChildren } from './owned-children.ts';
import { poolSettings } from './pool-config.ts';
import type { PoolConfig } from './pool-config.ts';
import type { Clock, Logger, Random } from './ports.ts';
import { ReplicaDriver } from './replica-driver.ts';
import type { ReplicaDriverDeps } from './replica-driver.ts';
import { StormBound } from './restart-policy.ts';
import { createSpawnEngine } from './spawn-engine.ts';
import type { SpawnEngine } from './spawn-engine.ts';
import type {
  CanaryShare,
  Lease,
  ModelTarget,
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
  /** Fencing tokens are greater than this; default 0. */
  readonly leaseTokensAfter?: number;
  /** Default: real processes, under the guard and listed in the pid file. */
  readonly spawn?: SpawnEngine;
  /** Default: hash the file, once for all replicas that share it. */
  readonly readModelFacts?: ReadModelFacts;
  /** Default: `/proc` and `nvidia-smi`. */
  readonly memoryProbe?: MemoryProbe;
  /** Default: the file's length and header. */
  readonly measureModel?: MeasureModel;
}

const DEFAULT_LEASE_TTL_MS = 10_000;

/** @throws RangeError for settings that cannot describe a pool, and for two pools of one id */
export function createPoolManager(options: PoolManagerOptions): PoolManager {
  return new LocalPoolManager(options);
}

class LocalPoolManager implements PoolManager {
  readonly #options: PoolManagerOptions;
  readonly #children: OwnedChildren | undefined;
  readonly #leases: LeaseDesk;
  readonly #pools = new Map<string, ManagedPool>();
  readonly #drivers = new Map<string, ReplicaDriver>();
  readonly #gpuWatch: GpuWatch;
  readonly #usesGpus: boolean;
  readonly #listeners = new Set<(event: PoolEvent) => void>();
  #phase: 'new' | 'running' | 'stopped' = 'new';
  #stopping: Promise<void> | undefined;

  constructor(options: PoolManagerOptions) {
    this.#options = options;
    const { clock, logger, dataDir, leaseTtlMs = DEFAULT_LEASE_TTL_MS } = options;
    this.#leases = new LeaseDesk(
      clock,
      leaseTtlMs,
      (replicaId, event) => {
        const poolId = this.#drivers.get(replicaId)?.snapshot.poolId;
        if (poolId === undefined) return;
        this.#emit({ type: 'lease', poolId, replicaId, event });
        if (event !== 'granted' && event !== 'renewed') this.#pool(poolId).leaseEnded(replicaId);
      },
      options.leaseTokensAfter,
    );
    this.#children = options.spawn ? undefined : new OwnedChildren(dataDir, clock, logger);
    const spawn = options.spawn ?? createSpawnEngine(this.#children as OwnedChildren, clock);
    const readModelFacts = options.readModelFacts ?? createModelFacts();
    const probe = options.memoryProbe ?? createMemoryProbe();
    const memory = new MemoryDesk(probe, options.measureModel ?? measureModel, clock);
    const shared = { spawn, readModelFacts, memory, oomKills: () => probe.oomKills() };
    for (const config of options.pools) this.#addPool(config, shared);
    this.#usesGpus = options.pools.some(({ device = 'cpu' }) => gpusOf(device).length > 0);
    this.#gpuWatch = new GpuWatch(memory, clock, () => this.#drivers.values());
  }

  start(): void {
    if (this.#phase !== 'new') return;
    this.#phase = 'running';
    this.#children?.sweep();
    for (const pool of this.#pools.values()) pool.start();
    if (this.#usesGpus) this.#gpuWatch.start();
  }

  subscribe(listener: (event: PoolEvent) => void): () => void {
    // Wrapped, so that one function subscribed twice is two subscriptions.
    const entry = (event: PoolEvent): void => listener(event);
    this.#listeners.add(entry);
    return () => void this.#listeners.delete(entry);
  }

  replicas(poolId: string): readonly ReplicaSnapshot[] {
    return this.#pool(poolId).snapshots;
  }

  use(lease: Lease): ReplicaHandle {
    const driver = this.#drivers.get(lease.replicaId);
    const handle = driver?.handle;
    if (handle === undefined) throw unready(driver, `replica ${lease.replicaId} is not ready`);
    if (!this.#leases.isLive(lease))
      throw unready(driver, `the lease on ${lease.replicaId} was lost`);
    return handle;
  }

  acquire(replicaId: string, holder: string, fromMs?: number): Lease | undefined {
    if (this.#drivers.get(replicaId)?.snapshot.state !== 'ready') return undefined;
    return this.#leases.acquire(replicaId, holder, fromMs);
  }

  renew(lease: Lease, fromMs?: number): Lease | undefined {
    return this.#leases.renew(lease, fromMs);
  }

  release(lease: Lease): void {
    this.#leases.release(lease);
  }

  suspect(replicaId: string, suspicion: ReplicaSuspicion, detail: string): void {
    // It may have been retired while the accusation was on its way.
    this.#drivers.get(replicaId)?.suspect(suspicion, detail);
  }

  health(poolId: string): PoolHealth {
    return this.#pool(poolId).health;
  }

  drain(poolId: string): void {
    this.#pool(poolId).drain();
  }

  undrain(poolId: string): void {
    this.#pool(poolId).undrain();
  }

  reload(poolId: string, model: ModelTarget): void {
    this.#pool(poolId).reload(model);
  }

  canary(poolId: string, model: ModelTarget, share: CanaryShare): void {
    this.#pool(poolId).canary(model, share);
  }

  promote(poolId: string): void {
    this.#pool(poolId).promote();
  }

  rollback(poolId: string): void {
    this.#pool(poolId).rollback();
  }

  load(poolId: string): void {
    this.#pool(poolId).load();
  }

  unload(poolId: string, deadlineMs: number): Promise<void> {
    return this.#pool(poolId).unload(deadlineMs);
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
    this.#gpuWatch.stop();
    await Promise.all([...this.#pools.values()].map((pool) => pool.stop(graceMs)));
    this.#leases.close();
    await this.#children?.close();
  }

  #addPool(
    config: PoolConfig,
    shared: Pick<ReplicaDriverDeps, 'spawn' | 'readModelFacts' | 'memory' | 'oomKills'>,
  ): void {
    const settings = poolSettings(config);
    if (this.#pools.has(settings.id)) throw new RangeError(`two pools are called ${settings.id}`);
    const { clock, random, logger, embeddedEntry, openAdapter } = this.#options;
    const storm = new StormBound(settings.restart);
    const permit = new ProbePermit();
    const openDriver: ManagedPoolDeps['openDriver'] = (member, canaryPercent) => {
      const { ordinal, generation, settings: pool } = member;
      const replicaId = `${pool.id}-${ordinal}${generation === 0 ? '' : `.${generation}`}`;
      const driver = new ReplicaDriver({
        ...shared,
        replicaId,
        ordinal,
        canaryPercent,
        pool,
        endpoint: pool.launch === 'external' ? pool.endpoints[ordinal] : undefined,
        clock,
        random,
        openAdapter: openAdapter(pool.engine),
        embeddedEntry,
        storm,
        permit,
        fence: () => this.#leases.fence(replicaId),
        emit: (event) => this.#emit(event),
      });
      this.#drivers.set(replicaId, driver);
      return driver;
    };
    const pool = new ManagedPool({
      settings,
      openDriver,
      dropDriver: ({ snapshot: { replicaId } }) => void this.#drivers.delete(replicaId),
      isLeased: (replicaId) => this.#leases.isHeld(replicaId),
      memory: shared.memory,
      clock,
      logger,
    });
    this.#pools.set(settings.id, pool);
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

  #pool(poolId: string): ManagedPool {
    const pool = this.#pools.get(poolId);
    if (pool === undefined) throw new OrchError('NOT_FOUND', `there is no pool ${poolId}`);
    return pool;
  }
}

function unready(driver: ReplicaDriver | undefined, message: string): OrchError {
  const poolId = driver?.snapshot.poolId;
  return new OrchError('POOL_UNREADY', message, poolId === undefined ? {} : { poolId });
}
