/** A real daemon with its engines, as a set-up describes them, and its clients. */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EngineSim } from '../../engines/kit/engine-sim.ts';
import { startLlamaCppSim } from '../../engines/llamacpp/sim.ts';
import { startVllmSim } from '../../engines/vllm/sim.ts';
import { DaemonClient } from '../../src/daemon-client.ts';
import { startDaemon, type DaemonProcess } from '../../src/daemon-process.ts';
import {
  embeddedPool,
  externalPool,
  simulatorPool,
  type ConfigInput,
  type PoolInput,
} from '../../src/temp-config.ts';
import { waitFor } from '../../src/wait-for.ts';
import { secretOf, tenantsOf, type KnownModel, type PoolSetUp, type SetUp } from './set-up.ts';
import { sha256 } from '../../src/stream-check.ts';

/** Processes are started one after the other, on a machine that may be busy. */
export const STARTS_MS = 60_000;
/** A held task stays as long as its scenario wants; no watchdog of a busy machine ends it before. */
const PATIENT = { wall_ms: 600_000, idle_ms: 300_000, control_ms: 5_000, connect_ms: 5_000 };
const HOUSEKEEPER = 'housekeeping';

export class Stage implements AsyncDisposable {
  readonly setUp: SetUp;
  readonly daemon: DaemonProcess;
  /** The simulators in this process, by pool. */
  readonly engines: ReadonlyMap<string, readonly EngineSim[]>;
  readonly #resources: AsyncDisposableStack;
  readonly #clients = new Map<string, DaemonClient>();

  constructor(
    setUp: SetUp,
    daemon: DaemonProcess,
    engines: ReadonlyMap<string, readonly EngineSim[]>,
    resources: AsyncDisposableStack,
  ) {
    this.setUp = setUp;
    this.daemon = daemon;
    this.engines = engines;
    this.#resources = resources;
  }

  /** A client that sends a key. */
  clientOf(secret: string): DaemonClient {
    const known = this.#clients.get(secret);
    if (known !== undefined) return known;
    const headers = { authorization: `Bearer ${secret}` };
    const client = new DaemonClient(() => this.daemon.url, headers);
    this.#clients.set(secret, client);
    return client;
  }

  /** May do everything to the tasks of one tenant and to the pools. */
  housekeeper(tenant = 'default'): DaemonClient {
    return this.setUp.keys.length === 0
      ? this.daemon.client
      : this.clientOf(secretOf(`${HOUSEKEEPER}-${tenant}`));
  }

  enginesOf(poolId?: string): readonly EngineSim[] {
    return poolId === undefined
      ? [...this.engines.values()].flat()
      : (this.engines.get(poolId) ?? []);
  }

  /** Resolves when every replica that is there from the start is ready, or given up. */
  async untilReady(): Promise<void> {
    for (const pool of this.setUp.pools.filter((each) => !isLoadedLater(each))) {
      await waitFor(
        `pool ${pool.id}`,
        async () => {
          const health = await this.housekeeper().poolHealth(pool.id);
          const ready = health.replicas.filter(({ state }) => state === 'ready');
          return ready.length >= pool.engines || health.recoverable === false;
        },
        STARTS_MS,
      );
    }
  }

  /** Ends every task and fault that a scenario left, so that the next one finds an idle daemon. */
  async tidy(): Promise<void> {
    for (const engine of this.enginesOf()) engine.dropFaults();
    for (const { id } of this.setUp.pools) {
      const { draining } = await this.housekeeper().poolHealth(id);
      if (draining) await this.housekeeper().call('undrainPool', { path: [id] });
    }
    for (const tenant of tenantsOf(this.setUp)) await endTasks(this.housekeeper(tenant));
    await this.untilReady();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients.values()) await client[Symbol.asyncDispose]();
    await this.#resources.disposeAsync();
  }
}

/** Starts engines and daemon, and resolves when all are ready. */
export async function openStage(setUp: SetUp): Promise<Stage> {
  await using begun = new AsyncDisposableStack();
  const directory = mkdtempSync(join(tmpdir(), 'llama-orch-bdd-'));
  begun.defer(() => rmSync(directory, { recursive: true, force: true }));
  const engines = new Map<string, readonly EngineSim[]>();
  for (const pool of setUp.pools.filter(({ home }) => home === 'running')) {
    const started = await startEngines(pool, setUp);
    engines.set(pool.id, started);
    for (const engine of started) begun.use(engine);
  }
  const daemon = await startDaemon({ config: configOf(setUp, directory, engines) });
  // Ended first: it must not see its engines vanish.
  begun.use(daemon);
  const stage = new Stage(setUp, daemon, engines, begun.move());
  try {
    await stage.untilReady();
    return stage;
  } catch (error) {
    await stage[Symbol.asyncDispose]();
    throw error;
  }
}

