/** Replicas that come and go on command, on virtual time. */
import { OrchError } from '@llama-orch/contracts';
import { describe, expect, test } from 'vitest';
import { openFakePool, SILENT, startFakePool } from '../testing/fake-pool.ts';
import type { FakePool } from '../testing/fake-pool.ts';
import { settle } from '../testing/virtual-clock.ts';
import type { MemoryReading } from './memory-probe.ts';
import type { ModelTarget } from './types.ts';

const NEXT: ModelTarget = {
  modelId: 'next',
  modelPath: '/models/next.gguf',
  modelDigest: undefined,
};
/** Each file has a digest of its own. */
const readModelFacts = (path: string) =>
  Promise.resolve({ digest: `sha256:${path}`, quant: '', kvBytesPerToken: 0 });
const BAD: ModelTarget = { ...NEXT, modelDigest: 'sha256:other' };
const OPTIONS = { readModelFacts };

function shown({ manager }: FakePool): readonly string[] {
  return manager
    .replicas('default')
    .map(({ replicaId, modelId, state }) => `${replicaId} ${modelId} ${state}`);
}

/** Room for one engine at a time: what the others have taken is gone. */
function roomForOne(pool: () => FakePool, bytes: number) {
  const read = (): Promise<MemoryReading> => {
    const running = pool().engine.spawned.filter(({ signals }) => signals.length === 0).length;
    return Promise.resolve({ hostFreeBytes: (1 - running) * bytes, gpus: undefined });
  };
  return { read, oomKills: () => undefined };
}

