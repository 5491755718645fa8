import type { ReplicaSnapshot } from '@llama-orch/pool-managerd';
import { expect, test } from 'vitest';
import { showGpus } from './gpu-metrics.ts';
import { createMetrics } from './metrics.ts';

test('OC-METRICS-7123 each GPU of a replica has its series, as long as the replica shows it', async () => {
  const metrics = createMetrics();
  const series = async (name: string) =>
    (await metrics.registry.getSingleMetric(name)?.get())?.values;
  const replica = {
    engine: 'llamacpp',
    engineVersion: 'b1',
    poolId: 'p',
    replicaId: 'p-0',
    gpus: [
      { device: 'cuda:0', usedBytes: 5, utilization: 70 },
      { device: 'cuda:1', usedBytes: 6, utilization: undefined },
    ],
  } as unknown as ReplicaSnapshot;
  const labels = { engine: 'llamacpp', engine_version: 'b1', pool_id: 'p', replica_id: 'p-0' };
  showGpus(metrics, [replica]);
  expect(await series('vram_used_bytes')).toEqual([
    { labels: { ...labels, device: 'cuda:0' }, value: 5 },
    { labels: { ...labels, device: 'cuda:1' }, value: 6 },
  ]);
  expect(await series('gpu_utilization')).toEqual([
    { labels: { ...labels, device: 'cuda:0' }, value: 70 },
  ]);
  showGpus(metrics, []);
  expect(await series('vram_used_bytes')).toEqual([]);
});
