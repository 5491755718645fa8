/**
 * Brings one pool of this host to the model that orchestratord wants it to serve. What is wanted is a
 * state, not a step: whatever was missed, overtaken or forgotten, on either side, the way there is found
 * from where the pool is.
 */
import { OrchError, type HostPool, type ModelWish, type WantedModel } from '@llama-orch/contracts';
import type { Logger } from '../ports.ts';
import type {
  ModelTarget,
  PoolHealth,
  PoolManager,
  ReplicaSnapshot,
  ReplicaState,
} from '../types.ts';

export interface ModelKeeperOptions {
  readonly poolId: string;
  /** What it serves by the host's configuration. */
  readonly own: ModelTarget;
  /** By id, as far as the host's configuration knows them. */
  readonly catalog: ReadonlyMap<string, ModelTarget>;
  readonly manager: PoolManager;
  readonly logger: Logger;
}

interface Canary {
  readonly target: ModelTarget;
  readonly percent: number;
  readonly replicas: number;
}

interface Goal {
  readonly target: ModelTarget;
  readonly canary: Canary | undefined;
}

/** What the manager was told and may still be at. */
type Order =
  | { readonly kind: 'model'; readonly target: ModelTarget; isTakenBack: boolean }
  | { readonly kind: 'canary' }
  | { readonly kind: 'removal' };

/** As much of an error as is carried. */
const MAX_REASON_CHARS = 4096;
/** A canary that is drained has come up all the same. */
const IS_UP: ReadonlySet<ReplicaState> = new Set(['ready', 'draining']);

export class ModelKeeper {
  readonly #options: ModelKeeperOptions;
  /** What its replicas serve, or would if they were started. */
  #served: ModelTarget;
  #canary: Canary | undefined;
  #order: Order | undefined;
  #wish: ModelWish | undefined;
  #state: 'changing' | 'done' | 'failed' = 'done';
  #reason: string | undefined;

  constructor(options: ModelKeeperOptions) {
    this.#options = options;
    this.#served = options.own;
  }

  /** @param isAnother another instance of orchestratord wants it than before */
  want(wish: ModelWish | undefined, isAnother: boolean): void {
    if (isAnother || this.#wish?.n !== wish?.n) {
      this.#wish = wish;
      this.#state = 'changing';
      this.#reason = undefined;
    }
    this.#step();
  }

