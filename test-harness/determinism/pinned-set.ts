/** What a running daemon tells of the replica set behind a pool. */
import type { ReplicaSetList } from '@llama-orch/contracts';
import type { DaemonClient } from '../src/daemon-client.ts';
import type { Pinned } from './proof-bundle.ts';

export interface PinnedSet {
  readonly pinned: Pinned;
  readonly modelId: string;
  readonly replicaIds: readonly string[];
}

/** @throws Error when the pool has no replica set, or more than one */
export async function pinnedSetOf(client: DaemonClient, poolId: string): Promise<PinnedSet> {
  const { status, text, body } = await client.call('listReplicaSets');
  if (status !== 200) throw new Error(`the replica sets were refused: ${status} ${text}`);
  const own = (body as ReplicaSetList).items.filter((set) => set.pool_id === poolId);
  const [set] = own;
  if (set === undefined || own.length > 1) {
    throw new Error(`pool ${poolId} has ${own.length} replica sets that serve, and must have one`);
  }
  return {
    pinned: {
      engine: set.engine,
      engine_version: set.engine_version,
      model_digest: set.model_digest,
      sampler_profile_version: set.sampler_profile_version,
      replica_set_id: set.id,
      ctx: set.ctx ?? 0,
      quant: set.quant ?? '',
      device: [...new Set(set.replicas.map(({ device }) => device ?? ''))].sort().join(','),
    },
    modelId: set.model_id ?? '',
    replicaIds: set.replicas.map(({ replica_id: id }) => id),
  };
}
