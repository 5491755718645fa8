/** `launch: process` and `launch: external` on a real engine, started from an ordinary command line. */
import { openLlamaCpp } from '@llama-orch/worker-adapters';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { SILENT } from '../testing/fake-pool.ts';
import { isRunning, REAL_CLOCK, until } from '../testing/until.ts';
import type { PoolConfig } from './pool-config.ts';
import { createPoolManager } from './pool-manager.ts';
import type { PoolManager, ReplicaSnapshot } from './types.ts';

const ENGINE = fileURLToPath(import.meta.resolve('@llama-orch/worker-adapters/llamacpp-embedded'));
const MODEL = fileURLToPath(new URL('../../models/tiny-haiku.gguf', import.meta.url));
const START_MS = 25_000;

let dataDir: string;
const managers: PoolManager[] = [];

function startManager(config: Partial<PoolConfig>): PoolManager {
  const manager = createPoolManager({
    pools: [
      {
        id: 'default',
        engine: 'llamacpp',
        launch: 'process',
        modelId: 'tiny-haiku',
        ctx: 512,
        probe: { intervalMs: 100, unreadyIntervalMs: 50 },
        restart: { baseMs: 50, maxMs: 100 },
        ...config,
      },
    ],
    dataDir: join(dataDir, String(managers.length)),
    openAdapter: () => openLlamaCpp,
    embeddedEntry: ENGINE,
    clock: REAL_CLOCK,
    random: { next: () => 0.5 },
    logger: SILENT,
  });
  managers.push(manager);
  manager.start();
  return manager;
}

const only = (manager: PoolManager): ReplicaSnapshot => manager.replicas('default')[0]!;

const COMMAND = [
  ...[process.execPath, ENGINE, '--model', '{model}', '--port', '{port}', '--host', '{host}'],
  ...['--slots', '{slots}', '--ctx', '{ctx}', '--threads', '{threads}', '--alias', '{alias}'],
];

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'launch-kinds-'));
});
afterAll(async () => {
  await Promise.all(managers.map((manager) => manager.stop(2000)));
  await rm(dataDir, { recursive: true });
});

test('an operator command becomes a replica, and others may use it as an endpoint', async () => {
  const owner = startManager({ command: COMMAND, modelPath: MODEL });
  await until('the process is ready', () => only(owner).state === 'ready', START_MS);
  const { url, pid } = only(owner);
  expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);

  const guest = startManager({ launch: 'external', endpoints: [url] });
  await until('the endpoint is ready', () => only(guest).state === 'ready', START_MS);
  expect(only(guest)).toMatchObject({ pid: undefined, modelDigest: '', restarts: 0 });
  // A file that was not hashed cannot be the same set as one that was (ORCH-3046).
  expect(only(guest).setId).not.toBe(only(owner).setId);
  await guest.stop(1000);
  expect(isRunning(pid!)).toBe(true);

  const watcher = startManager({ launch: 'external', endpoints: [url] });
  await until('the endpoint is ready', () => only(watcher).state === 'ready', START_MS);
  await owner.stop(2000);
  await until('the endpoint is missed', () => only(watcher).state === 'unready');
  expect(watcher.health('default')).toMatchObject({ ready: false, recoverable: true });
});

test('an engine that refuses its arguments says why, and is not tried for ever', async () => {
  const command = [process.execPath, ENGINE, '--no-such-flag', '{port}'];
  const manager = startManager({ command, restart: { baseMs: 1, maxInWindow: 1 } });
  await until('the replica has failed', () => only(manager).state === 'failed', START_MS);
  expect(only(manager).lastError).toMatch(/^the engine exited with code \d+: .+/);
  expect(manager.health('default').recoverable).toBe(false);
});
