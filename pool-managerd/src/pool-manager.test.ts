import { OrchError } from '@llama-orch/contracts';
import { describe, expect, test } from 'vitest';
import { settle } from '../testing/virtual-clock.ts';
import { startFakePool } from '../testing/fake-pool.ts';
import type { PoolEvent } from './types.ts';

const ENDPOINT = { launch: 'external', endpoints: ['http://10.0.0.1:8080/'] } as const;

function ofType<T extends PoolEvent['type']>(events: readonly PoolEvent[], type: T) {
  return events.filter((event): event is Extract<PoolEvent, { type: T }> => event.type === type);
}

describe('preload', () => {
  test('ORCH-3002 ORCH-3049 a replica is ready after load and self-test, and says what it runs', async () => {
    await using pool = startFakePool({ replicas: 2 });
    await settle();
    expect(pool.manager.replicas('default')).toMatchObject([
      {
        replicaId: 'default-0',
        state: 'ready',
        engineVersion: 'b1-fake',
        modelDigest: 'sha256:abc',
        quant: 'Q4_0',
        ctx: 1024,
        slots: 1,
        pid: 1,
        url: 'http://127.0.0.1:9001',
      },
      { replicaId: 'default-1', state: 'ready', pid: 2 },
    ]);
    expect(ofType(pool.events, 'preload').map(({ outcome }) => outcome)).toEqual(['ok', 'ok']);
  });

  test('ORCH-3007 replicas of one pinned tuple form one set, another profile another', async () => {
    await using one = startFakePool({ replicas: 2 });
    await using other = startFakePool({ samplerProfileVersion: 'v2' });
    await settle();
    const sets = [...one.manager.replicas('default'), ...other.manager.replicas('default')];
    expect(sets[0]?.setId).toMatch(/^[0-9a-f]{12}$/);
    expect(sets[1]?.setId).toBe(sets[0]?.setId);
    expect(sets[2]?.setId).not.toBe(sets[0]?.setId);
  });

  test('OC-POOL-3002 an engine that offers less context than configured has failed, and says so', async () => {
    await using pool = startFakePool({}, { props: { ctx: 512 } });
    await settle();
    expect(pool.state()).toBe('failed');
    expect(pool.manager.health('default')).toMatchObject({
      ready: false,
      recoverable: false,
      lastError: 'the engine offers a context of 512 tokens per slot, configured are 1024',
    });
  });

  test('a model that does not load in time is started again', async () => {
    await using pool = startFakePool({ loadMs: 3000 }, { health: { state: 'loading' } });
    await pool.clock.advance(2999);
    expect(pool.state()).toBe('loading');
    expect(pool.manager.health('default')).toMatchObject({ live: true, ready: false });
    pool.engine.behaviour.health = { state: 'ready' };
    await pool.clock.advance(0);
    await pool.clock.advance(500);
    expect(pool.state()).toBe('ready');
    expect(ofType(pool.events, 'restart')).toMatchObject([{ reason: 'load-timeout' }]);
  });

  test('a cancelled slot that stays busy fails the self-test', async () => {
    await using pool = startFakePool({ selfTestMs: 1000 }, { leakSlots: true });
    await pool.clock.advance(1000);
    expect(pool.state()).toBe('backoff');
    expect(pool.manager.replicas('default')[0]?.lastError).toContain('within 1000 ms');
  });

  test('OC-POOL-3004 what the engine tells of its KV and its steps is passed on', async () => {
    const props = { kvTokens: 65_536, chunkTokens: 2_048 };
    await using pool = startFakePool({}, { props });
    await pool.clock.advance(0);
    expect(pool.manager.replicas('default')[0]).toMatchObject(props);
  });

  test('OC-POOL-3001 a server that only chats is tested in chat', async () => {
    await using pool = startFakePool({}, { decode: 'chat-only' });
    await pool.clock.advance(0);
    expect(pool.state()).toBe('ready');
  });

  test('OC-POOL-3001 a pool that embeds is not asked for text', async () => {
    await using pool = startFakePool({ workloads: ['embedding', 'rerank'] }, { decode: 'broken' });
    await pool.clock.advance(0);
    expect(pool.state()).toBe('ready');
  });

  test('OC-POOL-3006 a read of the state never waits for a starting replica', () => {
    const pool = startFakePool({}, { health: 'silent' });
    expect(pool.state()).toBe('starting');
  });
});

