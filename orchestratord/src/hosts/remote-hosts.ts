/** The hosts that have registered, behind the port of a pool manager. */
import { randomUUID } from 'node:crypto';
import {
  OrchError,
  type HostSync,
  type HostSyncAnswer,
  type HostView,
} from '@llama-orch/contracts';
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
import type { Logger } from '../logging.ts';
import { checkSync, isKnownInstance } from './check-sync.ts';
import { chatOf, type RemoteReplica } from './host-state.ts';
import { RemoteHost, type RemoteHostOptions } from './remote-host.ts';
import { RemoteModels, type RemoteModelsOptions } from './remote-models.ts';
import { RemoteTurns } from './remote-turns.ts';

export type RemoteHostsOptions = Pick<
  RemoteHostOptions,
  'adapterOptionsOf' | 'openAdapter' | 'onHeard' | 'onTakenOver' | 'onOver' | 'clock'
> & {
  /** What the pools are to serve, and where that is kept. */
  readonly models: Pick<RemoteModelsOptions, 'wanted' | 'remember'>;
  /** Of the data directory; leases are granted to it. */
  readonly orchestratorId: string;
  readonly poolIds: readonly string[];
  /** The only host that may have replicas of the pool, where there is one. */
  readonly hostOf: (poolId: string) => string | undefined;
  /** The pool is loaded when it is asked for; any other is from the start. */
  readonly takesTurns: (poolId: string) => boolean;
  /** A replica of this process has this id. */
  readonly isLocal: (replicaId: string) => boolean;
  readonly logger: Logger;
};

const MAX_HOSTS = 1_024;
/** As much of an accusation as is passed on. */
const MAX_DETAIL_CHARS = 1_024;

interface Found {
  readonly host: RemoteHost;
  readonly replica: RemoteReplica;
}

export class RemoteHosts implements PoolManager {
  readonly #options: RemoteHostsOptions;
  readonly #instanceId = randomUUID();
  readonly #hosts = new Map<string, RemoteHost>();
  readonly #listeners = new Set<(event: PoolEvent) => void>();
  readonly #draining = new Set<string>();
  readonly #models: RemoteModels;
  readonly #turns: RemoteTurns;
  #isClosed = false;

