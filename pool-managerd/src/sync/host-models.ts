/** What orchestratord wants the pools of this host to serve, and how far they are. */
import type { HostPool, ModelWish } from '@llama-orch/contracts';
import type { Logger } from '../ports.ts';
import type { ModelTarget, PoolManager } from '../types.ts';
import { ModelKeeper } from './model-keeper.ts';

export interface HostModelsOptions {
  readonly manager: PoolManager;
  /** What each pool serves by the host's configuration, by pool. */
  readonly configured: ReadonlyMap<string, ModelTarget>;
  /** By id, as far as the host's configuration knows them. */
  readonly catalog: ReadonlyMap<string, ModelTarget>;
  readonly logger: Logger;
}

export class HostModels {
  readonly #keepers: ReadonlyMap<string, ModelKeeper>;
  #orchestrator = '';

  constructor({ configured, ...options }: HostModelsOptions) {
    const keepers = [...configured].map(
      ([poolId, own]) => [poolId, new ModelKeeper({ ...options, poolId, own })] as const,
    );
    this.#keepers = new Map(keepers);
  }

  /** @param orchestrator the instance that wants it: its numbers are no other's */
  want(wishes: readonly ModelWish[], orchestrator: string): void {
    const isAnother = this.#orchestrator !== orchestrator;
    this.#orchestrator = orchestrator;
    for (const [poolId, keeper] of this.#keepers) {
      const wish = wishes.find((each) => each.pool_id === poolId);
      keeper.want(wish, isAnother);
    }
  }

  report(): HostPool[] {
    return [...this.#keepers.values()].map((keeper) => keeper.report());
  }
}