  report(): HostPool {
    this.#step();
    const { manager, poolId } = this.#options;
    return {
      pool_id: poolId,
      loaded: manager.health(poolId).loaded ?? true,
      ...(this.#wish === undefined ? {} : { wish: this.#wish.n, state: this.#state }),
      ...(this.#reason === undefined ? {} : { reason: this.#reason }),
    };
  }

  /** One look, and at most one order: the manager is at one change at a time. */
  #step(): void {
    const health = this.#options.manager.health(this.#options.poolId);
    try {
      const goal = this.#goal();
      const fault = this.#observe(health, goal);
      if (fault !== undefined) this.#fail(fault);
      if (this.#state !== 'changing') return;
      if (this.#order !== undefined) this.#leave(this.#order, goal);
      else if (!this.#approach(goal)) this.#state = 'done';
    } catch (error) {
      if (!(error instanceof OrchError)) throw error;
      this.#observe(health, undefined);
      if (this.#state === 'changing') this.#fail(error.message);
    }
  }

  /**
   * Learns what has become of what was ordered.
   * @returns why the goal was not reached by it
   */
  #observe({ change, changeError, replicas }: PoolHealth, goal?: Goal): string | undefined {
    const order = this.#order;
    if (order?.kind === 'model') {
      if (change !== undefined) return undefined;
      this.#order = undefined;
      if (changeError === undefined) this.#served = order.target;
      const isWanted = goal !== undefined && isSame(order.target, goal.target);
      return isWanted && !order.isTakenBack ? changeError : undefined;
    }
    if (order?.kind === 'removal') {
      if (change === undefined) this.#order = undefined;
      return undefined;
    }
    const canary = this.#canary;
    if (canary === undefined) return undefined;
    if (change?.kind === 'canary') {
      if (isCanaryUp(replicas)) this.#order = undefined;
      return undefined;
    }
    this.#order = undefined;
    this.#canary = undefined;
    if (!isSameCanary(canary, goal?.canary)) return undefined;
    return changeError ?? 'the canary ended when its pool was unloaded';
  }

  /** Takes back an order that leads elsewhere; what is to follow is ordered when it is over. */
  #leave(order: Order, { target, canary }: Goal): void {
    const { manager, poolId } = this.#options;
    if (order.kind === 'canary' && !isSameCanary(this.#canary, canary)) this.#removeCanary();
    if (order.kind === 'model' && !order.isTakenBack && !isSame(order.target, target)) {
      order.isTakenBack = true;
      manager.rollback(poolId);
    }
  }

  /** Orders what is next on the way to the goal. @returns whether there was anything left to do */
  #approach({ target, canary }: Goal): boolean {
    const { manager, poolId } = this.#options;
    if (this.#canary !== undefined && !isSameCanary(this.#canary, canary)) {
      const isItsTurn = isSame(this.#canary.target, target) && !this.#serves(target);
      // One that is down at the moment is no start; it is replaced as any other replica.
      if (isItsTurn && isCanaryUp(manager.replicas(poolId))) {
        manager.promote(poolId);
        this.#canary = undefined;
        this.#order = { kind: 'model', target, isTakenBack: false };
      } else this.#removeCanary();
      return true;
    }
    if (!this.#serves(target)) {
      manager.reload(poolId, target);
      this.#order = { kind: 'model', target, isTakenBack: false };
      return true;
    }
    if (canary === undefined || this.#canary !== undefined) return false;
    manager.canary(poolId, canary.target, canary);
    this.#canary = canary;
    this.#order = { kind: 'canary' };
    return true;
  }

  #removeCanary(): void {
    this.#options.manager.rollback(this.#options.poolId);
    this.#canary = undefined;
    this.#order = { kind: 'removal' };
  }

  #serves(target: ModelTarget): boolean {
    const { modelId, modelPath, modelDigest } = this.#served;
    if (isSame(this.#served, target)) return true;
    const isSameFile = modelId === target.modelId && modelPath === target.modelPath;
    if (!isSameFile || modelDigest !== undefined) return false;
    // Nobody had said what the file must be; what it is was looked at when it was loaded.
    const { manager, poolId } = this.#options;
    const own = manager.replicas(poolId).filter((each) => each.canaryPercent === undefined);
    return own.length > 0 && own.every((each) => each.modelDigest === target.modelDigest);
  }

  /** @throws OrchError NOT_FOUND, CONFLICT for a model that this host does not have */
  #goal(): Goal {
    // Where nothing is wanted the canary of an orchestratord that has forgotten it ends.
    if (this.#wish === undefined) return { target: this.#served, canary: undefined };
    const { model, canary } = this.#wish;
    return {
      target: model === undefined ? this.#options.own : this.#find(model),
      canary: canary === undefined ? undefined : { ...canary, target: this.#find(canary.model) },
    };
  }

  #find({ id, digest }: WantedModel): ModelTarget {
    const found = this.#options.catalog.get(id);
    if (found === undefined) {
      const message = `it has no model ${id}: add it to models in its configuration and restart its pool-managerd`;
      throw new OrchError('NOT_FOUND', message);
    }
    if (digest !== undefined && found.modelDigest !== undefined && digest !== found.modelDigest) {
      const message = `its configuration has another sha256 of model ${id} than orchestratord's: make them the same`;
      throw new OrchError('CONFLICT', message);
    }
    return { ...found, modelDigest: found.modelDigest ?? digest };
  }

  #fail(reason: string): void {
    const { logger, poolId } = this.#options;
    this.#state = 'failed';
    this.#reason = reason.slice(0, MAX_REASON_CHARS);
    logger.warn({ pool_id: poolId, reason: this.#reason }, 'a model was not brought in');
  }
}

function isCanaryUp(replicas: readonly ReplicaSnapshot[]): boolean {
  const members = replicas.filter(({ canaryPercent }) => canaryPercent !== undefined);
  return members.length > 0 && members.every(({ state }) => IS_UP.has(state));
}

function isSame(one: ModelTarget, other: ModelTarget): boolean {
  return (
    one.modelId === other.modelId &&
    one.modelPath === other.modelPath &&
    one.modelDigest === other.modelDigest
  );
}

function isSameCanary(one: Canary | undefined, other: Canary | undefined): boolean {
  if (one === undefined || other === undefined) return one === other;
  return (
    isSame(one.target, other.target) &&
    one.percent === other.percent &&
    one.replicas === other.replicas
  );
}
