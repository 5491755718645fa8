import type { ReplicaSnapshot } from '@llama-orch/pool-managerd';
import type { Metrics } from './metrics.ts';
import { labelsOfReplica } from './replica-labels.ts';

/** Sets the gauges to what the replicas show of their GPUs; those of a replica that is gone disappear. */
export function showGpus(metrics: Metrics, replicas: readonly ReplicaSnapshot[]): void {
  metrics.gpuUtilization.reset();
  metrics.vramUsedBytes.reset();
  for (const replica of replicas) {
    for (const { device, usedBytes, utilization } of replica.gpus ?? []) {
      const labels = { ...labelsOfReplica(replica), device };
      metrics.vramUsedBytes.set(labels, usedBytes);
      if (utilization !== undefined) metrics.gpuUtilization.set(labels, utilization);
    }
  }
}
