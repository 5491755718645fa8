/** Exact token counts at admission, by asking a ready replica; where none can say they stay unknown. */
import type { FaultDetail, TaskRequest } from '@llama-orch/contracts';
import type { Lease, PoolManager, ReplicaHandle } from '@llama-orch/pool-managerd';
import { boundTextTokens } from './admission.ts';
import type { PoolEntry } from './pool-directory.ts';
import { renderPrompt } from './render-prompt.ts';
import type { WholeText } from './whole-answers.ts';

export interface TokenCountsOptions {
  readonly pools: Pick<PoolManager, 'replicas' | 'use'>;
  readonly leaseOf: (replicaId: string) => Lease | undefined;
}

/** Asking an engine must not hold an admission longer, ms. */
const COUNT_TIMEOUT_MS = 1_000;
/** As many faults as an envelope may list. */
const MAX_FAULTS = 32;

export class TokenCounts {
  readonly #options: TokenCountsOptions;

  constructor(options: TokenCountsOptions) {
    this.#options = options;
  }

  /** Of a completion's prompt as the engine will see it. Never throws. */
  async ofPrompt(pool: PoolEntry, request: TaskRequest): Promise<number | undefined> {
    try {
      const signal = AbortSignal.timeout(COUNT_TIMEOUT_MS);
      const replica = this.#anyOf(pool);
      if (replica === undefined) return undefined;
      const format = request.prompt_format ?? pool.promptFormat;
      const prompt = await renderPrompt(request, format, replica, signal);
      return await replica.adapter.countTokens(prompt, signal);
    } catch {
      // Not knowing is not a reason to refuse: the engine itself will, if the prompt is too long.
      return undefined;
    }
  }

  /**
   * The texts that do not fit the pool's context, as far as could be found out in time. Only those that
   * might not are counted. Never throws.
   */
  async tooLong(pool: PoolEntry, texts: readonly WholeText[]): Promise<readonly FaultDetail[]> {
    const faults: FaultDetail[] = [];
    const counted = new Map<string, number>();
    try {
      const signal = AbortSignal.timeout(COUNT_TIMEOUT_MS);
      const replica = this.#anyOf(pool);
      if (replica === undefined) return [];
      for (const { path, parts } of texts) {
        if (faults.length === MAX_FAULTS) break;
        if (boundTextTokens(parts) <= pool.ctx) continue;
        let tokens = 0;
        for (const part of parts) {
          // The query of a ranking is part of every one of its texts.
          const count = counted.get(part) ?? (await replica.adapter.countTokens(part, signal));
          if (count === undefined) return faults;
          counted.set(part, count);
          tokens += count;
        }
        if (tokens <= pool.ctx) continue;
        const message = `has ${tokens} tokens, and the pool's context is ${pool.ctx}`;
        faults.push({ path, message });
      }
    } catch {
      // As above: what is not known here the engine will say.
    }
    return faults;
  }

  /** @throws OrchError POOL_UNREADY when the replica was lost just so */
  #anyOf({ poolId }: PoolEntry): ReplicaHandle | undefined {
    const { pools, leaseOf } = this.#options;
    const lease = pools
      .replicas(poolId)
      .map(({ replicaId }) => leaseOf(replicaId))
      .find((each) => each !== undefined);
    return lease === undefined ? undefined : pools.use(lease);
  }
}
