import type { ReplicaSnapshot, ReplicaState } from '@llama-orch/pool-managerd';
import type { Metrics } from './metrics.ts';

const NONE = {
  starting: 0,
  loading: 0,
  'self-test': 0,
  ready: 0,
  unready: 0,
  backoff: 0,
  draining: 0,
  stopped: 0,
  failed: 0,
} as const satisfies Record<ReplicaState, 0>;

/**
 * Sets the gauge for one pool: every state has a value, so that "no replica is ready" is a 0 and not a gap.
 * A pool that is unloaded has no replicas, and 0 in each.
 */
export function showReplicaStates(
  metrics: Metrics,
  pool: { readonly id: string; readonly engine: string },
  replicas: readonly ReplicaSnapshot[],
): void {
  const counts: Record<ReplicaState, number> = { ...NONE };
  for (const { state } of replicas) counts[state] += 1;
  for (const [state, count] of Object.entries(counts)) {
    metrics.replicas.set({ engine: pool.engine, pool_id: pool.id, state }, count);
  }
}
