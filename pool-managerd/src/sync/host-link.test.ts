import type { HostSync, HostSyncAnswer } from '@llama-orch/contracts';
import { expect, test } from 'vitest';
import { SILENT, startFakePool } from '../../testing/fake-pool.ts';
import { settle } from '../../testing/virtual-clock.ts';
import { HostLeases } from './host-leases.ts';
import { HostLink } from './host-link.ts';
import { HostModels } from './host-models.ts';
import { SyncRefused } from './transport.ts';

const ORCHESTRATOR = {
  id: '00000000-0000-4000-8000-00000000000a',
  instance_id: '00000000-0000-4000-8000-00000000000b',
};
const HOLD_MS = 500;

interface Call {
  readonly body: HostSync;
  readonly signal: AbortSignal;
  answer(changes?: Partial<HostSyncAnswer>): Promise<void>;
  fail(error: Error): Promise<void>;
}

/** A host with one fake engine; the test answers its syncs. */
async function setUp() {
  const pool = startFakePool({ probe: { intervalMs: 1e9 } }, {}, { leaseTtlMs: 1_000 });
  await settle();
  const { manager, clock } = pool;
  const calls: Call[] = [];
  const logged: string[] = [];
  const ended: string[] = [];
  let left = 0;
  let answers = 0;
  const leases = new HostLeases({
    manager,
    replicas: () => manager.replicas('default'),
    leaseTtlMs: 1_000,
    clock,
    makeSecret: () => 'abcdefghijklmnopqrstuv',
    onOver: () => undefined,
  });
  const link = new HostLink({
    hostId: 'gpu-a',
    instance: { id: ORCHESTRATOR.id, home: ORCHESTRATOR.id, generation: 1 },
    gatewayUrl: 'http://gpu-a',
    leaseTtlMs: 1_000,
    poolIds: ['default'],
    labelsOf: () => ({ zone: 'a' }),
    manager,
    leases,
    models: new HostModels({
      manager,
      configured: new Map([
        ['default', { modelId: 'm', modelPath: undefined, modelDigest: undefined }],
      ]),
      catalog: new Map(),
      logger: SILENT,
    }),
    endRequest: (requestId) => ended.push(requestId),
    transport: {
      sync: (body, signal) =>
        new Promise((resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
          calls.push({
            body,
            signal,
            answer: async (changes = {}) => {
              answers += 1;
              resolve({
                orchestrator: ORCHESTRATOR,
                answer: answers,
                event: 0,
                lease: [],
                drain: [],
                commands: [],
                next_sync_ms: HOLD_MS,
                ...changes,
              });
              await settle();
            },
            fail: async (error) => {
              reject(error);
              await settle();
            },
          });
        }),
      leave: async () => void (left += 1),
      close: async () => undefined,
    },
    clock,
    random: { next: () => 0.5 },
    logger: {
      info: (_fields, message) => logged.push(message),
      warn: (_fields, message) => logged.push(message),
      error: (_fields, message) => logged.push(message),
    },
  });
  link.start();
  return { pool, manager, clock, calls, logged, ended, link, left: () => left };
}

test('OC-POOL-3102 a sync tells all there is, and what was heard', async () => {
  const { pool, calls, clock } = await setUp();
  await using _ = pool;
  expect(calls[0]?.body).toMatchObject({
    seq: 1,
    gateway_url: 'http://gpu-a',
    replicas: [{ replica_id: 'gpu-a.default-0', state: 'ready', labels: { zone: 'a' } }],
    leases: [],
  });
  expect(calls[0]?.body.heard).toBeUndefined();
  await calls[0]?.answer({ lease: ['gpu-a.default-0'] });
  await clock.advance(20);
  expect(calls.at(-1)?.body).toMatchObject({
    heard: { instance_id: ORCHESTRATOR.instance_id, answer: 1, command: 0 },
    leases: [{ replica_id: 'gpu-a.default-0', token: 1 }],
    events: [{ n: 1, type: 'lease', lease: 'granted' }],
    replicas: [{ chat: { kind: 'envelope', prefix: '<user>', suffix: '<assistant>' } }],
  });
});

test('OC-POOL-3105 an orchestratord that holds no sync does not make a host spin', async () => {
  const { pool, calls, clock } = await setUp();
  await using _ = pool;
  for (let n = 0; n < 50; n += 1) {
    await calls.at(-1)?.answer();
    await clock.advance(4);
  }
  expect(calls.length).toBeLessThanOrEqual(11);
});

test('news goes beside a sync that is held, and not beside more than one', async () => {
  const { pool, manager, calls } = await setUp();
  await using _ = pool;
  manager.drain('default');
  await settle();
  expect(calls).toHaveLength(2);
  expect(calls[1]?.body.replicas[0]?.state).toBe('draining');
  manager.undrain('default');
  await settle();
  expect(calls).toHaveLength(2);
  await calls[0]?.answer();
  expect(calls).toHaveLength(3);
  expect(calls[2]?.body.replicas[0]?.state).toBe('ready');
});

