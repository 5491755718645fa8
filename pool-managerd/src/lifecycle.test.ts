/** Memory, failures and breakers as a whole pool shows them, on virtual time. */
import { describe, expect, test } from 'vitest';
import { startFakePool } from '../testing/fake-pool.ts';
import { settle } from '../testing/virtual-clock.ts';
import type { MemoryReading } from './memory-probe.ts';
import type { PoolEvent } from './types.ts';

const GIB = 1024 ** 3;

class FakeMemory {
  hostFreeGib = 100;
  gpuFreeGib: number | undefined;
  kills = 0;
  hangs = false;

  readonly oomKills = (): number => this.kills;

  readonly read = (): Promise<MemoryReading> => {
    if (this.hangs) return new Promise(() => undefined);
    const free = this.gpuFreeGib;
    const gpu = { index: 0, uuid: 'GPU-0', totalBytes: 80 * GIB, utilization: 12 };
    return Promise.resolve({
      hostFreeBytes: this.hostFreeGib * GIB,
      gpus:
        free === undefined
          ? undefined
          : [{ ...gpu, freeBytes: free * GIB, usedBytes: (80 - free) * GIB }],
    });
  };
}

function reasons(events: readonly PoolEvent[]): readonly string[] {
  return events.flatMap((event) => (event.type === 'restart' ? [event.reason] : []));
}

function preloads(events: readonly PoolEvent[]): readonly string[] {
  return events.flatMap((event) => (event.type === 'preload' ? [event.outcome] : []));
}

const TEN_GIB = { memoryBytes: 10 * GIB };

describe('ORCH-3003 headroom', () => {
  test('OC-POOL-3003 nothing is spawned without memory, and it is as soon as there is some', async () => {
    const memory = new FakeMemory();
    memory.hostFreeGib = 9;
    await using pool = startFakePool(TEN_GIB, {}, { memoryProbe: memory });
    await settle();
    expect(pool.state()).toBe('backoff');
    expect(pool.engine.spawned).toHaveLength(0);
    expect(preloads(pool.events)).toEqual(['failed']);
    expect(pool.manager.health('default')).toMatchObject({
      recoverable: true,
      lastError: 'not enough memory on the host: 10.00 GiB needed, 9.00 GiB free',
    });
    // However long it lasts: waiting for memory spends no restarts.
    await pool.clock.advance(600_000);
    expect(pool.state()).toBe('backoff');
    expect(pool.manager.replicas('default')[0]?.restarts).toBe(0);
    memory.hostFreeGib = 10;
    await pool.clock.advance(30_001);
    expect(pool.state()).toBe('ready');
  });

  test('OC-POOL-3003 replicas that start together do not count on the same memory', async () => {
    const memory = new FakeMemory();
    memory.hostFreeGib = 15;
    await using pool = startFakePool(
      { ...TEN_GIB, replicas: 2 },
      { health: { state: 'loading' } },
      { memoryProbe: memory },
    );
    await settle();
    expect([pool.state(0), pool.state(1)]).toEqual(['loading', 'backoff']);
    expect(pool.manager.replicas('default')[1]?.lastError).toContain('promised to others');
  });

  test('a probe that hangs holds up a start for a moment, not for ever', async () => {
    const memory = new FakeMemory();
    memory.hangs = true;
    await using pool = startFakePool(TEN_GIB, {}, { memoryProbe: memory });
    await pool.clock.advance(3000);
    expect(pool.state()).toBe('ready');
  });

  test('the memory of a model is measured by its file', async () => {
    const memory = new FakeMemory();
    memory.hostFreeGib = 1;
    const measureModel = () => Promise.resolve({ bytes: GIB, kvBytesPerToken: 0 });
    await using pool = startFakePool({}, {}, { memoryProbe: memory, measureModel });
    await settle();
    expect(pool.manager.health('default').lastError).toContain('1.10 GiB needed');
  });
});