describe('a replica that breaks', () => {
  test('OC-POOL-3010 a process that exits is replaced, and its lease is fenced', async () => {
    await using pool = startFakePool();
    await settle();
    const lease = pool.manager.acquire('default-0', 'core')!;
    pool.engine.spawned[0]!.exit(139);
    await settle();
    expect(pool.state()).toBe('backoff');
    expect(pool.engine.adapters[0]!.closed).toBe(true);
    expect(pool.manager.renew(lease)).toBeUndefined();
    expect(ofType(pool.events, 'replica-gone')).toMatchObject([{ replica: { state: 'backoff' } }]);
    await pool.clock.advance(125);
    expect(pool.manager.replicas('default')[0]).toMatchObject({
      state: 'ready',
      restarts: 1,
      pid: 2,
      lastError: 'the engine exited with code 139',
    });
    expect(() => pool.manager.use(lease)).toThrow(OrchError);
    expect(pool.manager.acquire('default-0', 'core')!.token).toBeGreaterThan(lease.token);
  });

  test('OC-POOL-3023 output is quoted only for an engine that never served', async () => {
    await using pool = startFakePool({}, { health: { state: 'loading' } });
    await settle();
    pool.engine.spawned[0]!.exit(1);
    await settle();
    expect(pool.manager.replicas('default')[0]?.lastError).toBe(
      'the engine exited with code 1: the last line of output',
    );
  });

  test('OC-POOL-3014 OC-POOL-3015 a hung process that ignores SIGTERM is killed before the next one starts', async () => {
    await using pool = startFakePool({ hungCheckMs: 300, killGraceMs: 700 });
    await settle();
    Object.assign(pool.engine.behaviour, { decode: 'silent', ignoresTerm: true });
    pool.manager.suspect('default-0', 'hung', 'no token for 5000 ms');
    expect(pool.state()).toBe('unready');
    await pool.clock.advance(300);
    expect(pool.state()).toBe('backoff');
    pool.engine.behaviour.decode = 'ok';
    await pool.clock.advance(699);
    expect(pool.engine.spawned).toHaveLength(1);
    await pool.clock.advance(1);
    expect(pool.engine.spawned[0]!.signals).toEqual(['SIGTERM', 'SIGKILL']);
    expect(pool.engine.spawned).toHaveLength(2);
    expect(pool.state()).toBe('ready');
    expect(ofType(pool.events, 'restart')).toMatchObject([{ reason: 'hung' }]);
  });

  test('a replica wrongly suspected of hanging goes on with its process', async () => {
    await using pool = startFakePool();
    await settle();
    pool.manager.suspect('default-0', 'hung', 'no token for 5000 ms');
    await pool.clock.advance(0);
    expect(pool.manager.replicas('default')[0]).toMatchObject({ state: 'ready', restarts: 0 });
  });

  test('OC-POOL-3013 an engine that stops answering is unready within two probes and replaced after four', async () => {
    await using pool = startFakePool({
      probe: { intervalMs: 1000, unreadyIntervalMs: 100, timeoutMs: 200 },
    });
    await settle();
    pool.engine.behaviour.health = 'silent';
    await pool.clock.advance(2399);
    expect(pool.state()).toBe('ready');
    await pool.clock.advance(1);
    expect(pool.state()).toBe('unready');
    await pool.clock.advance(600);
    expect(pool.state()).toBe('backoff');
    expect(ofType(pool.events, 'restart')).toMatchObject([{ reason: 'probe' }]);
  });

  test('ORCH-3018 when every replica has spent its restarts the pool cannot recover by itself', async () => {
    await using pool = startFakePool({ restart: { maxInWindow: 2 } }, { decode: 'broken' });
    await pool.clock.advance(60_000);
    expect(pool.state()).toBe('failed');
    expect(pool.engine.spawned).toHaveLength(3);
    expect(pool.manager.health('default')).toMatchObject({ live: false, recoverable: false });
    pool.engine.behaviour.decode = 'ok';
    pool.manager.undrain('default');
    await settle();
    expect(pool.state()).toBe('ready');
  });

  test('ORCH-3053 a pool whose replicas all keep dying starts no more engines than its storm bound, and is soon back', async () => {
    const restart = { stormMax: 6, windowMs: 60_000, maxInWindow: 100, openAfter: 100 };
    await using pool = startFakePool({ replicas: 4, restart }, { decode: 'broken' });
    await pool.clock.advance(60_000);
    const started = pool.engine.spawned.length;
    expect(started).toBeGreaterThan(4 + 6);
    expect(started).toBeLessThanOrEqual(4 + 6 + 60_000 / (60_000 / 6));
    pool.engine.behaviour.decode = 'ok';
    await pool.clock.advance(60_000 / 6);
    expect(pool.manager.health('default').ready).toBe(true);
  });
});

