/** The replicas of this process and those of registered hosts as one pool manager. */
import { OrchError } from '@llama-orch/contracts';
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
} from '@llama-orch/pool-managerd';
import type { InheritedLeases } from './inherited-leases.ts';
import type { RemoteHosts } from './remote-hosts.ts';

export interface PoolFleetOptions {
  readonly local: PoolManager;
  /** Pools that have replicas in this process. */
  readonly localPoolIds: readonly string[];
  readonly remote: RemoteHosts;
  readonly inherited: Pick<InheritedLeases, 'mayLiveIn' | 'stop'>;
}

export class PoolFleet implements PoolManager {
  readonly #options: PoolFleetOptions;
  readonly #listeners = new Set<(event: PoolEvent) => void>();

  constructor(options: PoolFleetOptions) {
    this.#options = options;
  }

  start(): void {
    this.#options.local.start();
    this.#options.remote.start();
  }

  subscribe(listener: (event: PoolEvent) => void): () => void {
    const { local, remote } = this.#options;
    const unsubscribe = [local.subscribe(listener), remote.subscribe(listener)];
    this.#listeners.add(listener);
    return () => {
      for (const each of unsubscribe) each();
      this.#listeners.delete(listener);
    };
  }

  /** Those of this process first, in the order of their ordinals. */
  replicas(poolId: string): readonly ReplicaSnapshot[] {
    const { local, remote } = this.#options;
    const own = this.#isLocal(poolId) ? local.replicas(poolId) : [];
    return [...own, ...remote.replicas(poolId)];
  }

  use(lease: Lease): ReplicaHandle {
    return this.#managerOf(lease.replicaId).use(lease);
  }

  acquire(replicaId: string, holder: string): Lease | undefined {
    const poolId = this.#replica(replicaId)?.poolId;
    if (poolId === undefined || this.#options.inherited.mayLiveIn(poolId)) return undefined;
    return this.#managerOf(replicaId).acquire(replicaId, holder);
  }

  renew(lease: Lease): Lease | undefined {
    return this.#managerOf(lease.replicaId).renew(lease);
  }

  release(lease: Lease): void {
    this.#managerOf(lease.replicaId).release(lease);
  }

  suspect(replicaId: string, suspicion: ReplicaSuspicion, detail: string): void {
    // A remote replica may have left since.
    if (this.#replica(replicaId) === undefined) return;
    this.#managerOf(replicaId).suspect(replicaId, suspicion, detail);
  }

  health(poolId: string): PoolHealth {
    const { local, remote } = this.#options;
    const far = remote.health(poolId);
    if (!this.#isLocal(poolId)) return far;
    const near = local.health(poolId);
    if (far.replicas.length === 0) return near;
    return {
      ...near,
      live: near.live || far.live,
      ready: near.ready || far.ready,
      recoverable: near.recoverable || far.recoverable,
      lastError: near.lastError ?? far.lastError,
      replicas: [...near.replicas, ...far.replicas],
    };
  }

  drain(poolId: string): void {
    if (this.#isLocal(poolId)) this.#options.local.drain(poolId);
    this.#options.remote.drain(poolId);
  }

  undrain(poolId: string): void {
    if (this.#isLocal(poolId)) this.#options.local.undrain(poolId);
    this.#options.remote.undrain(poolId);
  }

  /** @throws OrchError CONFLICT also for a pool with replicas here and on hosts: it would be left mixed */
  reload(poolId: string, model: ModelTarget): void {
    this.#changerOf(poolId).reload(poolId, model);
  }

  canary(poolId: string, model: ModelTarget, share: CanaryShare): void {
    this.#changerOf(poolId).canary(poolId, model, share);
  }

  promote(poolId: string): void {
    this.#ownerOf(poolId).promote(poolId);
  }

  rollback(poolId: string): void {
    this.#ownerOf(poolId).rollback(poolId);
  }

  load(poolId: string): void {
    if (this.#isLocal(poolId)) this.#options.local.load(poolId);
    this.#options.remote.load(poolId);
  }

  async unload(poolId: string, deadlineMs: number): Promise<void> {
    const { local, remote } = this.#options;
    await Promise.all([
      this.#isLocal(poolId) ? local.unload(poolId, deadlineMs) : undefined,
      remote.unload(poolId, deadlineMs),
    ]);
  }

  /** A pool may be dispatched to: its replicas are told of again. */
  announce(poolId: string): void {
    for (const replica of this.replicas(poolId)) {
      for (const listener of this.#listeners) listener({ type: 'replica', replica });
    }
  }

  async stop(graceMs: number): Promise<void> {
    const { local, remote, inherited } = this.#options;
    inherited.stop();
    await Promise.all([local.stop(graceMs), remote.stop(graceMs)]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop(1000);
  }

  #isLocal(poolId: string): boolean {
    return this.#options.localPoolIds.includes(poolId);
  }

  /** Of what is changed in a pool with replicas of both. */
  #ownerOf(poolId: string): PoolManager {
    const { local, remote } = this.#options;
    return this.#isLocal(poolId) ? local : remote;
  }

  #changerOf(poolId: string): PoolManager {
    const owner = this.#ownerOf(poolId);
    const { remote } = this.#options;
    if (owner === remote || remote.replicas(poolId).length === 0) return owner;
    const message = `pool ${poolId} has replicas here and on hosts, which are not changed together: take it from the hosts' configurations, or make it launch: remote`;
    throw new OrchError('CONFLICT', message, { poolId });
  }

  #managerOf(replicaId: string): PoolManager {
    const { local, remote } = this.#options;
    return remote.has(replicaId) ? remote : local;
  }

  #replica(replicaId: string): ReplicaSnapshot | undefined {
    const { local, localPoolIds, remote } = this.#options;
    const found = remote.replica(replicaId);
    if (found !== undefined) return found;
    for (const poolId of localPoolIds) {
      const own = local.replicas(poolId).find((each) => each.replicaId === replicaId);
      if (own !== undefined) return own;
    }
    return undefined;
  }
}
