/**
 * What the pools on hosts are to serve, and how far the hosts are. A change is one for all hosts: when it
 * fails on one, all go back (OC-POOL-3132). Hosts are told of the state wanted, not of steps, so that one
 * that was away, or has come anew, needs no other treatment than the rest.
 */
import { OrchError, type ModelWish, type WantedModel } from '@llama-orch/contracts';
import type {
  CanaryShare,
  ModelTarget,
  PoolChange,
  PoolHealth,
  ReplicaSnapshot,
} from '@llama-orch/pool-managerd';
import type { Logger } from '../logging.ts';
import type { RemoteHost } from './remote-host.ts';

export type ModelHost = Pick<RemoteHost, 'hostId' | 'canChangeModels' | 'stateOf'>;

/** A change that was asked for. `rollback`: the hosts go back to what they served. */
interface Change {
  readonly kind: PoolChange['kind'];
  /** That comes; of a rollback, that goes. */
  readonly model: WantedModel;
  readonly percent?: number;
  /** Replicas of a canary, by host. */
  readonly shares?: Readonly<Record<string, number>>;
}

/** What is remembered of a pool over a restart of this process. */
export interface WantedOfPool {
  /** What it serves when nothing is being changed; undefined: what each host is configured with. */
  readonly model?: WantedModel | undefined;
  readonly change?: Change | undefined;
}

export interface RemoteModelsOptions {
  /** As remembered. */
  readonly wanted: ReadonlyMap<string, WantedOfPool>;
  /** Must be durable before it returns: hosts act on it from then on. */
  readonly remember: (poolId: string, wanted: WantedOfPool) => void;
  /** Those that have the pool and are not lost. */
  readonly hostsOf: (poolId: string) => readonly ModelHost[];
  readonly replicasOf: (poolId: string) => readonly ReplicaSnapshot[];
  /** Hosts are wanted to do something else than before. */
  readonly onChange: () => void;
  readonly logger: Logger;
}

interface PoolState {
  /** Number of the newest wish; 0 before the first. */
  n: number;
  wanted: WantedOfPool;
  /** Why the last change was taken back. */
  error: string | undefined;
}

const IS_UP: ReadonlySet<ReplicaSnapshot['state']> = new Set(['ready', 'draining']);

export class RemoteModels {
  readonly #options: RemoteModelsOptions;
  readonly #pools = new Map<string, PoolState>();

  constructor(options: RemoteModelsOptions) {
    this.#options = options;
    for (const [poolId, wanted] of options.wanted)
      this.#pools.set(poolId, { n: 1, wanted: afterRestart(wanted), error: undefined });
  }

  wishOf(poolId: string, hostId: string): ModelWish | undefined {
    const pool = this.#pools.get(poolId);
    if (pool === undefined) return undefined;
    const { model, change } = pool.wanted;
    const isComing = change?.kind === 'reload' || change?.kind === 'promotion';
    const serve = isComing ? change.model : model;
    const replicas = change?.kind === 'canary' ? (change.shares?.[hostId] ?? 0) : 0;
    return {
      pool_id: poolId,
      n: pool.n,
      ...(serve === undefined ? {} : { model: serve }),
      ...(change === undefined || replicas === 0
        ? {}
        : { canary: { model: change.model, percent: change.percent ?? 0, replicas } }),
    };
  }

  healthOf(poolId: string): Pick<PoolHealth, 'modelId' | 'change' | 'changeError'> {
    const pool = this.#pools.get(poolId);
    if (pool === undefined) return {};
    const { model, change } = pool.wanted;
    const errors = [pool.error, ...this.#behind(poolId, pool)].filter((each) => each !== undefined);
    return {
      modelId: model?.id,
      change: change && { kind: change.kind, modelId: change.model.id, percent: change.percent },
      changeError: errors.length === 0 ? undefined : errors.join('; '),
    };
  }

  /** @throws OrchError CONFLICT when the pool cannot change its model, or is changing it */
  reload(poolId: string, target: ModelTarget): void {
    this.#requireChangeable(poolId);
    this.#begin(poolId, { kind: 'reload', model: toWanted(target) });
  }

  /** @throws OrchError CONFLICT when the pool cannot change its model, or is changing it */
  canary(poolId: string, target: ModelTarget, { percent, replicas }: CanaryShare): void {
    const hosts = this.#requireChangeable(poolId);
    const shares = this.#share(poolId, hosts, replicas);
    if (Object.keys(shares).length === 0) throw conflict(poolId, 'is not loaded');
    this.#begin(poolId, { kind: 'canary', model: toWanted(target), percent, shares });
  }

  /** @throws OrchError CONFLICT when there is no canary that serves */
  promote(poolId: string): void {
    const pool = this.#pools.get(poolId);
    const change = pool?.wanted.change;
    if (pool === undefined || change?.kind !== 'canary') throw conflict(poolId, 'has no canary');
    const canaries = this.#options
      .replicasOf(poolId)
      .filter(({ canaryPercent }) => canaryPercent !== undefined);
    const isUp = canaries.length > 0 && canaries.every(({ state }) => IS_UP.has(state));
    if (!isUp || !this.#areDone(poolId, pool)) {
      throw conflict(poolId, 'has a canary that is not ready');
    }
    this.#begin(poolId, { kind: 'promotion', model: change.model });
  }

  /** @throws OrchError CONFLICT when there is neither a canary nor a change under way */
  rollback(poolId: string): void {
    const pool = this.#pools.get(poolId);
    const change = pool?.wanted.change;
    if (pool === undefined || change === undefined)
      throw conflict(poolId, 'has neither a canary nor a change to undo');
    // It is on its way back already.
    if (change.kind === 'rollback') return;
    this.#goBack(poolId, pool, change, 'it was rolled back');
  }

  /** Hosts have reported, or were lost: a change may be over. */
  look(poolId: string): void {
    const pool = this.#pools.get(poolId);
    const change = pool?.wanted.change;
    if (pool === undefined || change === undefined) return;
    const hosts = this.#options.hostsOf(poolId);
    const states = hosts.map((host) => ({ ...host.stateOf(poolId, pool.n), id: host.hostId }));
    if (change.kind === 'rollback') {
      const isOver = states.every(({ state }) => state === 'done' || state === 'failed');
      if (isOver) this.#settle(poolId, pool, pool.wanted.model);
      return;
    }
    const failed = states.find(({ state }) => state === 'failed');
    if (failed !== undefined) {
      this.#goBack(poolId, pool, change, `host ${failed.id}: ${failed.reason ?? 'it failed'}`);
      return;
    }
    const isOver = hosts.length > 0 && states.every(({ state }) => state === 'done');
    if (isOver && change.kind !== 'canary') this.#settle(poolId, pool, change.model);
  }

  #begin(poolId: string, change: Change): void {
    const pool = this.#pools.get(poolId) ?? { n: 0, wanted: {}, error: undefined };
    pool.error = undefined;
    this.#wish(poolId, pool, { ...pool.wanted, change });
  }

