/** The whole room on the real embedded engine: real processes, real tokens, real signals. */
import { openLlamaCpp } from '@llama-orch/worker-adapters';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { SILENT } from '../testing/fake-pool.ts';
import { isRunning, REAL_CLOCK, until } from '../testing/until.ts';
import { createPoolManager } from './pool-manager.ts';
import type { PoolEvent, PoolManager, ReplicaSnapshot } from './types.ts';

const MODEL = fileURLToPath(new URL('../../models/tiny-haiku.gguf', import.meta.url));

let dataDir: string;
let manager: PoolManager;
const events: PoolEvent[] = [];

const replica = (index: number): ReplicaSnapshot => manager.replicas('default')[index]!;
const becomesReady = (index: number) =>
  until(`replica ${index} is ready`, () => replica(index).state === 'ready', 25_000);

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'embedded-'));
  manager = createPoolManager({
    pools: [
      {
        id: 'default',
        engine: 'llamacpp',
        launch: 'embedded',
        modelId: 'tiny-haiku',
        modelPath: MODEL,
        replicas: 2,
        ctx: 1024,
        hungCheckMs: 500,
        killGraceMs: 300,
        restart: { baseMs: 1 },
      },
    ],
    dataDir,
    openAdapter: () => openLlamaCpp,
    embeddedEntry: fileURLToPath(
      import.meta.resolve('@llama-orch/worker-adapters/llamacpp-embedded'),
    ),
    clock: REAL_CLOCK,
    random: { next: () => 0.5 },
    logger: SILENT,
  });
  manager.subscribe((event) => events.push(event));
  manager.start();
  await Promise.all([becomesReady(0), becomesReady(1)]);
});
afterAll(async () => {
  await manager.stop(2000);
  await rm(dataDir, { recursive: true });
});

test('ORCH-3002 ORCH-3032 both replicas come up, tell what they run, and form one set', () => {
  expect(replica(0)).toMatchObject({
    state: 'ready',
    modelDigest: expect.stringMatching(/^sha256:[0-9a-f]{64}$/) as string,
    slots: 1,
    restarts: 0,
  });
  expect(replica(0).ctx).toBeGreaterThanOrEqual(1024);
  expect(replica(0).engineVersion).not.toBe('');
  expect(replica(1).setId).toBe(replica(0).setId);
});

test('a replica can be used under a lease', async () => {
  const lease = manager.acquire('default-0', 'test')!;
  const { adapter, envelope } = manager.use(lease);
  expect(envelope).toBeDefined();
  expect(await adapter.countTokens('hello')).toBeGreaterThan(0);
  manager.release(lease);
});

test('a killed engine is replaced while the other goes on', async () => {
  const killed = replica(0).pid!;
  process.kill(killed, 'SIGKILL');
  await until('the exit is noticed', () => replica(0).restarts === 1);
  expect(replica(1)).toMatchObject({ state: 'ready', restarts: 0 });
  await becomesReady(0);
  expect(replica(0).pid).not.toBe(killed);
});

test('a hung engine is found out, killed and replaced', async () => {
  const hung = replica(1).pid!;
  process.kill(hung, 'SIGSTOP');
  manager.suspect('default-1', 'hung', 'no token came');
  await until('it is given up', () => replica(1).restarts === 1);
  await becomesReady(1);
  expect(isRunning(hung)).toBe(false);
  const reasons = events.flatMap((event) => (event.type === 'restart' ? event.reason : []));
  expect(reasons).toEqual(['exit', 'hung']);
});

test('stop leaves no process behind', async () => {
  const pids = [replica(0).pid!, replica(1).pid!];
  await manager.stop(2000);
  expect(pids.filter(isRunning)).toEqual([]);
});