test('OC-POOL-3014 one doubt after the other does not keep the first from being settled', async () => {
  await using pool = startFakePool();
  await settle();
  pool.engine.behaviour.health = 'silent';
  for (let doubt = 0; doubt < 5; doubt++) {
    pool.manager.suspect('default-0', 'connection', 'reset');
    await pool.clock.advance(500);
  }
  expect(pool.state()).toBe('unready');
});

describe('an external endpoint', () => {
  test('OC-POOL-3012 OC-POOL-3016 is probed until it comes up, and never spawned or killed', async () => {
    await using pool = startFakePool(ENDPOINT, { health: { state: 'down', reason: 'refused' } });
    await pool.clock.advance(600_000);
    expect(pool.manager.health('default')).toMatchObject({
      live: false,
      ready: false,
      recoverable: true,
      lastError: 'probe: refused',
    });
    expect(pool.state()).toBe('unready');
    pool.engine.behaviour.health = { state: 'ready' };
    await pool.clock.advance(30_000);
    expect(pool.manager.replicas('default')[0]).toMatchObject({
      state: 'ready',
      url: 'http://10.0.0.1:8080',
      pid: undefined,
      restarts: 0,
    });
    expect(pool.engine.spawned).toHaveLength(0);
  });

  test('that hangs loses its lease and must produce a token before it is used again', async () => {
    await using pool = startFakePool({ ...ENDPOINT, hungCheckMs: 300, selfTestMs: 1000 });
    await settle();
    const lease = pool.manager.acquire('default-0', 'core')!;
    pool.engine.behaviour.decode = 'silent';
    pool.manager.suspect('default-0', 'hung', 'no token for 5000 ms');
    expect(pool.manager.renew(lease)).toBeDefined();
    await pool.clock.advance(300);
    expect(pool.state()).toBe('unready');
    expect(ofType(pool.events, 'replica-gone')).toHaveLength(1);
    expect(pool.manager.renew(lease)).toBeUndefined();
    await pool.clock.advance(60_000);
    expect(pool.states()).not.toContain('failed');
    pool.engine.behaviour.decode = 'ok';
    await pool.clock.advance(31_000);
    expect(pool.state()).toBe('ready');
  });

  test('that speaks garbage must pass the self-test again', async () => {
    await using pool = startFakePool(ENDPOINT);
    await settle();
    pool.manager.suspect('default-0', 'garbage', 'not JSON');
    expect(pool.state()).toBe('unready');
    await pool.clock.advance(125);
    expect(pool.states().slice(-3)).toEqual(['unready', 'self-test', 'ready']);
  });
});