  #goBack(poolId: string, pool: PoolState, change: Change, reason: string): void {
    const { logger } = this.#options;
    const { id } = change.model;
    const before = pool.wanted.model?.id ?? 'what the hosts are configured with';
    const isAsked = change.kind === 'canary' && reason === 'it was rolled back';
    if (!isAsked) {
      pool.error =
        change.kind === 'canary'
          ? `the canary of ${id} was removed: ${reason}`
          : `${id} was not brought in, ${before} serves on: ${reason}`;
      logger.warn({ pool_id: poolId, last_error: pool.error }, 'a change of model was taken back');
    }
    const back: Change = { kind: 'rollback', model: change.model };
    this.#wish(poolId, pool, { ...pool.wanted, change: back });
  }

  #settle(poolId: string, pool: PoolState, model: WantedModel | undefined): void {
    this.#options.remember(poolId, { model });
    pool.wanted = { model };
    this.#options.logger.info(
      { pool_id: poolId, model_id: model?.id },
      'a change of model is over',
    );
  }

  #wish(poolId: string, pool: PoolState, wanted: WantedOfPool): void {
    this.#options.remember(poolId, wanted);
    pool.n += 1;
    pool.wanted = wanted;
    this.#pools.set(poolId, pool);
    this.#options.onChange();
  }

  /** Spreads the replicas of a canary over the hosts, none of which gets more than it has. */
  #share(
    poolId: string,
    hosts: readonly ModelHost[],
    replicas: number,
  ): Readonly<Record<string, number>> {
    const own = this.#options
      .replicasOf(poolId)
      .filter(({ canaryPercent }) => canaryPercent === undefined);
    const room = hosts.map(({ hostId }) => {
      const most = own.filter(({ replicaId }) => replicaId.startsWith(`${hostId}.`)).length;
      return { hostId, most, share: 0 };
    });
    for (let n = 0; n < replicas; n++) {
      const [next] = room
        .filter(({ share, most }) => share < most)
        .sort((a, b) => a.share - b.share || (a.hostId < b.hostId ? -1 : 1));
      if (next !== undefined) next.share += 1;
    }
    return Object.fromEntries(
      room.flatMap(({ hostId, share }) => (share === 0 ? [] : [[hostId, share]])),
    );
  }

  #areDone(poolId: string, { n }: PoolState): boolean {
    return this.#options.hostsOf(poolId).every((host) => host.stateOf(poolId, n)?.state === 'done');
  }

  /** Hosts that came after a change, or back, and cannot follow. */
  #behind(poolId: string, { n, wanted }: PoolState): readonly string[] {
    if (wanted.change !== undefined) return [];
    return this.#options.hostsOf(poolId).flatMap((host) => {
      const { state, reason } = host.stateOf(poolId, n) ?? {};
      return state === 'failed' ? `host ${host.hostId} serves another model: ${reason ?? ''}` : [];
    });
  }

  #requireChangeable(poolId: string): readonly ModelHost[] {
    const hosts = this.#options.hostsOf(poolId);
    if (hosts.length === 0) throw conflict(poolId, 'has no host that has registered');
    const old = hosts.find(({ canChangeModels }) => !canChangeModels);
    if (old !== undefined) {
      const what = `is on host ${old.hostId}, whose pool-managerd cannot change models: update it`;
      throw conflict(poolId, what);
    }
    const change = this.#pools.get(poolId)?.wanted.change;
    if (change?.kind === 'canary') throw conflict(poolId, 'has a canary');
    if (change !== undefined) throw conflict(poolId, 'is changing its model');
    return hosts;
  }
}

/** Which hosts a change was for is forgotten, so that nobody could tell when it is over. */
function afterRestart({ model, change }: WantedOfPool): WantedOfPool {
  if (change === undefined || change.kind === 'canary') return { model, change };
  return { model, change: { kind: 'rollback', model: change.model } };
}

function toWanted({ modelId, modelDigest }: ModelTarget): WantedModel {
  return { id: modelId, ...(modelDigest === undefined ? {} : { digest: modelDigest }) };
}

function conflict(poolId: string, what: string): OrchError {
  return new OrchError('CONFLICT', `pool ${poolId} ${what}`, { poolId });
}