  constructor(options: RemoteHostsOptions) {
    this.#options = options;
    this.#models = new RemoteModels({
      ...options.models,
      hostsOf: (poolId) =>
        [...this.#hosts.values()].filter((host) => !host.isOver && host.hasPool(poolId)),
      replicasOf: (poolId) => this.replicas(poolId),
      onChange: () => this.#speak(),
      logger: options.logger,
    });
    this.#turns = new RemoteTurns({
      takesTurns: options.takesTurns,
      hosts: () => this.#hosts.values(),
      replicasOf: (poolId) => this.replicas(poolId),
      clock: options.clock,
    });
  }

  /**
   * A host's report; resolves with what it is to do, see `RemoteHost.sync`.
   * @throws OrchError CONFLICT, NOT_FOUND, INVALID_PARAMS, REPLICA_EXHAUSTED, POOL_UNAVAILABLE
   */
  async sync(hostId: string, sync: HostSync): Promise<HostSyncAnswer> {
    if (this.#isClosed) throw new OrchError('POOL_UNAVAILABLE', 'orchestratord is stopping');
    checkSync(hostId, sync, {
      isPool: (poolId) => this.#options.poolIds.includes(poolId),
      hostOf: (poolId) => this.#options.hostOf(poolId),
      ownerOf: (replicaId, except) => this.#ownerOf(replicaId, except),
    });
    return this.#hostOf(hostId, sync).sync(sync);
  }

  /** The host has stopped its engines and takes leave. */
  remove(hostId: string, instanceId: string): void {
    const host = this.#hosts.get(hostId);
    if (host?.instance.id !== instanceId) return;
    this.#forget(host);
    this.#options.logger.info({ host_id: hostId }, 'host took leave');
  }

  hosts(): HostView[] {
    return [...this.#hosts.values()]
      .map((host) => host.view())
      .sort((a, b) => (a.host_id < b.host_id ? -1 : 1));
  }

  has(replicaId: string): boolean {
    return this.#find(replicaId) !== undefined;
  }

  replica(replicaId: string): ReplicaSnapshot | undefined {
    return this.#find(replicaId)?.replica.told;
  }

  start(): void {
    // Hosts come by themselves.
  }

  subscribe(listener: (event: PoolEvent) => void): () => void {
    const entry = (event: PoolEvent): void => listener(event);
    this.#listeners.add(entry);
    return () => void this.#listeners.delete(entry);
  }

  replicas(poolId: string): readonly ReplicaSnapshot[] {
    return [...this.#hosts.values()].flatMap((host) =>
      [...host.replicas].flatMap(({ told }) => (told?.poolId === poolId ? told : [])),
    );
  }

  use(lease: Lease): ReplicaHandle {
    const replica = this.#find(lease.replicaId)?.replica;
    const { held, told, report } = replica ?? {};
    if (held === undefined || held.lease.token !== lease.token || report === undefined) {
      throw new OrchError('POOL_UNREADY', `the lease on ${lease.replicaId} was lost`);
    }
    if (told?.state !== 'ready') {
      const { replicaId } = lease;
      const poolId = report.pool_id;
      throw new OrchError('POOL_UNREADY', `replica ${replicaId} is not ready`, { poolId });
    }
    return { snapshot: told, adapter: held.adapter, envelope: chatOf(report) };
  }

  /** The lease that the host has granted, once its engine has answered under it. */
  acquire(replicaId: string, holder: string): Lease | undefined {
    const { held, told } = this.#find(replicaId)?.replica ?? {};
    if (told?.state !== 'ready' || held === undefined) return undefined;
    held.isTaken = true;
    return { ...held.lease, holder, expiresAtMs: held.surelyOverAtMs };
  }

  /** The syncs renew; this tells whether the lease is still held. */
  renew(lease: Lease): Lease | undefined {
    const { held, told } = this.#find(lease.replicaId)?.replica ?? {};
    if (held?.lease.token !== lease.token || told === undefined) return undefined;
    const { poolId, replicaId } = told;
    this.#emit({ type: 'lease', poolId, replicaId, event: 'renewed' });
    return { ...lease, expiresAtMs: held.surelyOverAtMs };
  }

  release(lease: Lease): void {
    const found = this.#find(lease.replicaId);
    if (found?.replica.held?.lease.token === lease.token) found.host.release(found.replica);
  }

  suspect(replicaId: string, suspicion: ReplicaSuspicion, detail: string): void {
    this.#find(replicaId)?.host.tell({
      type: 'suspect',
      replica_id: replicaId,
      suspicion,
      detail: detail.slice(0, MAX_DETAIL_CHARS),
    });
  }

  health(poolId: string): PoolHealth {
    const replicas = this.replicas(poolId);
    const errors = replicas.flatMap(({ lastError }) => lastError ?? []);
    const model = this.#models.healthOf(poolId);
    const loaded = this.#turns.isLoaded(poolId);
    const none = loaded ? 'no host has registered replicas' : 'the pool is not loaded';
    return {
      poolId,
      live: replicas.some(({ state }) => ['ready', 'draining', 'self-test'].includes(state)),
      ready: replicas.some(({ state }) => state === 'ready'),
      draining: this.#draining.has(poolId),
      // A host may come, or come back, at any time.
      recoverable: replicas.length === 0 || replicas.some(({ state }) => state !== 'failed'),
      lastError: replicas.length === 0 ? none : (model.changeError ?? errors.at(-1)),
      replicas,
      ...(this.#options.takesTurns(poolId) ? { loaded } : {}),
      ...model,
    };
  }

  drain(poolId: string): void {
    this.#draining.add(poolId);
    this.#speak();
  }

  /** Failed replicas try again when an operator acts. */
  undrain(poolId: string): void {
    this.#draining.delete(poolId);
    for (const host of this.#hosts.values()) host.tell({ type: 'revive', pool_id: poolId });
  }

  reload(poolId: string, model: ModelTarget): void {
    this.#models.reload(poolId, model);
  }

  canary(poolId: string, model: ModelTarget, share: CanaryShare): void {
    this.#models.canary(poolId, model, share);
  }

  promote(poolId: string): void {
    this.#models.promote(poolId);
  }

  rollback(poolId: string): void {
    this.#models.rollback(poolId);
  }

  load(poolId: string): void {
    this.#turns.load(poolId);
  }

  unload(poolId: string, deadlineMs: number): Promise<void> {
    return this.#turns.unload(poolId, deadlineMs);
  }

  /** Answers every sync that is held, asking for nothing any more. Safe to call twice. */
  close(): void {
    this.#isClosed = true;
    for (const host of this.#hosts.values()) host.close();
  }

  /** Lets every host go; their engines run on, and so may leases until they hear of it or miss us. */
  stop(_graceMs: number): Promise<void> {
    this.close();
    for (const host of this.#hosts.values()) host.end();
    this.#hosts.clear();
    return Promise.resolve();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop(0);
  }

  #hostOf(hostId: string, sync: HostSync): RemoteHost {
    const { clock, logger, orchestratorId } = this.#options;
    const known = this.#hosts.get(hostId);
    if (known !== undefined) {
      if (isKnownInstance(known, sync, clock.now())) return known;
      // Whatever ran there ended with the process that answered for it.
      this.#forget(known);
    }
    if (this.#hosts.size >= MAX_HOSTS)
      throw new OrchError('REPLICA_EXHAUSTED', `${MAX_HOSTS} hosts have registered already`);
    const host = new RemoteHost(sync, {
      ...this.#options,
      hostId,
      orchestrator: { id: orchestratorId, instance_id: this.#instanceId },
      isDraining: (poolId) => this.#draining.has(poolId),
      wishOf: (poolId, on) => this.#models.wishOf(poolId, on),
      onReport: (reporting) => {
        this.#turns.greet(reporting);
        this.#look();
      },
      emit: (event) => this.#emit(event),
      onOver: (over) => {
        logger.warn({ host_id: hostId }, 'host is lost; its work goes on elsewhere');
        this.#options.onOver(over);
        this.#look();
      },
    });
    this.#hosts.set(hostId, host);
    const { id, generation } = sync.instance;
    logger.info({ host_id: hostId, instance_id: id, generation }, 'host registered');
    return host;
  }

  #forget(host: RemoteHost): void {
    host.end();
    this.#hosts.delete(host.hostId);
    this.#options.onOver(host);
    this.#look();
  }

  #speak(): void {
    for (const host of this.#hosts.values()) host.speak();
  }

  #look(): void {
    this.#turns.look();
    for (const poolId of this.#options.poolIds) this.#models.look(poolId);
  }

  #ownerOf(replicaId: string, except: string): string | undefined {
    if (this.#options.isLocal(replicaId)) return 'orchestratord itself';
    const owner = this.#find(replicaId)?.host.hostId;
    return owner === undefined || owner === except ? undefined : `host ${owner}`;
  }

  #find(replicaId: string): Found | undefined {
    // Host ids have no dots: what stands before the first one is the host.
    const host = this.#hosts.get(replicaId.slice(0, Math.max(0, replicaId.indexOf('.'))));
    const replica = host?.replica(replicaId);
    return host === undefined || replica === undefined ? undefined : { host, replica };
  }

  #emit(event: PoolEvent): void {
    for (const listener of this.#listeners) {
      try {
        listener(event);
      } catch (error) {
        // One bad listener must not keep the others, or the host, from going on.
        this.#options.logger.error({ err: error, event: event.type }, 'a pool listener failed');
      }
    }
  }
}
