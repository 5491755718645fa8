/** Rules between the values of a pool that say how its replicas are launched. */
import type { FaultDetail, HostPoolConfig } from '@llama-orch/contracts';
import { jsonPointer } from '@llama-orch/contracts';
import { adapterOf } from '@llama-orch/worker-adapters';

import { COMMAND_PLACEHOLDERS } from '../command-line.ts';
import { gpusOf } from '../device-mask.ts';

/** What a pool says of its replicas, whoever launches them. */
export type LaunchConfig = Pick<
  HostPoolConfig,
  | 'id'
  | 'replicas'
  | 'endpoints'
  | 'replica_labels'
  | 'restart'
  | 'command'
  | 'model'
  | 'device'
  | 'devices'
  | 'tensor_split'
  | 'share'
  | 'engine'
  | 'workloads'
> & {
  readonly launch: HostPoolConfig['launch'] | 'remote';
  /** Set for pools that take turns on their devices. */
  readonly keep_alive_ms?: number | undefined;
  readonly metrics_url?: string | undefined;
  /** Of a host's pool that does. */
  readonly on_demand?: boolean | undefined;
};

const PLACEHOLDERS: readonly string[] = COMMAND_PLACEHOLDERS.map((name) => `{${name}}`);

export function checkUnique(
  entries: readonly { readonly path: string; readonly value: string }[],
): readonly FaultDetail[] {
  const first = new Map<string, string>();
  return entries.flatMap(({ path, value }) => {
    const other = first.get(value);
    if (other === undefined) first.set(value, path);
    return other === undefined ? [] : [{ path, message: `is the same as ${other}` }];
  });
}

/** `path`s begin at the pool. */
export function checkLaunch(pool: LaunchConfig): readonly FaultDetail[] {
  const faults: FaultDetail[] = [];
  const count = pool.endpoints?.length ?? pool.replicas;
  if (pool.replicas !== count && pool.replicas !== 1) {
    const message = `must be left out or equal the number of endpoints, ${count}`;
    faults.push({ path: '/replicas', message });
  }
  if (pool.replica_labels.length > count) {
    const message = `has more entries than the pool has replicas, ${count}`;
    faults.push({ path: '/replica_labels', message });
  }
  if (pool.restart.initial_delay_ms > pool.restart.max_delay_ms) {
    faults.push({ path: '/restart/initial_delay_ms', message: 'must be at most max_delay_ms' });
  }
  return [
    ...faults,
    ...checkSplit(pool),
    ...checkWorkloads(pool),
    ...checkCommand(pool),
    ...checkMetricsUrl(pool),
  ];
}

/** Several replicas whose metrics were read at one place would each be given the load of the same one. */
function checkMetricsUrl(pool: LaunchConfig): readonly FaultDetail[] {
  const { metrics_url: url, endpoints = [], replicas } = pool;
  if (url === undefined) return [];
  const path = '/metrics_url';
  const hosts = new Set(endpoints.map((endpoint) => URL.parse(endpoint)?.hostname));
  if (!URL.canParse(url.replace('{host}', 'host'))) return [{ path, message: 'is no address' }];
  const places = url.includes('{host}') && hosts.size > 0 ? hosts.size : 1;
  if ((pool.endpoints?.length ?? replicas) <= places) return [];
  return [
    { path, message: 'is the same place for several replicas; {host} is that of an endpoint' },
  ];
}

/** Two pools that do not know of each other would each count on the whole of a GPU. */
export function checkDevices(pools: readonly LaunchConfig[]): readonly FaultDetail[] {
  return pools.flatMap((pool, i) => {
    if (!isLaunched(pool)) return [];
    const mine = gpusOf(deviceOf(pool));
    const other = pools
      .slice(0, i)
      .find(
        (each) =>
          isLaunched(each) &&
          !(each.share && pool.share) &&
          !(takesTurns(each) && takesTurns(pool)) &&
          gpusOf(deviceOf(each)).some((gpu) => mine.includes(gpu)),
      );
    if (other === undefined) return [];
    const path = jsonPointer('pools', i, pool.devices === undefined ? 'device' : 'devices');
    const message = `has a GPU that pool ${other.id} has too; if that is meant, both say share: true, or have keep_alive_ms (on a host: on_demand)`;
    return [{ path, message }];
  });
}

/** It is loaded when it is asked for. */
export function takesTurns(pool: Pick<LaunchConfig, 'keep_alive_ms' | 'on_demand'>): boolean {
  return pool.keep_alive_ms !== undefined || pool.on_demand === true;
}

/** Its engines run in this process's keeping. */
function isLaunched({ launch }: LaunchConfig): boolean {
  return launch === 'embedded' || launch === 'process';
}

/** The device of a pool, in whichever way it is given. */
export function deviceOf({ device, devices }: Pick<LaunchConfig, 'device' | 'devices'>): string {
  return devices === undefined ? device : `cuda:${devices.join(',')}`;
}

/** A split that the engine is not told of would only be counted with. */
function checkSplit(pool: LaunchConfig): readonly FaultDetail[] {
  const faults: FaultDetail[] = [];
  const gpus = gpusOf(deviceOf(pool));
  if (pool.devices !== undefined && pool.device !== 'cpu') {
    faults.push({ path: '/devices', message: 'cannot be given together with device' });
  }
  const { tensor_split: split, command = [] } = pool;
  if (split === undefined) return faults;
  if (split.length !== gpus.length) {
    const message = `must have one ratio for each GPU of the pool, ${gpus.length}`;
    faults.push({ path: '/tensor_split', message });
  }
  if (!command.some((word) => word.includes('{tensor_split}'))) {
    const message = 'is used only by a command with {tensor_split}';
    faults.push({ path: '/tensor_split', message });
  }
  return faults;
}

function checkWorkloads({ engine, workloads }: LaunchConfig): readonly FaultDetail[] {
  const served = adapterOf(engine).capabilities.workloads;
  return workloads.flatMap((workload, n) =>
    served.includes(workload)
      ? []
      : [
          {
            path: jsonPointer('workloads', n),
            message: `is not served by ${engine}, which has ${served.join(', ')}`,
          },
        ],
  );
}

function checkCommand(pool: LaunchConfig): readonly FaultDetail[] {
  const { command, model } = pool;
  if (command === undefined) return [];
  const faults: FaultDetail[] = [];
  const used = new Set(command.flatMap((word) => word.match(/\{[a-z_]+\}/g) ?? []));
  for (const [n, word] of command.entries()) {
    const unknown = (word.match(/\{[a-z_]+\}/g) ?? []).find((p) => !PLACEHOLDERS.includes(p));
    if (unknown) {
      const message = `uses ${unknown}; there are only ${PLACEHOLDERS.join(' ')}`;
      faults.push({ path: jsonPointer('command', n), message });
    }
  }
  if (!used.has('{port}')) {
    faults.push({ path: '/command', message: 'must use {port}, each replica gets its own' });
  }
  if (used.has('{model}') && model.path === undefined) {
    faults.push({ path: '/model/path', message: 'is required, since command uses {model}' });
  }
  if (used.has('{tensor_split}') && pool.tensor_split === undefined) {
    const message = 'is required, since command uses {tensor_split}';
    faults.push({ path: '/tensor_split', message });
  }
  if (used.has('{devices}') && gpusOf(deviceOf(pool)).length === 0) {
    faults.push({ path: '/devices', message: 'is required, since command uses {devices}' });
  }
  return faults;
}
