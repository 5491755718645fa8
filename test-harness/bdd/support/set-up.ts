/** What a scenario's Givens describe: pools, their engines, keys, and the rest of the configuration. */
import { createHash } from 'node:crypto';
import type { KeyConfig } from '@llama-orch/contracts';
import type { ConfigInput, PoolInput } from '../../src/temp-config.ts';

/**
 * Who runs the engines of a pool: nobody here (`running`: simulators in this process), the daemon
 * (`started`: simulators as processes, `built-in`: the llama.cpp that ships with it), or a host.
 */
export type EngineHome = 'running' | 'started' | 'built-in' | 'on-hosts';
export type EngineKind = 'llamacpp' | 'vllm';

export interface PoolSetUp {
  readonly id: string;
  readonly home: EngineHome;
  readonly kind: EngineKind;
  readonly engines: number;
  /** Slots of each engine. */
  readonly slots: number;
  /** Name of the model file that a scenario writes; the daemon is given its path. */
  readonly modelFile: string | undefined;
  readonly overrides: PoolInput;
}

/** A model that a pool may be told to serve. A forged one is configured with another file's checksum. */
export interface KnownModel {
  readonly name: string;
  readonly isForged: boolean;
}

export interface AccessKey {
  readonly id: string;
  readonly tenant: string;
  readonly scopes: KeyConfig['scopes'];
}

export interface SetUp {
  readonly pools: readonly PoolSetUp[];
  /** What every simulator does with a task. */
  readonly answers: { readonly tokens: number; readonly tokenDelayMs: number };
  readonly models: readonly KnownModel[];
  readonly keys: readonly AccessKey[];
  readonly config: Omit<ConfigInput, 'pools' | 'models' | 'auth'>;
}

export const EMPTY_SET_UP: SetUp = {
  pools: [],
  answers: { tokens: 12, tokenDelayMs: 1 },
  models: [],
  keys: [],
  config: {},
};

export function newPool(changes: Partial<PoolSetUp>): PoolSetUp {
  return {
    id: 'default',
    home: 'running',
    kind: 'llamacpp',
    engines: 1,
    slots: 1,
    modelFile: undefined,
    overrides: {},
    ...changes,
  };
}

/** The secret of a key that scenarios know by its id: of the right form, and always the same. */
export function secretOf(keyId: string): string {
  return `lo_${createHash('sha256').update(`bdd ${keyId}`).digest('base64url')}`;
}

/** The tenants that a set-up names, with the one that is always there. */
export function tenantsOf({ config, keys }: SetUp): readonly string[] {
  const configured = (config.tenants ?? []).flatMap(({ id }) => (id === undefined ? [] : [id]));
  return [...new Set(['default', ...configured, ...keys.map(({ tenant }) => tenant)])];
}