describe('leases', () => {
  test('OC-POOL-3042 a lease is needed to dispatch and ends by itself', async () => {
    await using pool = startFakePool({}, {}, { leaseTtlMs: 1000 });
    expect(pool.manager.acquire('default-0', 'core')).toBeUndefined();
    await settle();
    const lease = pool.manager.acquire('default-0', 'core')!;
    expect(pool.manager.use(lease).adapter.url).toBe('http://127.0.0.1:9001');
    expect(pool.manager.acquire('default-0', 'other')).toBeUndefined();
    await pool.clock.advance(900);
    expect(pool.manager.renew(lease)).toBeDefined();
    await pool.clock.advance(900);
    expect(pool.manager.use(lease)).toBeDefined();
    await pool.clock.advance(100);
    expect(() => pool.manager.use(lease)).toThrow(
      expect.objectContaining({ kind: 'POOL_UNREADY', poolId: 'default' }),
    );
    expect(ofType(pool.events, 'lease').map(({ event }) => event)).toEqual([
      'granted',
      'renewed',
      'expired',
    ]);
  });

  test('a drained replica is not used, and undrain brings it back without a restart', async () => {
    await using pool = startFakePool();
    await settle();
    const lease = pool.manager.acquire('default-0', 'core')!;
    pool.manager.drain('default');
    expect(pool.manager.health('default')).toMatchObject({
      live: true,
      ready: false,
      draining: true,
      recoverable: true,
    });
    expect(() => pool.manager.use(lease)).toThrow('is not ready');
    pool.manager.undrain('default');
    expect(pool.manager.use(lease).snapshot).toMatchObject({ state: 'ready', restarts: 0 });
  });

  test('a handle carries the learned envelope', async () => {
    await using pool = startFakePool();
    await settle();
    const lease = pool.manager.acquire('default-0', 'core')!;
    expect(pool.manager.use(lease).envelope).toEqual({ prefix: '<user>', suffix: '<assistant>' });
  });
});

describe('stopping', () => {
  test('OC-POOL-3024 waits for every process, kills what outlasts the grace, and leaves no timer behind', async () => {
    const pool = startFakePool({ replicas: 2 }, { ignoresTerm: true });
    await settle();
    pool.manager.acquire('default-0', 'core');
    let done = false;
    const stopped = pool.manager.stop(500).then(() => (done = true));
    await pool.clock.advance(499);
    expect(done).toBe(false);
    await pool.clock.advance(1);
    await stopped;
    expect(pool.engine.spawned.map(({ signals }) => signals)).toEqual([
      ['SIGTERM', 'SIGKILL'],
      ['SIGTERM', 'SIGKILL'],
    ]);
    expect(pool.clock.pending).toBe(0);
    expect(pool.manager.health('default')).toMatchObject({ live: false, recoverable: false });
  });

  test('is safe before start, twice, and during a start', async () => {
    const pool = startFakePool();
    const [first, second] = [pool.manager.stop(10), pool.manager.stop(10)];
    await pool.clock.advance(10);
    await Promise.all([first, second]);
    pool.manager.start();
    await settle();
    expect(pool.state()).toBe('stopped');
    expect(pool.engine.spawned).toHaveLength(0);
  });
});

test('a listener that throws or calls back does not disturb the replica', async () => {
  await using pool = startFakePool();
  pool.manager.subscribe(() => {
    throw new Error('listener');
  });
  const drained: string[] = [];
  pool.manager.subscribe((event) => {
    if (event.type !== 'replica' || event.replica.state !== 'ready') return;
    pool.manager.drain('default');
    drained.push(event.replica.state);
  });
  await settle();
  expect(drained).toEqual(['ready']);
  expect(pool.states().slice(-2)).toEqual(['ready', 'draining']);
});
