/** Configurations for tests, written to a private directory. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Config } from '@llama-orch/contracts';

/** What a configuration file may say: any part of it. */
export type ConfigInput = DeepPartial<Config>;
export type PoolInput = DeepPartial<Config['pools'][number]>;
export type DeepPartial<T> = T extends readonly (infer E)[]
  ? readonly DeepPartial<E>[]
  : T extends object
    ? { readonly [K in keyof T]?: DeepPartial<T[K]> }
    : T;

export const PROJECT_ROOT = fileURLToPath(new URL('../../', import.meta.url));
/** The model in this repository; it answers in haiku. */
export const TINY_HAIKU = join(PROJECT_ROOT, 'models', 'tiny-haiku.gguf');
const SIMULATOR = join(PROJECT_ROOT, 'test-harness', 'engines', 'llamacpp', 'main.ts');

/** Replicas that fail in a test come back at once, however often. */
const QUICK_RESTART = {
  initial_delay_ms: 50,
  max_delay_ms: 200,
  max_restarts: 1000,
  breaker_failures: 1000,
} as const;

/** A pool of embedded engines with the model of this repository. */
export function embeddedPool(overrides: PoolInput = {}): PoolInput {
  return {
    id: 'default',
    launch: 'embedded',
    model: { id: 'tiny-haiku', path: TINY_HAIKU },
    replicas: 2,
    restart: QUICK_RESTART,
    ...overrides,
  };
}

/** A pool over engines that run already, such as simulators inside the test's process. */
export function externalPool(endpoints: readonly string[], overrides: PoolInput = {}): PoolInput {
  return {
    id: 'default',
    launch: 'external',
    model: { id: 'sim' },
    endpoints,
    ctx: 4096,
    restart: QUICK_RESTART,
    ...overrides,
  };
}

/** A pool whose simulators the daemon starts itself, one process each. */
export function simulatorPool(flags: readonly string[], overrides: PoolInput = {}): PoolInput {
  return {
    id: 'default',
    launch: 'process',
    model: { id: 'sim' },
    command: [
      process.execPath,
      SIMULATOR,
      ...['--port', '{port}', '--slots', '{slots}', '--ctx', '{ctx}'],
      ...flags,
    ],
    replicas: 2,
    // What a simulator says depends on nothing beside it.
    determinism: 'exact',
    ctx: 4096,
    restart: QUICK_RESTART,
    ...overrides,
  };
}

/** Writes `llama-orch.yaml`; JSON is YAML, and its order is that of the object. */
export function writeConfig(directory: string, config: ConfigInput): string {
  const path = join(directory, 'llama-orch.yaml');
  writeFileSync(path, `${JSON.stringify(config, null, 2)}\n`);
  return path;
}
