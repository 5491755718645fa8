/** Two models on a host whose device holds one: loaded by the tasks that ask for them. */
import { expect, test, vi } from 'vitest';
import { CutProxy } from '../src/cut-proxy.ts';
import { startDaemon, type DaemonProcess } from '../src/daemon-process.ts';
import { startHost, type HostConfigInput } from '../src/host-process.ts';
import { simulatorPool, type PoolInput } from '../src/temp-config.ts';

const STARTS_MS = 60_000;
vi.setConfig({ testTimeout: 3 * STARTS_MS, hookTimeout: STARTS_MS });

const MODELS = ['alpha', 'beta'] as const;

const turnsOf = (id: string): PoolInput => ({
  id,
  launch: 'remote',
  determinism: 'exact',
  host_id: 'gpu-a',
  model: { id },
  keep_alive_ms: -1,
  swap: { min_residency_ms: 0, load_ms: 300 },
});

function hostOf(url: string): HostConfigInput {
  const pools = MODELS.map((name) => {
    const flags = ['--tokens', '8', '--token-delay-ms', '5', '--loading-ms', '100'];
    const { id, launch, model, command, ctx, restart } = simulatorPool(flags, {
      id: name,
      model: { id: name },
    });
    return { id, launch, model, command, ctx, restart, replicas: 1, on_demand: true };
  });
  return {
    host_id: 'gpu-a',
    orchestrator: { url },
    lease_ttl_ms: 1_500,
    pools: pools as NonNullable<HostConfigInput['pools']>,
  };
}

async function loadedIn({ client }: DaemonProcess): Promise<readonly string[]> {
  const all = await Promise.all(MODELS.map((id) => client.poolHealth(id)));
  return all.flatMap(({ pool_id, replicas }) => (replicas.length > 0 ? [pool_id] : []));
}

test('OC-POOL-3136 pools of one host take turns on its device, also after either side has restarted', async () => {
  await using daemon = await startDaemon({ config: { pools: MODELS.map(turnsOf) } });
  await using front = await new CutProxy(() => daemon.url).listen();
  // Asked for before there is any host.
  const early = await daemon.client.postStream({ prompt: 'early', model_ref: 'alpha' });
  await using host = await startHost(hostOf(front.url));
  expect((await early.toEnd()).event).toBe('end');

  let mostAtOnce = 0;
  let isOver = false;
  const watch = (async () => {
    while (!isOver) mostAtOnce = Math.max(mostAtOnce, (await loadedIn(daemon)).length);
  })();
  const streams = await Promise.all(
    Array.from({ length: 8 }, (_, n) =>
      daemon.client.run({ prompt: 'p', model_ref: MODELS[n % 2] ?? 'alpha' }),
    ),
  );
  isOver = true;
  await watch;
  for (const stream of streams) expect(stream.terminal?.event).toBe('end');
  expect(mostAtOnce).toBe(1);

  const serveBoth = async (): Promise<void> => {
    for (const model_ref of MODELS) {
      const stream = await daemon.client.run({ prompt: 'again', model_ref });
      expect(stream.terminal?.event).toBe('end');
    }
  };
  await host.kill9();
  await host.start();
  await serveBoth();
  await daemon.kill9();
  await daemon.restart();
  await serveBoth();
  expect(await loadedIn(daemon)).toHaveLength(1);
});
