import type { ReplicaSnapshot } from '@llama-orch/pool-managerd';
import type { Metrics } from './metrics.ts';

/** Sets the gauges to what the replicas show of their GPUs; those of a replica that is gone disappear. */
export function showGpus(metrics: Metrics, replicas: readonly ReplicaSnapshot[]): void {
  metrics.gpuUtilization.reset();
  metrics.vramUsedBytes.reset();
  for (const { engine, engineVersion, poolId, replicaId, gpus = [] } of replicas) {
    const replica = { engine, engine_version: engineVersion, pool_id: poolId };
    for (const { device, usedBytes, utilization } of gpus) {
      const labels = { ...replica, replica_id: replicaId, device };
      metrics.vramUsedBytes.set(labels, usedBytes);
      if (utilization !== undefined) metrics.gpuUtilization.set(labels, utilization);
    }
  }
}
