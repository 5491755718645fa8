/** Which pool serves a request: by model reference, engine, workload, and what the request asks of an engine. */
import { invalidParams, OrchError, type TaskRequest } from '@llama-orch/contracts';
import { unmetBy, type PoolAbility } from './pool-fit.ts';

export interface PoolEntry extends PoolAbility {
  readonly poolId: string;
  readonly modelId: string;
  readonly aliases: readonly string[];
  readonly ctx: number;
  /** What a request's `prompt_format: auto` means here. */
  readonly promptFormat: 'auto' | 'raw' | 'chat';
  readonly workloads: readonly string[];
}

export interface PoolDirectoryOptions {
  /** In configured order; the first is the default. */
  readonly pools: readonly PoolEntry[];
  /** Ids and digests of the models that a pool's replicas have loaded. */
  readonly loadedIn: (poolId: string) => readonly string[];
  /** Waiting and running tasks: the less loaded of two fitting pools is taken. */
  readonly loadOf: (poolId: string) => number;
}

export class PoolDirectory {
  readonly #options: PoolDirectoryOptions;

  constructor(options: PoolDirectoryOptions) {
    this.#options = options;
  }

  entry(poolId: string): PoolEntry | undefined {
    return this.#options.pools.find((pool) => pool.poolId === poolId);
  }

  /**
   * @throws OrchError NOT_FOUND when no pool has the model (or the engine), INVALID_PARAMS when it has it
   * but not the workload, or lacks what the request asks for
   */
  resolve(request: TaskRequest): PoolEntry {
    const { model_ref: modelRef, engine, workload = 'completion' } = request;
    const named = modelRef === undefined ? this.#options.pools : this.#named(modelRef);
    const fitting = engine === undefined ? named : named.filter((pool) => pool.engine === engine);
    if (fitting.length === 0) {
      const path = named.length === 0 ? '/model_ref' : '/engine';
      const message =
        named.length === 0 ? 'no pool serves this model' : 'no pool serves it with this engine';
      throw new OrchError('NOT_FOUND', message, { details: [{ path, message }] });
    }
    const able = fitting.filter((pool) => pool.workloads.includes(workload));
    const [first] = able;
    if (first === undefined) {
      const message = `no pool serves the workload ${workload}`;
      throw new OrchError('INVALID_PARAMS', message, { details: [{ path: '/workload', message }] });
    }
    // Who names no model gets the default one, not whichever could do more.
    const meant = modelRef === undefined ? [first] : able;
    const willing = meant.filter((pool) => unmetBy(pool, request).length === 0);
    const chosen = willing.length > 1 ? this.#leastLoaded(willing) : willing[0];
    if (chosen === undefined) throw invalidParams('The request body', unmetBy(first, request));
    return chosen;
  }

  /** By its configured names first; a model that came later is known by what the replicas say. */
  #named(modelRef: string): readonly PoolEntry[] {
    const { pools, loadedIn } = this.#options;
    const configured = pools.filter(
      ({ modelId, aliases }) => modelId === modelRef || aliases.includes(modelRef),
    );
    return configured.length > 0
      ? configured
      : pools.filter(({ poolId }) => loadedIn(poolId).includes(modelRef));
  }

  #leastLoaded(pools: readonly PoolEntry[]): PoolEntry | undefined {
    let best: PoolEntry | undefined;
    let bestLoad = Infinity;
    for (const pool of pools) {
      const load = this.#options.loadOf(pool.poolId);
      if (load < bestLoad) {
        best = pool;
        bestLoad = load;
      }
    }
    return best;
  }
}
