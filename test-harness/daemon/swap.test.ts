/** Three models on a device that holds one: loaded by the tasks that ask for them. */
import { describe, expect, test, vi } from 'vitest';
import { startDaemon } from '../src/daemon-process.ts';
import { simulatorPool } from '../src/temp-config.ts';
import type { PoolInput } from '../src/temp-config.ts';
import { waitFor } from '../src/wait-for.ts';

const STARTS_MS = 60_000;
vi.setConfig({ testTimeout: 3 * STARTS_MS, hookTimeout: STARTS_MS });

const MODELS = ['alpha', 'beta', 'gamma'] as const;

const sharedPool = (id: string, overrides: PoolInput = {}): PoolInput =>
  simulatorPool(['--tokens', '8', '--token-delay-ms', '5', '--loading-ms', '100'], {
    id,
    model: { id },
    keep_alive_ms: -1,
    swap: { min_residency_ms: 0, load_ms: 300 },
    ...overrides,
  });

describe('OC-CORE-1121 OC-POOL-3050 pools that share a device', () => {
  test('nothing is loaded until a task asks for it, and never two at once', async () => {
    await using daemon = await startDaemon({
      config: { pools: MODELS.map((id) => sharedPool(id)) },
    });
    const { client } = daemon;
    const loaded = async () => {
      const all = await Promise.all(MODELS.map((id) => client.poolHealth(id)));
      return all.flatMap(({ pool_id, replicas }) => (replicas.length > 0 ? [pool_id] : []));
    };
    expect(await loaded()).toEqual([]);
    expect((await client.send('GET', '/readyz')).status).toBe(200);

    let mostAtOnce = 0;
    let isOver = false;
    const watch = (async () => {
      while (!isOver) mostAtOnce = Math.max(mostAtOnce, (await loaded()).length);
    })();
    const asked = Array.from({ length: 12 }, (_, n) => MODELS[n % 3] ?? 'alpha');
    const streams = await Promise.all(
      asked.map((model_ref) => client.run({ prompt: 'p', model_ref })),
    );
    isOver = true;
    await watch;
    for (const stream of streams) expect(stream.terminal?.event).toBe('end');
    expect(mostAtOnce).toBe(1);
  });

  test('what a task is told includes the load, and why it waits', async () => {
    await using daemon = await startDaemon({
      config: {
        pools: [
          sharedPool('alpha', { swap: { min_residency_ms: 0, load_ms: 7_000 } }),
          sharedPool('beta'),
        ],
      },
    });
    const { client } = daemon;
    const admitted = await client.admit({ prompt: 'p', model_ref: 'alpha' });
    expect(admitted.predicted_start_ms).toBeGreaterThan(6_000);
    const { task_id: taskId } = admitted;
    const now = await client.call('explainTask', { path: [taskId] });
    expect(now.text).toContain('its model is not loaded');
    await client.untilEnded(taskId, STARTS_MS);
    const after = await client.call('explainTask', { path: [taskId] });
    expect(after.text).toContain('its model was not loaded');
  });

  test('a pool that nobody asks for is unloaded after its keep-alive, and comes back for the next task', async () => {
    await using daemon = await startDaemon({
      config: { pools: [sharedPool('alpha', { keep_alive_ms: 200 })] },
    });
    const { client } = daemon;
    for (let turn = 0; turn < 2; turn++) {
      const stream = await client.run({ prompt: 'p' });
      expect(stream.terminal?.event).toBe('end');
      await waitFor('the unload', async () => {
        const health = await client.poolHealth('alpha');
        return health.replicas.length === 0 && health.loaded === false;
      });
    }
  });
});
