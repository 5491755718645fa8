import type { ReplicaSnapshot } from '@llama-orch/pool-managerd';

/** Of gauges per replica. */
export function labelsOfReplica(
  replica: Pick<ReplicaSnapshot, 'engine' | 'engineVersion' | 'poolId' | 'replicaId'>,
) {
  return {
    engine: replica.engine,
    engine_version: replica.engineVersion,
    pool_id: replica.poolId,
    replica_id: replica.replicaId,
  };
}