describe('ORCH-2102 reload', () => {
  test('ORCH-3001 OC-POOL-3031 brings up the new model beside the old, one replica at a time', async () => {
    await using pool = startFakePool({ replicas: 2 }, {}, OPTIONS);
    await settle();
    const [before] = pool.manager.replicas('default');
    pool.engine.behaviour.health = { state: 'loading' };
    pool.manager.reload('default', NEXT);
    await settle();
    expect(shown(pool)).toEqual([
      'default-0 tiny ready',
      'default-1 tiny ready',
      'default-0.1 next loading',
    ]);
    expect(pool.manager.health('default').change).toMatchObject({
      kind: 'reload',
      modelId: 'next',
    });
    pool.engine.behaviour.health = { state: 'ready' };
    await pool.clock.advance(2000);
    expect(shown(pool)).toEqual(['default-0.1 next ready', 'default-1.1 next ready']);
    expect(pool.manager.replicas('default').map(({ ordinal }) => ordinal)).toEqual([0, 1]);
    expect(pool.manager.replicas('default')[0]?.setId).not.toBe(before?.setId);
    expect(pool.manager.health('default')).toMatchObject({ change: undefined, ready: true });
    expect(pool.engine.spawned).toHaveLength(4);
  });

  test('OC-POOL-3031 an old replica finishes what runs on it, as long as there is time', async () => {
    await using pool = startFakePool({ retireMs: 5000 }, {}, { ...OPTIONS, leaseTtlMs: 600_000 });
    await settle();
    const lease = pool.manager.acquire('default-0', 'core')!;
    pool.manager.reload('default', NEXT);
    await pool.clock.advance(4999);
    expect(shown(pool)).toEqual(['default-0 tiny draining', 'default-0.1 next ready']);
    pool.manager.release(lease);
    await settle();
    expect(shown(pool)).toEqual(['default-0.1 next ready']);

    pool.manager.acquire('default-0.1', 'core');
    pool.manager.reload('default', { ...NEXT, modelId: 'third' });
    await pool.clock.advance(5000);
    expect(shown(pool)).toEqual(['default-0.2 third ready']);
    expect(pool.events.filter(({ type }) => type === 'replica-gone')).toHaveLength(2);
  });

  test('OC-POOL-3032 on failure the old model serves on, and the error says why', async () => {
    await using pool = startFakePool({ replicas: 2 }, {}, OPTIONS);
    await settle();
    pool.manager.reload('default', BAD);
    await settle();
    expect(shown(pool)).toEqual(['default-0 tiny ready', 'default-1 tiny ready']);
    expect(pool.manager.health('default')).toMatchObject({
      ready: true,
      change: undefined,
      lastError:
        'next was not brought in, tiny serves on: the model file is sha256:/models/next.gguf, configured is sha256:other',
    });
    expect(pool.engine.spawned.slice(0, 2).map(({ signals }) => signals)).toEqual([[], []]);
  });

  test('OC-POOL-3032 a failure half-way brings back the old model in every place', async () => {
    await using pool = startFakePool({ replicas: 2, loadMs: 1000 }, {}, OPTIONS);
    await settle();
    pool.manager.subscribe((event) => {
      if (event.type !== 'replica' || event.replica.replicaId !== 'default-0.1') return;
      if (event.replica.state === 'ready') pool.engine.behaviour.health = { state: 'loading' };
    });
    pool.manager.reload('default', NEXT);
    await pool.clock.advance(999);
    expect(shown(pool)).toEqual([
      'default-1 tiny ready',
      'default-0.1 next ready',
      'default-1.1 next loading',
    ]);
    await pool.clock.advance(1);
    pool.engine.behaviour.health = { state: 'ready' };
    await pool.clock.advance(1000);
    expect(shown(pool)).toEqual(['default-1 tiny ready', 'default-0 tiny ready']);
    expect(pool.manager.health('default').lastError).toContain('not ready within 1000 ms');
  });

  test('OC-POOL-3031 without memory for both the new model comes instead of the old', async () => {
    const memoryProbe = roomForOne(() => pool, 1000);
    await using pool: FakePool = startFakePool(
      { memoryBytes: 1000 },
      {},
      { ...OPTIONS, memoryProbe },
    );
    await settle();
    expect(shown(pool)).toEqual(['default-0 tiny ready']);
    pool.manager.reload('default', NEXT);
    await settle();
    expect(shown(pool)).toEqual(['default-0.1 next ready']);
    expect(pool.manager.health('default').lastError).toBeUndefined();
    // And when the new one fails, the old one is started again, and nobody is told that all is lost.
    const recoverable: boolean[] = [];
    pool.manager.subscribe(() => recoverable.push(pool.manager.health('default').recoverable));
    pool.manager.reload('default', { ...BAD, modelId: 'bad' });
    await pool.clock.advance(1000);
    expect(shown(pool)).toEqual(['default-0.1 next ready']);
    expect(pool.manager.health('default').lastError).toContain('bad was not brought in');
    expect(new Set(recoverable)).toEqual(new Set([true]));
  });

  test('OC-POOL-3031 where nobody can tell whether there is memory, the old one is not put at risk', async () => {
    const read = () => Promise.resolve({ hostFreeBytes: undefined, gpus: undefined });
    const memoryProbe = { read, oomKills: () => undefined };
    await using pool = startFakePool({}, {}, { ...OPTIONS, memoryProbe });
    await settle();
    pool.engine.behaviour.health = { state: 'loading' };
    pool.manager.reload('default', NEXT);
    await settle();
    expect(shown(pool)).toEqual(['default-0.1 next loading']);
  });

  test('is refused while another change is under way, and where the engine is not ours', async () => {
    await using pool = startFakePool({}, { health: { state: 'loading' } }, OPTIONS);
    pool.manager.reload('default', NEXT);
    expect(() => pool.manager.reload('default', NEXT)).toThrow('is changing its model');
    expect(() => pool.manager.canary('default', NEXT, { percent: 1, replicas: 1 })).toThrow(
      OrchError,
    );
    await using guest = startFakePool({ launch: 'external', endpoints: ['http://10.0.0.1:1'] });
    expect(() => guest.manager.reload('default', NEXT)).toThrow('engines that others start');
    await using fixed = startFakePool({ launch: 'process', command: ['engine', '{port}'] });
    expect(() => fixed.manager.reload('default', NEXT)).toThrow('a command without {model}');
  });

  test('warns of a model that the configuration does not name, and only of that', async () => {
    const warnings: object[] = [];
    const warn = (fields: object) => void warnings.push(fields);
    await using pool = startFakePool({}, {}, { ...OPTIONS, logger: { ...SILENT, warn } });
    await settle();
    expect(pool.manager.health('default').modelId).toBe('tiny');
    pool.manager.reload('default', NEXT);
    await settle();
    expect(pool.manager.health('default').modelId).toBe('next');
    expect(warnings).toEqual([
      { pool_id: 'default', model_id: 'next', configured_model_id: 'tiny' },
    ]);
    const tiny = { ...NEXT, modelId: 'tiny', modelPath: '/models/tiny.gguf' };
    pool.manager.reload('default', tiny);
    await settle();
    expect(warnings).toHaveLength(1);
  });

  test('ORCH-3033 is taken back by a rollback at once', async () => {
    await using pool = startFakePool({}, {}, OPTIONS);
    await settle();
    pool.engine.behaviour.health = { state: 'loading' };
    pool.manager.reload('default', NEXT);
    await settle();
    pool.manager.rollback('default');
    await settle();
    expect(shown(pool)).toEqual(['default-0 tiny ready']);
    expect(pool.manager.health('default').lastError).toContain('it was rolled back');
    expect(() => pool.manager.rollback('default')).toThrow('neither a canary nor a change');
  });

  test('OC-POOL-3031 an old replica that finishes its work is not brought back by undrain', async () => {
    await using pool = startFakePool({}, {}, { ...OPTIONS, leaseTtlMs: 600_000 });
    await settle();
    const lease = pool.manager.acquire('default-0', 'core')!;
    pool.manager.reload('default', NEXT);
    await settle();
    pool.manager.undrain('default');
    expect(shown(pool)).toEqual(['default-0 tiny draining', 'default-0.1 next ready']);
    pool.manager.release(lease);
    await settle();
    expect(shown(pool)).toEqual(['default-0.1 next ready']);
  });

  test('keeps a drain: the new replicas take nothing until undrain', async () => {
    await using pool = startFakePool({}, {}, OPTIONS);
    await settle();
    pool.manager.drain('default');
    pool.manager.reload('default', NEXT);
    await settle();
    expect(shown(pool)).toEqual(['default-0.1 next draining']);
    pool.manager.undrain('default');
    expect(shown(pool)).toEqual(['default-0.1 next ready']);
  });
});

