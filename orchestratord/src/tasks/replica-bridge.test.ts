import type { Command } from '@llama-orch/orchestrator-core';
import type { PoolEvent, PoolManager, ReplicaSnapshot } from '@llama-orch/pool-managerd';
import { expect, test, vi } from 'vitest';
import type { Logger } from '../logging.ts';
import { createMetrics } from '../metrics/metrics.ts';
import { ReplicaBridge } from './replica-bridge.ts';

function setUp() {
  const warn = vi.fn();
  const state = { unmatched: 0, taken: false, running: 0 };
  let tell: (event: PoolEvent) => void = () => undefined;
  const pools: Partial<PoolManager> = {
    start: () => undefined,
    subscribe: (listener) => {
      tell = listener;
      return () => undefined;
    },
    acquire: (replicaId, holder) => {
      if (state.taken) return undefined;
      state.taken = true;
      return { replicaId, holder, token: 1, expiresAtMs: Infinity };
    },
    release: () => void (state.taken = false),
    health: () => ({ recoverable: true }) as ReturnType<PoolManager['health']>,
  };
  const commands: Command[] = [];
  const metrics = createMetrics();
  const bridge = new ReplicaBridge({
    pools: pools as PoolManager,
    command: (command) => commands.push(command),
    holder: 'h',
    renewEveryMs: 1_000,
    labelsOf: () => ({}),
    unmatchedIn: () => state.unmatched,
    isInterruptible: () => true,
    clock: { now: () => 0, setTimer: () => () => undefined },
    metrics,
    log: { warn, info: () => undefined } as unknown as Logger,
    onGone: () => undefined,
    runningOn: () => state.running,
  });
  bridge.start();
  const told = async (unmatched: number): Promise<number> => {
    state.unmatched = unmatched;
    const replica = { poolId: 'p', replicaId: 'p-0', state: 'failed' } as ReplicaSnapshot;
    tell({ type: 'replica-gone', crashed: false, replica });
    await Promise.resolve();
    return warn.mock.calls.length;
  };
  const show = (fields: Partial<ReplicaSnapshot>): void => {
    const replica = { poolId: 'p', replicaId: 'p-0', setId: 's', ...fields } as ReplicaSnapshot;
    tell({ type: 'replica', replica });
  };
  return {
    warn,
    told,
    show,
    tell: (event: PoolEvent) => tell(event),
    bridge,
    state,
    commands,
    metrics,
  };
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

test('OC-CTRL-2087 the lease on a draining replica is given back once nothing runs there', () => {
  const { show, bridge, state } = setUp();
  show({ state: 'ready' });
  expect(state.taken).toBe(true);
  state.running = 2;
  show({ state: 'draining' });
  expect(state.taken).toBe(true);
  state.running = 1;
  bridge.attemptOver('p-0');
  expect(state.taken).toBe(true);
  state.running = 0;
  bridge.attemptOver('p-0');
  expect(state.taken).toBe(false);
  expect(bridge.leaseOf('p-0')).toBeUndefined();
});

test('OC-CTRL-2087 a replica that works keeps its lease when nothing runs, and one that comes back gets one', () => {
  const { show, bridge, state } = setUp();
  show({ state: 'ready' });
  bridge.attemptOver('p-0');
  expect(state.taken).toBe(true);
  show({ state: 'draining' });
  expect(state.taken).toBe(false);
  show({ state: 'ready' });
  expect(state.taken).toBe(true);
  // It may be retired while it is unready, of which nobody would hear.
  show({ state: 'unready' });
  expect(state.taken).toBe(false);
});

test('ORCH-3033 the core is told which replicas are canaries, and for which share', () => {
  const { show, commands } = setUp();
  show({ state: 'ready', canaryPercent: 10 });
  expect(commands.find(({ type }) => type === 'replica-set')).toMatchObject({
    replica: { replicaId: 'p-0', canaryPercent: 10 },
  });
});

test('ORCH-3053 a restart for a driver error counts for the device too', async () => {
  const { tell, metrics } = setUp();
  const replica = { poolId: 'p', replicaId: 'p-0', engine: 'llamacpp', device: 'cuda:0' };
  for (const reason of ['driver', 'exit']) {
    tell({ type: 'restart', replica: replica as ReplicaSnapshot, reason, delayMs: 1 });
  }
  expect((await metrics.driverResets.get()).values).toMatchObject([
    { labels: { pool_id: 'p', device: 'cuda:0' }, value: 1 },
  ]);
  expect((await metrics.replicaRestarts.get()).values).toHaveLength(2);
});
