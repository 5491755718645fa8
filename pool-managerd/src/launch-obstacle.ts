import type { MemoryDesk } from './memory-desk.ts';
import type { ReadModelFacts } from './model-digest.ts';
import type { PoolSettings } from './pool-config.ts';
import type { ReplicaInput } from './replica-machine-types.ts';

export interface ObstacleDeps {
  readonly replicaId: string;
  readonly pool: PoolSettings;
  readonly memory: MemoryDesk;
  readonly readModelFacts: ReadModelFacts;
}

/**
 * What forbids to spawn an engine now: another model file than was prescribed, or no memory. The file is
 * hashed before the start only where its digest is prescribed. Without an obstacle the memory is promised to
 * the replica.
 */
export async function findObstacle(deps: ObstacleDeps): Promise<ReplicaInput | undefined> {
  const { replicaId, pool, memory } = deps;
  const forged = await wrongDigest(deps);
  if (forged !== undefined) return { type: 'misfit', detail: forged };
  const verdict = await memory.ask(replicaId, pool);
  if (verdict.kind === 'granted') return undefined;
  return { type: verdict.kind === 'short' ? 'refused' : 'misfit', detail: verdict.detail };
}

async function wrongDigest({ pool, readModelFacts }: ObstacleDeps): Promise<string | undefined> {
  if (pool.modelDigest === undefined) return undefined;
  try {
    const { digest } = await readModelFacts(pool.modelPath ?? '');
    if (digest === pool.modelDigest) return undefined;
    return `the model file is ${digest}, configured is ${pool.modelDigest}`;
  } catch (error) {
    return `the model file cannot be verified: ${error instanceof Error ? error.message : String(error)}`;
  }
}