describe('ORCH-3033 canary', () => {
  const SHARE = { percent: 10, replicas: 1 };

  test('OC-POOL-3033 runs beside the others and says for which share of the tasks it is', async () => {
    await using pool = startFakePool({ replicas: 2 }, {}, OPTIONS);
    await settle();
    pool.manager.canary('default', NEXT, SHARE);
    await settle();
    expect(shown(pool)).toEqual([
      'default-0 tiny ready',
      'default-1 tiny ready',
      'default-0.1 next ready',
    ]);
    const shares = pool.manager.replicas('default').map(({ canaryPercent }) => canaryPercent);
    expect(shares).toEqual([undefined, undefined, 10]);
    expect(pool.manager.health('default').change).toEqual({
      kind: 'canary',
      modelId: 'next',
      percent: 10,
    });
  });

  test('OC-POOL-3033 a rollback removes it in one call', async () => {
    await using pool = startFakePool({}, {}, OPTIONS);
    await settle();
    pool.manager.canary('default', NEXT, SHARE);
    await settle();
    pool.manager.rollback('default');
    await settle();
    expect(shown(pool)).toEqual(['default-0 tiny ready']);
    expect(pool.manager.health('default').change).toBeUndefined();
    // A canary that is still loading is removed as well.
    pool.engine.behaviour.health = { state: 'loading' };
    pool.manager.canary('default', NEXT, SHARE);
    await settle();
    pool.manager.rollback('default');
    await settle();
    expect(shown(pool)).toEqual(['default-0 tiny ready']);
  });

  test('OC-POOL-3033 promotion makes it the model of every replica, and keeps the one that runs', async () => {
    await using pool = startFakePool({ replicas: 2 }, {}, OPTIONS);
    await settle();
    pool.manager.canary('default', NEXT, SHARE);
    await settle();
    pool.manager.promote('default');
    await settle();
    expect(shown(pool)).toEqual(['default-0.1 next ready', 'default-1.1 next ready']);
    expect(pool.engine.spawned).toHaveLength(4);
    expect(pool.manager.replicas('default')[0]?.canaryPercent).toBeUndefined();
    expect(pool.manager.health('default').change).toBeUndefined();
  });

  test('OC-POOL-3033 one that does not come up is removed, and the error says why', async () => {
    await using pool = startFakePool({}, {}, OPTIONS);
    await settle();
    pool.manager.canary('default', BAD, SHARE);
    expect(() => pool.manager.promote('default')).toThrow('a canary that is not ready');
    await settle();
    expect(shown(pool)).toEqual(['default-0 tiny ready']);
    expect(pool.manager.health('default').lastError).toContain('the canary of next was removed');
    expect(() => pool.manager.promote('default')).toThrow('has no canary');
  });
});

