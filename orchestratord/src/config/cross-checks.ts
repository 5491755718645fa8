/** What a schema cannot say: rules that hold between the values of a configuration. */
import { BlockList, isIP } from 'node:net';

import type { Config, FaultDetail, PoolConfig } from '@llama-orch/contracts';
import { jsonPointer } from '@llama-orch/contracts';
import { gpusOf } from '@llama-orch/pool-managerd';
import {
  checkDevices,
  checkLaunch,
  checkUnique,
  deviceOf,
} from '@llama-orch/pool-managerd/process';

import { DEFAULT_TENANT } from '../auth/identity.ts';
import { promisedDeterminism } from './promised-determinism.ts';

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

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
    ...checkDevices(config.pools),
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

/** What a pool shares with others of its host: its GPUs, or whatever else it computes on. */
export function sharedDevices(pool: PoolConfig): readonly string[] {
  const gpus = gpusOf(deviceOf(pool));
  const devices = gpus.length > 0 ? gpus.map((gpu) => `gpu:${gpu}`) : [deviceOf(pool)];
  return devices.map((device) =>
    pool.host_id === undefined ? device : `${pool.host_id}/${device}`,
  );
}

function checkPool(pool: PoolConfig): readonly FaultDetail[] {
  const faults: FaultDetail[] = [];
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
  if (pool.keep_alive_ms !== undefined && pool.launch === 'external') {
    const message = 'is for engines that are started here: those of others cannot be unloaded';
    faults.push({ path: '/keep_alive_ms', message });
  }
  if (pool.keep_alive_ms !== undefined && pool.launch === 'remote' && pool.host_id === undefined) {
    const message = 'is required with keep_alive_ms: pools take turns on the devices of one host';
    faults.push({ path: '/host_id', message });
  }
  if (pool.host_id !== undefined && pool.launch !== 'remote') {
    faults.push({ path: '/host_id', message: 'is only for launch: remote' });
  }
  if (pool.audit.share > 0 && pool.keep_alive_ms !== undefined) {
    const message =
      'is for pools that keep their devices: others may wait for those that take turns';
    faults.push({ path: '/audit/share', message });
  }
  if (pool.audit.share > 0 && promisedDeterminism(pool) === 'none') {
    const message = 'has nothing to find: the pool promises no determinism';
    faults.push({ path: '/audit/share', message });
  }
  return [...faults, ...checkLaunch(pool)];
}
