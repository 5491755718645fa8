/**
 * The configuration of a host: flags over environment over its file over defaults, checked against
 * openapi/config.yaml (HostConfig) and against itself.
 */
import { dirname } from 'node:path';

import type { FaultDetail, HostConfig, HostPoolConfig } from '@llama-orch/contracts';
import { HOST_CONFIG_LEAVES, jsonPointer, validateHostConfig } from '@llama-orch/contracts';

import { readEngineInputs, type EngineInputsByPool } from '../process/engine-inputs.ts';
import { ConfigLayers, type LayersInput } from '../process/config-layers.ts';
import { checkDevices, checkLaunch, checkUnique } from '../process/pool-checks.ts';
import type { Program } from '../process/program.ts';
import { wireId } from '../sync/host-report.ts';

export const HELP = `pool-managerd: runs the engines of this host and registers them with orchestratord.

  --config FILE      configuration of the host; also POOL_MANAGERD_CONFIG
  --data-dir DIR     where its identity and run files live; default .pool-managerd beside the file
  --log-level LEVEL  trace, debug, info, warn, error, fatal or silent; default info
  --help             print this and exit

Flags win over POOL_MANAGERD_* in the environment, which win over the file. Every value of the file has
a variable: gateway.port is POOL_MANAGERD_GATEWAY__PORT.
`;

export const POOL_MANAGERD: Program = {
  variablePrefix: 'POOL_MANAGERD_',
  shortNames: new Map(),
  isForeign: () => false,
  flags: { 'data-dir': ['data_dir'], 'log-level': ['log', 'level'] },
  leaves: HOST_CONFIG_LEAVES,
  defaultFile: undefined,
};

/** As long as an id of a replica may be. */
const MAX_REPLICA_ID_CHARS = 64;
const WILDCARDS: ReadonlySet<string> = new Set(['0.0.0.0', '::']);

export interface LoadedHostConfig {
  /** Complete: defaults filled in, all paths absolute. */
  readonly config: HostConfig;
  readonly engineInputs: EngineInputsByPool;
  readonly sources: ReadonlyMap<string, string>;
}

/** @throws OrchError INVALID_PARAMS; `details` name each value at fault and where it was set */
export function loadHostConfig(input: LayersInput): LoadedHostConfig {
  const layers = new ConfigLayers(input, POOL_MANAGERD);
  const checked = validateHostConfig(layers.merged());
  const faults = checked.ok ? crossCheck(checked.value) : checked.details;
  if (!checked.ok || faults.length > 0) throw layers.refusal(faults);
  const fileDir = layers.file === undefined ? input.cwd : dirname(layers.file.path);
  const config = resolved(checked.value, layers, fileDir);
  const beyond = readEngineInputs(config.pools, input);
  if (beyond.faults.length > 0) throw layers.refusal(beyond.faults);
  return { config, engineInputs: beyond.inputs, sources: layers.sources };
}

function crossCheck(config: HostConfig): readonly FaultDetail[] {
  const { pools, gateway } = config;
  return [
    ...(WILDCARDS.has(gateway.host) && gateway.advertise_url === undefined
      ? [{ path: '/gateway/advertise_url', message: `is required with host ${gateway.host}` }]
      : []),
    ...checkUnique(
      pools.map((pool, i) => ({ path: jsonPointer('pools', i, 'id'), value: pool.id })),
    ),
    ...checkUnique(
      config.models.map(({ id }, i) => ({ path: jsonPointer('models', i, 'id'), value: id })),
    ),
    ...checkUnique(
      pools.flatMap((pool, i) =>
        (pool.endpoints ?? []).map((value, n) => ({
          path: jsonPointer('pools', i, 'endpoints', n),
          value,
        })),
      ),
    ),
    ...checkDevices(pools),
    ...pools.flatMap((pool, i) =>
      [...checkLaunch(pool), ...checkOnDemand(pool), ...checkReplicaIds(config, pool)].map(
        ({ path, message }) => ({
          path: jsonPointer('pools', i) + path,
          message,
        }),
      ),
    ),
  ];
}

function checkOnDemand({ on_demand: onDemand, launch }: HostPoolConfig): readonly FaultDetail[] {
  if (!onDemand || launch !== 'external') return [];
  const message = 'is for engines that are started here: those of others cannot be unloaded';
  return [{ path: '/on_demand', message }];
}

/** OC-CONFIG-6018 */
function checkReplicaIds(
  { host_id: hostId }: HostConfig,
  { id, replicas, endpoints }: HostPoolConfig,
): readonly FaultDetail[] {
  const last = wireId(hostId, `${id}-${(endpoints?.length ?? replicas) - 1}`);
  if (last.length <= MAX_REPLICA_ID_CHARS) return [];
  const message = `makes replica ids such as ${last}, of more than ${MAX_REPLICA_ID_CHARS} characters: shorten it, or host_id`;
  return [{ path: '/id', message }];
}

function resolved(config: HostConfig, layers: ConfigLayers, base: string): HostConfig {
  const { orchestrator } = config;
  const { key_file: keyFile } = orchestrator;
  return {
    ...config,
    data_dir: layers.absolute(config.data_dir, '/data_dir', base),
    orchestrator:
      keyFile === undefined
        ? orchestrator
        : { ...orchestrator, key_file: layers.absolute(keyFile, '/orchestrator/key_file', base) },
    pools: config.pools.map((pool, i): HostPoolConfig => ({
      ...pool,
      replicas: pool.endpoints?.length ?? pool.replicas,
      model: layers.model(pool.model, i, base),
    })),
    models: config.models.map((model, i) => ({
      ...model,
      path: layers.absolute(model.path, jsonPointer('models', i, 'path'), base),
    })),
  };
}