describe('loading and unloading', () => {
  test('OC-POOL-3034 an unloaded pool has no process, and comes back when loaded', async () => {
    await using pool = startFakePool({ replicas: 2 }, {}, OPTIONS);
    await settle();
    await pool.manager.unload('default', 1000);
    expect(pool.engine.spawned.map(({ signals }) => signals)).toEqual([['SIGTERM'], ['SIGTERM']]);
    expect(pool.manager.health('default')).toMatchObject({
      loaded: false,
      live: false,
      recoverable: true,
      lastError: 'the pool is not loaded',
      replicas: [],
    });
    pool.manager.load('default');
    await settle();
    expect(shown(pool)).toEqual(['default-0 tiny ready', 'default-1 tiny ready']);
    expect(pool.manager.health('default')).toMatchObject({ loaded: true, lastError: undefined });
  });

  test('OC-POOL-3034 unloading waits for what runs, up to its deadline', async () => {
    await using pool = startFakePool({}, {}, { leaseTtlMs: 600_000 });
    await settle();
    pool.manager.acquire('default-0', 'core');
    let isDone = false;
    const unloaded = pool.manager.unload('default', 1000).then(() => (isDone = true));
    await pool.clock.advance(999);
    expect([isDone, pool.state()]).toEqual([false, 'draining']);
    await pool.clock.advance(1);
    await unloaded;
    expect(pool.manager.replicas('default')).toEqual([]);
  });

  test('OC-POOL-3034 a pool may start unloaded, and be told another model before it is loaded', async () => {
    await using pool = startFakePool({ startLoaded: false }, {}, OPTIONS);
    await settle();
    expect(pool.engine.spawned).toHaveLength(0);
    pool.manager.reload('default', NEXT);
    pool.manager.load('default');
    await settle();
    expect(shown(pool)).toEqual(['default-0.1 next ready']);
  });

  test('OC-POOL-3034 commands are carried out in their order, however quickly they come', async () => {
    await using pool = startFakePool({}, {}, OPTIONS);
    void pool.manager.unload('default', 0);
    pool.manager.load('default');
    void pool.manager.unload('default', 0);
    pool.manager.load('default');
    await settle();
    expect(shown(pool)).toEqual(['default-0 tiny ready']);
    const running = pool.engine.spawned.filter(({ signals }) => signals.length === 0);
    expect(running).toHaveLength(1);
  });

  test('OC-POOL-3041 tokens go on growing over unloading', async () => {
    await using pool = startFakePool();
    await settle();
    const lease = pool.manager.acquire('default-0', 'core')!;
    await Promise.all([pool.manager.unload('default', 0), pool.clock.advance(0)]);
    pool.manager.load('default');
    await settle();
    expect(pool.manager.acquire('default-0', 'core')!.token).toBeGreaterThan(lease.token);
  });
});

test('OC-POOL-3034 a canary of a pool that is unloaded at once is never started', async () => {
  await using pool = startFakePool({}, {}, OPTIONS);
  await settle();
  const unloaded = pool.manager.unload('default', 0);
  pool.manager.canary('default', NEXT, { percent: 1, replicas: 1 });
  await unloaded;
  await settle();
  expect(shown(pool)).toEqual([]);
  expect(pool.engine.spawned).toHaveLength(1);
  expect(pool.manager.health('default').change).toBeUndefined();
});

test('OC-POOL-3024 stopping in the middle of a change leaves nothing behind', async () => {
  const pool = startFakePool({ replicas: 2 }, {}, OPTIONS);
  await settle();
  pool.engine.behaviour.health = { state: 'loading' };
  pool.manager.reload('default', NEXT);
  await settle();
  const stopped = pool.manager.stop(100);
  await pool.clock.advance(10_000);
  await stopped;
  expect(pool.engine.spawned.every(({ signals }) => signals.length > 0)).toBe(true);
  expect(pool.clock.pending).toBe(0);
});

test('a replica that was retired is no longer known to anybody, and accusing it does no harm', async () => {
  await using pool = startFakePool({}, {}, OPTIONS);
  await settle();
  pool.manager.reload('default', NEXT);
  await settle();
  expect(pool.manager.acquire('default-0', 'core')).toBeUndefined();
  pool.manager.suspect('default-0', 'garbage', 'late news');
  expect(shown(pool)).toEqual(['default-0.1 next ready']);
});

