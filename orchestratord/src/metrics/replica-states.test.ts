import type { ReplicaSnapshot } from '@llama-orch/pool-managerd';
import { expect, test } from 'vitest';
import { createMetrics } from './metrics.ts';
import { showReplicaStates } from './replica-states.ts';

const pool = { id: 'p', engine: 'llamacpp' };
const inState = (state: string) => ({ state }) as ReplicaSnapshot;

async function shown(replicas: readonly ReplicaSnapshot[]) {
  const metrics = createMetrics();
  showReplicaStates(metrics, pool, [inState('failed')]);
  showReplicaStates(metrics, pool, replicas);
  const metric = await metrics.registry.getSingleMetric('replicas')?.get();
  return new Map((metric?.values ?? []).map(({ labels, value }) => [labels['state'], value]));
}

test('OC-METRICS-7124 every state has its number of replicas, also 0', async () => {
  const states = await shown(['ready', 'ready', 'backoff'].map(inState));
  expect(states.get('ready')).toBe(2);
  expect(states.get('backoff')).toBe(1);
  expect(states.get('failed')).toBe(0);
  expect(states.size).toBe(9);
  expect([...(await shown([])).values()]).toEqual(Array(9).fill(0));
});
