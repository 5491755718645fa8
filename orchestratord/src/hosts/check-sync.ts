/** Whether a sync may be used; every refusal says what to do about it (OC-POOL-3103). */
import {
  API_VERSION,
  OrchError,
  invalidParams,
  jsonPointer,
  type FaultDetail,
  type HostSync,
} from '@llama-orch/contracts';
import type { RemoteHost } from './remote-host.ts';

export interface SyncRules {
  readonly isPool: (poolId: string) => boolean;
  /** The only host that may have replicas of the pool, where there is one. */
  readonly hostOf: (poolId: string) => string | undefined;
  /** Whose id it is, when that is not the host that reports it. */
  readonly ownerOf: (replicaId: string, hostId: string) => string | undefined;
}

/** @throws OrchError CONFLICT, NOT_FOUND, INVALID_PARAMS */
export function checkSync(hostId: string, sync: HostSync, rules: SyncRules): void {
  if (majorOf(sync.api_version) !== majorOf(API_VERSION)) {
    const message = `this orchestratord speaks version ${API_VERSION} of the pool API, the host ${sync.api_version}: bring both to the same major version`;
    throw new OrchError('CONFLICT', message);
  }
  if (!URL.canParse(sync.gateway_url))
    throw invalidParams('The sync', [{ path: '/gateway_url', message: 'is not a URL' }]);
  checkPools(hostId, sync, rules);
  checkIds(hostId, sync, rules);
}

function majorOf(version: string): string | undefined {
  return version.split('.')[0];
}

function checkPools(
  hostId: string,
  { replicas, pools = [] }: HostSync,
  { isPool, hostOf }: SyncRules,
): void {
  const named = new Set([...replicas, ...pools].map((each) => each.pool_id));
  const unknown = [...named].filter((id) => !isPool(id));
  const foreign = [...named].find((id) => (hostOf(id) ?? hostId) !== hostId);
  if (foreign !== undefined) {
    const message = `pool ${foreign} is for host ${hostOf(foreign)} alone (host_id in llama-orch.yaml): take it from the configuration of this one`;
    throw new OrchError('CONFLICT', message);
  }
  if (unknown.length === 0) return;
  const message = `no pool is called ${unknown.join(' or ')}: add it to the pools of llama-orch.yaml (launch: remote), or take it from the host's configuration`;
  throw new OrchError('NOT_FOUND', message);
}

function checkIds(hostId: string, { replicas }: HostSync, { ownerOf }: SyncRules): void {
  const seen = new Set<string>();
  const faults: FaultDetail[] = [];
  for (const [n, { replica_id: id }] of replicas.entries()) {
    const path = jsonPointer('replicas', n, 'replica_id');
    if (!id.startsWith(`${hostId}.`)) faults.push({ path, message: `must begin with ${hostId}.` });
    if (seen.has(id)) faults.push({ path, message: 'is there twice' });
    seen.add(id);
    const owner = ownerOf(id, hostId);
    if (owner === undefined) continue;
    throw new OrchError('CONFLICT', `${owner} has a replica ${id}: choose another host_id`);
  }
  if (faults.length > 0) throw invalidParams('The sync', faults);
}

/**
 * Whether the instance that speaks is the one known (true), or surely comes after its end (false).
 * @throws OrchError CONFLICT when the known one may still live, or the one that speaks is dead
 */
export function isKnownInstance(host: RemoteHost, sync: HostSync, nowMs: number): boolean {
  const { id, home, generation } = sync.instance;
  const known = host.instance;
  if (id === known.id) return true;
  if (home === known.home) {
    // Only one process can hold a data directory, and each start on it counts one up.
    if (generation > known.generation) return false;
    throw new OrchError('CONFLICT', 'a later start of this host has registered; stop this process');
  }
  const waitMs = Math.ceil(host.surelyOverAtMs - nowMs);
  if (waitMs <= 0) return false;
  const message = `host ${host.hostId} is registered from another data directory: give each host a host_id of its own; if that one is gone, this one is taken ${waitMs} ms from now`;
  throw new OrchError('CONFLICT', message, { retriable: true });
}