describe('OC-POOL-3032 a rollback that comes late', () => {
  test('keeps the old replica that is still finishing its work, and takes the new ones away', async () => {
    await using pool = startFakePool({}, {}, { ...OPTIONS, leaseTtlMs: 600_000 });
    await settle();
    const lease = pool.manager.acquire('default-0', 'core')!;
    pool.manager.reload('default', NEXT);
    await settle();
    expect(shown(pool)).toEqual(['default-0 tiny draining', 'default-0.1 next ready']);
    pool.manager.rollback('default');
    await settle();
    expect(shown(pool)).toEqual(['default-0 tiny ready']);
    expect(pool.manager.use(lease).snapshot.replicaId).toBe('default-0');
    expect(pool.engine.spawned.map(({ signals }) => signals)).toEqual([[], ['SIGTERM']]);
    const { change, lastError } = pool.manager.health('default');
    expect({ change, lastError }).toEqual({
      change: undefined,
      lastError: 'next was not brought in, tiny serves on: it was rolled back',
    });
  });

  test('does not start a new replica when the old one had to make room first', async () => {
    const memoryProbe = roomForOne(() => pool, 1000);
    const options = { ...OPTIONS, leaseTtlMs: 600_000, memoryProbe };
    await using pool: FakePool = startFakePool({ memoryBytes: 1000 }, {}, options);
    await settle();
    pool.manager.acquire('default-0', 'core');
    pool.manager.reload('default', NEXT);
    await settle();
    pool.manager.rollback('default');
    await settle();
    expect(shown(pool)).toEqual(['default-0 tiny ready']);
    expect(pool.engine.spawned).toHaveLength(1);
  });

  test('undoes the change even when the last new replica has just become ready', async () => {
    await using pool = startFakePool({}, {}, OPTIONS);
    await settle();
    pool.manager.subscribe((event) => {
      const isUp = event.type === 'preload' && event.outcome === 'ok';
      if (isUp && event.replica.modelId === 'next') pool.manager.rollback('default');
    });
    pool.manager.reload('default', NEXT);
    await pool.clock.advance(10_000);
    expect(shown(pool)).toEqual(['default-0 tiny ready']);
  });

  test('of a pool that is not loaded leaves it with the old model', async () => {
    await using pool = startFakePool({}, {}, OPTIONS);
    await settle();
    const unloaded = pool.manager.unload('default', 0);
    pool.manager.reload('default', NEXT);
    pool.manager.rollback('default');
    await unloaded;
    pool.manager.load('default');
    await settle();
    expect(shown(pool)).toEqual(['default-0 tiny ready']);
  });

  test('keeps a drain that came meanwhile', async () => {
    await using pool = startFakePool({}, {}, { ...OPTIONS, leaseTtlMs: 600_000 });
    await settle();
    pool.manager.acquire('default-0', 'core');
    pool.manager.reload('default', NEXT);
    await settle();
    pool.manager.drain('default');
    pool.manager.rollback('default');
    await settle();
    expect(shown(pool)).toEqual(['default-0 tiny draining']);
  });
});

test('a pool that is told another model before it is started starts every replica once', async () => {
  const hashed = Promise.withResolvers<void>();
  const slowly = async (path: string) => {
    await hashed.promise;
    return readModelFacts(path);
  };
  await using pool = openFakePool({}, {}, { readModelFacts: slowly });
  pool.manager.reload('default', { ...NEXT, modelDigest: 'sha256:/models/next.gguf' });
  await settle();
  pool.manager.start();
  hashed.resolve();
  await settle();
  expect(shown(pool)).toEqual(['default-0.1 next ready']);
  expect(pool.engine.spawned.filter(({ signals }) => signals.length === 0)).toHaveLength(1);
});

test('OC-POOL-3034 why a pool did not come up is still told when it was unloaded for it', async () => {
  await using pool = startFakePool({ startLoaded: false }, { decode: 'broken' }, OPTIONS);
  pool.manager.load('default');
  await pool.clock.advance(1000);
  await Promise.all([pool.manager.unload('default', 0), pool.clock.advance(10_000)]);
  expect(pool.manager.health('default')).toMatchObject({
    loaded: false,
    lastError: expect.stringContaining('the pool is not loaded: self-test: decode') as string,
  });
  pool.engine.behaviour.decode = 'ok';
  pool.manager.load('default');
  await settle();
  expect(pool.manager.health('default')).toMatchObject({ ready: true, lastError: undefined });
});

test('OC-POOL-3024 a stop from within an event resolves when the process is gone', async () => {
  const pool = startFakePool({}, { ignoresTerm: true }, OPTIONS);
  const atEnd: (readonly NodeJS.Signals[])[] = [];
  pool.manager.subscribe((event) => {
    if (event.type !== 'replica' || event.replica.state !== 'ready') return;
    void pool.manager.stop(5000).then(() => atEnd.push([...pool.engine.spawned[0]!.signals]));
  });
  await pool.clock.advance(4999);
  expect(atEnd).toEqual([]);
  await pool.clock.advance(1);
  expect(atEnd).toEqual([['SIGTERM', 'SIGKILL']]);
});