describe('what an engine dies of', () => {
  const GPU = { device: 'cuda:0' } as const;

  test('ORCH-3039 OC-POOL-3019 out of GPU memory: the next start needs more than was free', async () => {
    const memory = new FakeMemory();
    memory.gpuFreeGib = 40;
    await using pool = startFakePool(
      GPU,
      { health: { state: 'loading' } },
      { memoryProbe: memory },
    );
    await settle();
    pool.engine.spawned[0]!.print('CUDA error: out of memory');
    pool.engine.spawned[0]!.exit(1);
    await settle();
    expect(reasons(pool.events)).toEqual(['vram-oom']);
    expect(pool.manager.health('default').lastError).toBe(
      'the engine exited with code 1 (out of GPU memory): CUDA error: out of memory',
    );
    await pool.clock.advance(60_000);
    expect(pool.engine.spawned).toHaveLength(1);
    expect(pool.manager.health('default').lastError).toBe(
      'not enough memory on GPU 0: 40.80 GiB needed, since a start with less ran out of memory, 40.00 GiB free',
    );
    memory.gpuFreeGib = 41;
    await pool.clock.advance(30_001);
    expect(pool.engine.spawned).toHaveLength(2);
  });

  test('OC-POOL-3003 where the check is turned off, what was learned forbids nothing either', async () => {
    const memory = new FakeMemory();
    memory.gpuFreeGib = 40;
    await using pool = startFakePool(
      { ...GPU, memoryBytes: 0 },
      { health: { state: 'loading' } },
      { memoryProbe: memory },
    );
    await settle();
    pool.engine.spawned[0]!.print('CUDA error: out of memory');
    pool.engine.spawned[0]!.exit(1);
    await pool.clock.advance(1000);
    expect(pool.engine.spawned).toHaveLength(2);
  });

  test('ORCH-3039 after ten minutes it is tried again with as much as failed before', async () => {
    const memory = new FakeMemory();
    memory.gpuFreeGib = 40;
    await using pool = startFakePool(
      GPU,
      { health: { state: 'loading' } },
      { memoryProbe: memory },
    );
    await settle();
    pool.engine.spawned[0]!.print('CUDA error: out of memory');
    pool.engine.spawned[0]!.exit(1);
    await pool.clock.advance(599_000);
    expect(pool.engine.spawned).toHaveLength(1);
    await pool.clock.advance(31_001);
    expect(pool.engine.spawned).toHaveLength(2);
  });

  test('ORCH-3039 a kill counts as host memory only when the system says so', async () => {
    const memory = new FakeMemory();
    await using pool = startFakePool({}, {}, { memoryProbe: memory });
    await settle();
    pool.engine.spawned[0]!.exit(null, 'SIGKILL');
    await pool.clock.advance(1000);
    memory.kills = 1;
    pool.engine.spawned[1]!.exit(null, 'SIGKILL');
    await settle();
    expect(reasons(pool.events)).toEqual(['exit', 'host-oom']);
    // It had served, so no line of its output is quoted.
    expect(pool.manager.health('default').lastError).toBe(
      'the engine was ended by SIGKILL (out of host memory)',
    );
  });

  test('OC-POOL-3026 ORCH-3038 a driver error stops new work, and an engine that cannot decode is replaced after a longer pause', async () => {
    await using pool = startFakePool({ ...GPU, hungCheckMs: 300 });
    await settle();
    pool.engine.behaviour.decode = 'broken';
    pool.engine.spawned[0]!.print('CUDA error: unspecified launch failure');
    expect(pool.state()).toBe('unready');
    await pool.clock.advance(0);
    expect(pool.state()).toBe('backoff');
    expect(reasons(pool.events)).toEqual(['driver']);
    pool.engine.behaviour.decode = 'ok';
    await pool.clock.advance(2499);
    expect(pool.state()).toBe('backoff');
    await pool.clock.advance(1);
    expect(pool.state()).toBe('ready');
  });

  test('ORCH-3038 a prompt that only looks like a driver error does no harm', async () => {
    await using pool = startFakePool(GPU);
    await settle();
    pool.engine.spawned[0]!.print('prompt: what does "CUDA error" mean?');
    await pool.clock.advance(0);
    expect(pool.manager.replicas('default')[0]).toMatchObject({ state: 'ready', restarts: 0 });
    expect(pool.manager.health('default').lastError).not.toContain('prompt');
  });
});