test('an answer that was overtaken by a later one is not used', async () => {
  const { pool, manager, calls } = await setUp();
  await using _ = pool;
  manager.suspect('default-0', 'connection', 'test');
  manager.drain('default');
  await settle();
  const [first, second] = calls;
  await second?.answer({ drain: ['default'] });
  await first?.answer({ drain: [] });
  expect(manager.health('default').draining).toBe(true);
});

test('OC-POOL-3102 each command is carried out once, and said to be at once', async () => {
  const { pool, calls, ended } = await setUp();
  await using _ = pool;
  const commands = [
    { n: 1, type: 'end' as const, request_id: 'one' },
    { n: 2, type: 'end' as const, request_id: 'two' },
  ];
  await calls[0]?.answer({ commands });
  expect(calls[1]?.body.heard).toMatchObject({ command: 2 });
  await calls[1]?.answer({ commands: [...commands, { n: 3, type: 'end', request_id: 'three' }] });
  expect(ended).toEqual(['one', 'two', 'three']);
});

test('accusations and drains reach the manager', async () => {
  const { pool, manager, calls } = await setUp();
  await using _ = pool;
  pool.engine.behaviour.decode = 'silent';
  const suspect = {
    n: 1,
    type: 'suspect',
    replica_id: 'gpu-a.default-0',
    suspicion: 'hung',
  } as const;
  await calls[0]?.answer({ commands: [suspect], drain: ['default'] });
  expect(pool.state()).toBe('unready');
  expect(manager.health('default').draining).toBe(true);
  await calls.at(-1)?.answer({ commands: [{ n: 2, type: 'revive', pool_id: 'default' }] });
  expect(manager.health('default').draining).toBe(false);
});

test('a pool is unloaded and loaded as commanded, and only one of this host', async () => {
  const { pool, manager, calls, clock } = await setUp();
  await using _ = pool;
  await calls[0]?.answer({
    commands: [
      { n: 1, type: 'unload', pool_id: 'of-another-host', deadline_ms: 0 },
      { n: 2, type: 'unload', pool_id: 'default', deadline_ms: 0 },
    ],
  });
  await clock.advance(1_000);
  expect(manager.health('default')).toMatchObject({ loaded: false, ready: false });
  await calls.at(-1)?.answer({
    commands: [
      { n: 3, type: 'load', pool_id: 'of-another-host' },
      { n: 4, type: 'load', pool_id: 'default' },
    ],
  });
  await clock.advance(1_000);
  expect(manager.health('default')).toMatchObject({ loaded: true, ready: true });
});

test('OC-POOL-3102 events that were given up for want of room are counted in the log', async () => {
  const { pool, calls, clock, logged } = await setUp();
  await using _ = pool;
  // Answers that acknowledge none of the leases that come and go.
  for (let n = 0; n < 256; n += 1) {
    await calls.at(-1)?.answer({ lease: n % 2 === 0 ? ['gpu-a.default-0'] : [] });
    await clock.advance(20);
  }
  const lines = (): number =>
    logged.filter((line) => line.startsWith('events were given up')).length;
  expect(calls.at(-1)?.body.events).toHaveLength(256);
  expect(lines()).toBe(0);
  await calls.at(-1)?.answer({ lease: ['gpu-a.default-0'] });
  await clock.advance(20);
  const last = calls.at(-1)?.body.events.at(-1)?.n ?? 0;
  expect(last).toBe(257);
  await calls.at(-1)?.answer({ event: last });
  await clock.advance(HOLD_MS);
  expect(calls.at(-1)?.body.events.every(({ n }) => n > last)).toBe(true);
  expect(lines()).toBe(1);
});

test('OC-POOL-3104 it goes on trying, at most a second apart, and complains once', async () => {
  const { pool, calls, clock, logged } = await setUp();
  await using _ = pool;
  const refused = new SyncRefused('CONFLICT', 'another instance');
  for (let n = 0; n < 12; n += 1) {
    await calls.at(-1)?.fail(refused);
    await clock.advance(1_000);
    expect(calls).toHaveLength(n + 2);
  }
  expect(logged).toEqual(['orchestratord refuses this host; it goes on trying']);
  await calls.at(-1)?.answer();
  expect(logged).toContain('orchestratord answers again');
});

test('OC-POOL-3104 a sync without an answer is given up in time', async () => {
  const { pool, calls, clock } = await setUp();
  await using _ = pool;
  await clock.advance(2_000);
  expect(calls[0]?.signal.aborted).toBe(true);
  await clock.advance(1_000);
  expect(calls.length).toBeGreaterThan(1);
});

test('a host that leaves drains whatever it is told, takes leave, and is silent', async () => {
  const { pool, manager, link, calls, clock, left } = await setUp();
  await using _ = pool;
  link.drain();
  await settle();
  await calls.at(-1)?.answer({ drain: [] });
  expect(manager.health('default').draining).toBe(true);
  await link.stop();
  expect(left()).toBe(1);
  const { length } = calls;
  await clock.advance(10_000);
  expect(calls).toHaveLength(length);
});
