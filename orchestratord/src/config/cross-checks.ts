/** What a schema cannot say: rules that hold between the values of a configuration. */
import { BlockList, isIP } from 'node:net';

import type { Config, FaultDetail, PoolConfig } from '@llama-orch/contracts';
import { jsonPointer } from '@llama-orch/contracts';
import { COMMAND_PLACEHOLDERS, gpusOf } from '@llama-orch/pool-managerd';
import { adapterOf } from '@llama-orch/worker-adapters';

import { DEFAULT_TENANT } from '../auth/identity.ts';

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

const PLACEHOLDERS: readonly string[] = COMMAND_PLACEHOLDERS.map((name) => `{${name}}`);

/** Every fault found; `details` hold JSON pointers into the configuration. */
export function crossCheck(config: Config): readonly FaultDetail[] {
  return [
    ...checkHost(config),
    ...checkKeys(config),
    ...checkTenants(config),
    ...checkUnique(
      config.pools.map((pool, i) => ({ path: jsonPointer('pools', i, 'id'), value: pool.id })),
    ),
    ...checkUnique(
      config.pools.flatMap((pool, i) =>
        (pool.endpoints ?? []).map((value, n) => ({
          path: jsonPointer('pools', i, 'endpoints', n),
          value,
        })),
      ),
    ),
    ...checkUnique(
      config.models.map(({ id }, i) => ({ path: jsonPointer('models', i, 'id'), value: id })),
    ),
    ...checkDevices(config),
    ...config.pools.flatMap((pool, i) =>
      checkPool(pool).map(({ path, message }) => ({
        path: jsonPointer('pools', i) + path,
        message,
      })),
    ),
  ];
}

function checkHost({ server: { host }, auth }: Config): readonly FaultDetail[] {
  if (auth.keys.length > 0) return [];
  const family = isIP(host);
  const loopback =
    family === 0
      ? host.toLowerCase() === 'localhost'
      : LOOPBACK.check(host, family === 6 ? 'ipv6' : 'ipv4');
  const message =
    'must be a loopback address (127.0.0.1, ::1, localhost): without API keys (auth.keys) anyone who ' +
    'reaches the port could run tasks';
  return loopback ? [] : [{ path: '/server/host', message }];
}

function checkKeys({ auth: { keys }, tenants }: Config): readonly FaultDetail[] {
  const known = new Set([DEFAULT_TENANT, ...tenants.map((tenant) => tenant.id)]);
  const at = (i: number, field: string) => jsonPointer('auth', 'keys', i, field);
  return [
    ...checkUnique(keys.map(({ id }, i) => ({ path: at(i, 'id'), value: id }))),
    ...checkUnique(keys.map(({ sha256 }, i) => ({ path: at(i, 'sha256'), value: sha256 }))),
    ...keys.flatMap(({ tenant }, i) =>
      known.has(tenant) ? [] : [{ path: at(i, 'tenant'), message: 'is not one of the tenants' }],
    ),
  ];
}

function checkTenants({ tenants }: Config): readonly FaultDetail[] {
  const at = (i: number, field: string) => jsonPointer('tenants', i, field);
  return [
    ...checkUnique(tenants.map(({ id }, i) => ({ path: at(i, 'id'), value: id }))),
    ...tenants.flatMap(({ burst, rps }, i) =>
      burst === undefined || rps !== undefined
        ? []
        : [{ path: at(i, 'burst'), message: 'is used only together with rps' }],
    ),
  ];
}

function checkUnique(
  entries: readonly { readonly path: string; readonly value: string }[],
): readonly FaultDetail[] {
  const first = new Map<string, string>();
  return entries.flatMap(({ path, value }) => {
    const other = first.get(value);
    if (other === undefined) first.set(value, path);
    return other === undefined ? [] : [{ path, message: `is the same as ${other}` }];
  });
}

/** Two pools that do not know of each other would each count on the whole of a GPU. */
function checkDevices({ pools }: Config): readonly FaultDetail[] {
  return pools.flatMap((pool, i) => {
    if (pool.launch === 'external') return [];
    const mine = gpusOf(deviceOf(pool));
    const other = pools
      .slice(0, i)
      .find(
        (each) =>
          each.launch !== 'external' &&
          !(each.share && pool.share) &&
          !(each.keep_alive_ms !== undefined && pool.keep_alive_ms !== undefined) &&
          gpusOf(deviceOf(each)).some((gpu) => mine.includes(gpu)),
      );
    if (other === undefined) return [];
    const path = jsonPointer('pools', i, pool.devices === undefined ? 'device' : 'devices');
    const message = `has a GPU that pool ${other.id} has too; if that is meant, both say share: true, or have keep_alive_ms`;
    return [{ path, message }];
  });
}

/** What a pool shares with others: its GPUs, or whatever else it computes on. */
export function sharedDevices(pool: PoolConfig): readonly string[] {
  const gpus = gpusOf(deviceOf(pool));
  return gpus.length > 0 ? gpus.map((gpu) => `gpu:${gpu}`) : [deviceOf(pool)];
}

function deviceOf({ device, devices }: PoolConfig): string {
  return devices === undefined ? device : `cuda:${devices.join(',')}`;
}

/** A split that the engine is not told of would only be counted with. */
function checkSplit(pool: PoolConfig): readonly FaultDetail[] {
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

function checkPool(pool: PoolConfig): readonly FaultDetail[] {
  const faults: FaultDetail[] = [];
  const count = pool.endpoints?.length ?? pool.replicas;
  if (pool.replicas !== count && pool.replicas !== 1) {
    const message = `must be left out or equal the number of endpoints, ${count}`;
    faults.push({ path: '/replicas', message });
  }
  const { capacity, interactive_capacity: interactive, batch_capacity: batch } = pool.queue;
  for (const [name, bound] of Object.entries({ interactive, batch })) {
    if (bound !== undefined && bound > capacity) {
      const path = `/queue/${name}_capacity`;
      faults.push({ path, message: `must be at most the pool's capacity, ${capacity}` });
    }
  }
  if (interactive === 0 && batch === 0) {
    faults.push({ path: '/queue', message: 'leaves no room for any task' });
  }
  if (pool.replica_labels.length > count) {
    const message = `has more entries than the pool has replicas, ${count}`;
    faults.push({ path: '/replica_labels', message });
  }
  if (pool.keep_alive_ms !== undefined && pool.launch === 'external') {
    const message = 'is for engines that are started here: those of others cannot be unloaded';
    faults.push({ path: '/keep_alive_ms', message });
  }
  if (pool.restart.initial_delay_ms > pool.restart.max_delay_ms) {
    faults.push({ path: '/restart/initial_delay_ms', message: 'must be at most max_delay_ms' });
  }
  return [...faults, ...checkSplit(pool), ...checkWorkloads(pool), ...checkCommand(pool)];
}

function checkWorkloads({ engine, workloads }: PoolConfig): readonly FaultDetail[] {
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

function checkCommand(pool: PoolConfig): readonly FaultDetail[] {
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