describe('ORCH-3040 the circuit breaker', () => {
  const restart = { openAfter: 3, coolDownMs: 10_000, maxInWindow: 100, windowMs: 600_000 };

  test('OC-POOL-3018 opens after failures in a row; then one replica tries, and when it comes up the others follow', async () => {
    await using pool = startFakePool({ replicas: 2, restart }, { decode: 'broken' });
    await pool.clock.advance(5000);
    const before = pool.engine.spawned.length;
    expect(before).toBe(6);
    expect(pool.manager.health('default').lastError).toContain('not tried again for 10000 ms');
    await pool.clock.advance(5000);
    expect(pool.engine.spawned).toHaveLength(before);
    // The first to try has the other wait, however long it takes.
    pool.engine.behaviour.health = { state: 'loading' };
    await pool.clock.advance(60_000);
    expect(pool.engine.spawned).toHaveLength(before + 1);
    Object.assign(pool.engine.behaviour, { decode: 'ok', health: { state: 'ready' } });
    await pool.clock.advance(10_000);
    expect([pool.state(0), pool.state(1)]).toEqual(['ready', 'ready']);
    expect(pool.engine.spawned).toHaveLength(before + 2);
  });

  test('OC-POOL-3018 an endpoint that keeps failing gets one try after each cool-down', async () => {
    await using pool = startFakePool(
      {
        launch: 'external',
        endpoints: ['http://10.0.0.1:8080'],
        restart: { ...restart, maxMs: 1 },
      },
      { decode: 'broken' },
    );
    await pool.clock.advance(1000);
    const tries = (): number => pool.states().filter((state) => state === 'self-test').length;
    expect(tries()).toBe(3);
    await pool.clock.advance(8000);
    expect(tries()).toBe(3);
    await pool.clock.advance(20_000);
    expect(tries()).toBe(5);
  });
});

describe('ORCH-3037 a prescribed digest', () => {
  test('OC-POOL-3035 keeps a model with another one from being loaded at all', async () => {
    await using pool = startFakePool({ modelDigest: 'sha256:def' });
    await settle();
    expect(pool.state()).toBe('failed');
    expect(pool.engine.spawned).toHaveLength(0);
    expect(pool.manager.health('default')).toMatchObject({
      recoverable: false,
      lastError: 'the model file is sha256:abc, configured is sha256:def',
    });
  });

  test('OC-POOL-3035 keeps a model that cannot be read from being loaded', async () => {
    const readModelFacts = () => Promise.reject(new Error('EACCES: permission denied'));
    await using pool = startFakePool({ modelDigest: 'sha256:abc' }, {}, { readModelFacts });
    await settle();
    expect(pool.state()).toBe('failed');
    expect(pool.engine.spawned).toHaveLength(0);
    expect(pool.manager.health('default').lastError).toBe(
      'the model file cannot be verified: EACCES: permission denied',
    );
  });

  test('lets the right one pass', async () => {
    await using pool = startFakePool({ modelDigest: 'sha256:abc' });
    await settle();
    expect(pool.state()).toBe('ready');
  });
});

test('OC-POOL-3021 ORCH-3012 a split over unequal GPUs without ratios ends as failed', async () => {
  const gpu = { uuid: '', freeBytes: 0, usedBytes: 0, utilization: 0 };
  const gpus = [80, 24].map((gib, index) => ({ ...gpu, index, totalBytes: gib * GIB }));
  const read = () => Promise.resolve({ hostFreeBytes: undefined, gpus });
  await using pool = startFakePool(
    { device: 'cuda:0,1' },
    {},
    { memoryProbe: { read, oomKills: () => undefined } },
  );
  await settle();
  expect(pool.state()).toBe('failed');
  expect(pool.manager.health('default').lastError).toContain('needs tensor_split');
});

test('OC-POOL-3030 replicas on GPUs show what their driver tells, without an event', async () => {
  const memory = new FakeMemory();
  memory.gpuFreeGib = 60;
  await using pool = startFakePool({ device: 'cuda:0' }, {}, { memoryProbe: memory });
  await settle();
  expect(pool.manager.replicas('default')[0]?.gpus).toEqual([
    { device: 'cuda:0', usedBytes: 20 * GIB, utilization: 12 },
  ]);
  const events = pool.events.length;
  memory.gpuFreeGib = 50;
  await pool.clock.advance(10_000);
  expect(pool.manager.replicas('default')[0]?.gpus?.[0]?.usedBytes).toBe(30 * GIB);
  expect(pool.events).toHaveLength(events);
});