/** A scenario's model files hold their own names: enough for a checksum, and simulators read none. */
export function digestOfModel(name: string): string {
  return `sha256:${createHash('sha256').update(weightsOf(name)).digest('hex')}`;
}

const weightsOf = (name: string): string => `the weights of ${name}`;

function isLoadedLater({ home, overrides }: PoolSetUp): boolean {
  return home === 'on-hosts' || overrides.keep_alive_ms !== undefined;
}

function startEngines(
  { kind, engines, slots }: PoolSetUp,
  { answers }: SetUp,
): Promise<readonly EngineSim[]> {
  const start = kind === 'vllm' ? startVllmSim : startLlamaCppSim;
  return Promise.all(Array.from({ length: engines }, () => start({ slots, ...answers })));
}

function configOf(
  setUp: SetUp,
  directory: string,
  engines: ReadonlyMap<string, readonly EngineSim[]>,
): ConfigInput {
  const { config, keys, models } = setUp;
  const housekeepers = tenantsOf(setUp).map((tenant) => ({
    id: `${HOUSEKEEPER}-${tenant}`,
    tenant,
    scopes: ['admin'] as const,
  }));
  const entries = keys.length === 0 ? [] : [...keys, ...housekeepers];
  return {
    ...config,
    auth: { keys: entries.map((key) => ({ ...key, sha256: sha256(secretOf(key.id)) })) },
    models: models.map((model) => knownModel(model, directory)),
    pools: setUp.pools.map((pool) => {
      const urls = (engines.get(pool.id) ?? []).map(({ url }) => url);
      return poolConfig(pool, setUp, urls, directory);
    }),
  };
}

function poolConfig(
  { id, home, kind, engines, slots, modelFile, overrides }: PoolSetUp,
  { answers }: SetUp,
  urls: readonly string[],
  directory: string,
): PoolInput {
  const model =
    modelFile === undefined
      ? {}
      : { model: { id: modelFile, path: writeModel(directory, modelFile) } };
  // What a simulator says depends on nothing beside it.
  const promise = kind === 'llamacpp' ? ({ determinism: 'exact' } as const) : {};
  const common = { id, slots, timeouts: PATIENT, ...model, ...overrides };
  switch (home) {
    case 'running':
      return externalPool(urls, {
        engine: kind,
        model: { id: 'sim', served_name: 'sim' },
        ...promise,
        ...common,
      });
    case 'built-in':
      return embeddedPool({ replicas: engines, ...common });
    case 'on-hosts':
      return { launch: 'remote', model: { id: 'sim' }, ...promise, ...common };
    case 'started': {
      const { tokens, tokenDelayMs } = answers;
      const flags = ['--tokens', String(tokens), '--token-delay-ms', String(tokenDelayMs)];
      const pool = simulatorPool(flags, { replicas: engines, ...common });
      if (modelFile === undefined) return pool;
      // A simulator takes no model; `env` lets the command name one all the same.
      return { ...pool, command: ['/usr/bin/env', 'SIM_MODEL={model}', ...(pool.command ?? [])] };
    }
  }
}

function knownModel({ name, isForged }: KnownModel, directory: string) {
  const path = writeModel(directory, name);
  return isForged ? { id: name, path, sha256: 'f'.repeat(64) } : { id: name, path };
}

function writeModel(directory: string, name: string): string {
  const path = join(directory, `${name}.gguf`);
  writeFileSync(path, weightsOf(name));
  return path;
}

async function endTasks(client: DaemonClient): Promise<void> {
  await waitFor('an idle daemon', async () => {
    const live = await Promise.all([
      client.tasks({ state: 'queued', limit: 200 }),
      client.tasks({ state: 'running', limit: 200 }),
    ]);
    const tasks = live.flatMap(({ items }) => items);
    for (const { task_id: id } of tasks) await client.call('cancelTask', { path: [id] });
    return tasks.length === 0;
  });
}
