import type { Command } from '@llama-orch/orchestrator-core';
import type { PoolEvent, PoolManager, ReplicaSnapshot } from '@llama-orch/pool-managerd';
import { describe, expect, test, vi } from 'vitest';
import type { Logger } from '../logging.ts';
import { createMetrics } from '../metrics/metrics.ts';
import type { RestoredCache } from './kv-keeper.ts';
import { ReplicaBridge } from './replica-bridge.ts';

const RESTORED: RestoredCache = { sessions: [{ sessionId: 'x', kvTokens: 7 }], prefixes: [] };

function setUp() {
  const warn = vi.fn();
  const state = { unmatched: 0, taken: false, running: 0, token: 0, renewals: 0 };
  const shown = new Map<string, ReplicaSnapshot>();
  /** Ends the restore that goes on; undefined while none does. */
  const restoring: { end: (() => void) | undefined } = { end: undefined };
  const saved = new Set<string>();
  /** What the next renewal of leases does; it is put here anew by each. */
  const renewal = { run: (): void => undefined };
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
      state.token += 1;
      return { replicaId, holder, token: state.token, expiresAtMs: Infinity };
    },
    renew: (lease) => {
      state.renewals += 1;
      return lease.token === state.token ? lease : undefined;
    },
    release: () => void (state.taken = false),
    replicas: () => [...shown.values()],
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
    isStrictAlone: () => false,
    unmatchedIn: () => state.unmatched,
    isInterruptible: () => true,
    clock: {
      now: () => 0,
      setTimer: (_ms, run) => {
        renewal.run = run;
        return () => undefined;
      },
    },
    metrics,
    log: { warn, info: () => undefined } as unknown as Logger,
    restoreCache: ({ replicaId }) => {
      if (!saved.delete(replicaId)) return undefined;
      const { promise, resolve } = Promise.withResolvers<RestoredCache>();
      restoring.end = () => resolve(RESTORED);
      return promise;
    },
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
    shown.set(replica.replicaId, replica);
    tell({ type: 'replica', replica });
  };
  const lose = (): void => {
    state.taken = false;
    const replica = { poolId: 'p', replicaId: 'p-0', state: 'backoff' } as ReplicaSnapshot;
    tell({ type: 'replica-gone', crashed: true, replica });
  };
  /** What the core was told last. */
  const last = (): unknown => commands.at(-1);
  return {
    saved,
    renewal,
    restoring,
    lose,
    last,
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

test('OC-POOL-3040 a lease is renewed for as long as it is held', () => {
  const { show, bridge, renewal, state, warn } = setUp();
  show({ state: 'ready' });
  const lease = bridge.leaseOf('p-0');
  for (let n = 0; n < 3; n += 1) renewal.run();
  expect(state.renewals).toBe(3);
  expect(bridge.leaseOf('p-0')?.token).toBe(lease?.token);
  expect(warn).not.toHaveBeenCalled();
});

test('OC-POOL-3040 a lease that was lost is asked for anew, and until it is ours the replica takes nothing', () => {
  const { show, bridge, renewal, state, commands, warn } = setUp();
  show({ state: 'ready' });
  const isReady = (): unknown =>
    commands.flatMap((each) => (each.type === 'replica-set' ? each.replica.ready : [])).at(-1);
  expect(isReady()).toBe(true);
  // Another has it.
  state.token += 1;
  renewal.run();
  expect(warn).toHaveBeenCalledWith({ replica_id: 'p-0' }, 'a lease was lost');
  expect(bridge.leaseOf('p-0')).toBeUndefined();
  expect(isReady()).toBe(false);
  state.taken = false;
  renewal.run();
  expect(bridge.leaseOf('p-0')?.token).toBe(3);
  expect(isReady()).toBe(true);
  expect(warn).toHaveBeenCalledTimes(1);
});

test('ORCH-3033 the core is told which replicas are canaries, and for which share', () => {
  const { show, commands } = setUp();
  show({ state: 'ready', canaryPercent: 10 });
  expect(commands.find(({ type }) => type === 'replica-set')).toMatchObject({
    replica: { replicaId: 'p-0', canaryPercent: 10 },
  });
});

test('ORCH-3020 the core is told how much KV the slots of a replica share, and how long its steps are', () => {
  const { show, commands } = setUp();
  const told = { kvTokens: 65_536, chunkTokens: 2_048 };
  show({ state: 'ready', ...told });
  expect(commands.find(({ type }) => type === 'replica-set')).toMatchObject({ replica: told });
});

test('ORCH-3053 a restart for a driver error counts for the device too', async () => {
  const { tell, metrics } = setUp();
  const replica = { poolId: 'p', replicaId: 'p-0', engine: 'llamacpp', device: 'cuda:0' };
  for (const reason of ['driver', 'exit']) {
    tell({ type: 'restart', replica: replica as ReplicaSnapshot, reason, delayMs: 1 });
  }
  const series = async (name: string) =>
    (await metrics.registry.getSingleMetric(name)?.get())?.values;
  expect(await series('driver_resets_total')).toMatchObject([
    { labels: { pool_id: 'p', device: 'cuda:0' }, value: 1 },
  ]);
  expect(await series('replica_restarts_total')).toHaveLength(2);
});

test('OC-METRICS-7127 what alerts look for is 0 from the first replica on', async () => {
  const { show, metrics } = setUp();
  show({ state: 'starting', engine: 'llamacpp', device: 'cuda:0' });
  const text = await metrics.registry.metrics();
  for (const series of [
    'preload_outcomes_total{engine="llamacpp",pool_id="p",outcome="failed"} 0',
    'lease_events_total{pool_id="p",event="expired"} 0',
    'driver_resets_total{pool_id="p",device="cuda:0"} 0',
  ]) {
    expect(text).toContain(series);
  }
});

describe('OC-CTRL-2088 a replica of which something was saved', () => {
  const ofType = (commands: readonly Command[], type: Command['type']) =>
    commands.filter((command) => command.type === type);
  const unready = { type: 'replica-set', replica: { ready: false } };
  const ready = { type: 'replica-set', replica: { ready: true } };

  test('is told as ready when it has that back, and not before', async () => {
    const { show, saved, restoring, commands, last } = setUp();
    saved.add('p-0');
    show({ state: 'ready' });
    show({ state: 'ready' });
    expect(ofType(commands, 'replica-set')).toMatchObject([unready, unready]);
    restoring.end?.();
    await Promise.resolve();
    expect(commands.slice(-2)).toMatchObject([
      { type: 'cache-restored', poolId: 'p', replicaId: 'p-0', ...RESTORED },
      ready,
    ]);
    show({ state: 'ready' });
    expect(last()).toMatchObject(ready);
    expect(ofType(commands, 'cache-restored')).toHaveLength(1);
  });

  test('has nothing back when it was lost meanwhile, also when another has come up', async () => {
    const { show, saved, restoring, commands, lose, last } = setUp();
    saved.add('p-0');
    show({ state: 'ready' });
    lose();
    show({ state: 'ready' });
    expect(last()).toMatchObject(unready);
    restoring.end?.();
    await Promise.resolve();
    expect(last()).toMatchObject(ready);
    expect(ofType(commands, 'cache-restored')).toEqual([]);
  });

  test('stays unready when the daemon is about to stop', async () => {
    const { show, saved, restoring, bridge, commands, last } = setUp();
    saved.add('p-0');
    show({ state: 'ready' });
    bridge.freeze(['p']);
    restoring.end?.();
    await Promise.resolve();
    expect(last()).toMatchObject(unready);
    expect(ofType(commands, 'cache-restored')).toHaveLength(1);
  });
});
