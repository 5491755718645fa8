import type { PoolEvent, PoolManager, ReplicaSnapshot } from '@llama-orch/pool-managerd';
import { expect, test, vi } from 'vitest';
import type { Logger } from '../logging.ts';
import { createMetrics } from '../metrics/metrics.ts';
import { ReplicaBridge } from './replica-bridge.ts';

function setUp() {
  const warn = vi.fn();
  let tell: (event: PoolEvent) => void = () => undefined;
  const pools: Partial<PoolManager> = {
    start: () => undefined,
    subscribe: (listener) => {
      tell = listener;
      return () => undefined;
    },
    acquire: () => undefined,
    health: () => ({ recoverable: true }) as ReturnType<PoolManager['health']>,
  };
  const state = { unmatched: 0 };
  const bridge = new ReplicaBridge({
    pools: pools as PoolManager,
    command: () => undefined,
    holder: 'h',
    renewEveryMs: 1_000,
    labelsOf: () => ({}),
    unmatchedIn: () => state.unmatched,
    isInterruptible: () => true,
    clock: { now: () => 0, setTimer: () => () => undefined },
    metrics: createMetrics(),
    log: { warn, info: () => undefined } as unknown as Logger,
    onGone: () => undefined,
  });
  bridge.start();
  const told = async (unmatched: number): Promise<number> => {
    state.unmatched = unmatched;
    const replica = { poolId: 'p', replicaId: 'p-0', state: 'failed' } as ReplicaSnapshot;
    tell({ type: 'replica-gone', replica });
    await Promise.resolve();
    return warn.mock.calls.length;
  };
  return { warn, told };
}

test('OC-CTRL-2086 a replica that leaves tasks without any that fits them is warned of, once for each number', async () => {
  const { warn, told } = setUp();
  expect(await told(0)).toBe(0);
  expect(await told(3)).toBe(1);
  expect(warn).toHaveBeenCalledWith({ pool_id: 'p', tasks: 3 }, expect.any(String));
  expect(await told(3)).toBe(1);
  expect(await told(0)).toBe(1);
  expect(await told(2)).toBe(2);
});
