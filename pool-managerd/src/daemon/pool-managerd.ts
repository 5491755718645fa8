/**
 * Wires the host: engines under a manager, leases over them, the gateway to them, and the link to
 * orchestratord. Nothing here decides; start reading at `../sync/host-link.ts`.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { HostConfig } from '@llama-orch/contracts';
import { OrchError } from '@llama-orch/contracts';
import { adapterOf, EMBEDDED_ENTRY } from '@llama-orch/worker-adapters';
import { Gateway } from '../gateway/gateway.ts';
import { createPoolManager } from '../pool-manager.ts';
import type { Clock, Logger, Random } from '../ports.ts';
import type { EngineInputsByPool } from '../process/engine-inputs.ts';
import { toPoolConfig } from '../process/launched-pool.ts';
import { modelCatalog, toModelTarget } from '../process/model-catalog.ts';
import { HostLeases } from '../sync/host-leases.ts';
import { HostLink } from '../sync/host-link.ts';
import { HostModels } from '../sync/host-models.ts';
import { localId, wireId } from '../sync/host-report.ts';
import { createHttpTransport } from '../sync/transport.ts';
import type { PoolManager, ReplicaSnapshot } from '../types.ts';
import { openHostHome } from './host-home.ts';

export interface HostPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

export interface HostDaemon {
  /** Where the gateway listens. */
  readonly gatewayUrl: string;
  /** Takes nothing new, lets running work finish for `graceMs`, takes leave, stops the engines. */
  stop(graceMs: number): Promise<void>;
}

/** Engines get this long to stop, ms. */
const ENGINE_STOP_MS = 2_000;
const SECRET_BYTES = 32;

/** @throws OrchError, or Error when the gateway's address cannot be bound or the key cannot be read */
export async function startHost(
  config: HostConfig,
  engineInputs: EngineInputsByPool,
  ports: HostPorts,
): Promise<HostDaemon> {
  const { clock, random, logger } = ports;
  const { host_id: hostId } = config;
  const key = readKey(config);
  const home = openHostHome(config.data_dir);
  const poolIds = config.pools.map((pool) => pool.id);
  const manager = createPoolManager({
    pools: config.pools.map((pool) => toPoolConfig(pool, engineInputs.get(pool.id))),
    dataDir: config.data_dir,
    openAdapter: (engine) => adapterOf(engine).open,
    embeddedEntry: EMBEDDED_ENTRY,
    clock,
    random,
    logger,
    leaseTtlMs: config.lease_ttl_ms,
    leaseTokensAfter: home.leaseTokensAfter,
  });
  const leases = new HostLeases({
    manager,
    replicas: () => poolIds.flatMap((poolId) => manager.replicas(poolId)),
    leaseTtlMs: config.lease_ttl_ms,
    clock,
    makeSecret: () => randomBytes(SECRET_BYTES).toString('base64url'),
    onOver: (replicaId) => gateway.cut(wireId(hostId, replicaId)),
  });
  const gateway = new Gateway({
    host: config.gateway.host,
    port: config.gateway.port,
    bodyLimitBytes: config.gateway.body_limit_bytes,
    authorize: (id, credential) => {
      const replica = leases.authorize(localId(hostId, id) ?? '', credential);
      if (replica === undefined) return undefined;
      return { url: replica.url, apiKey: engineInputs.get(replica.poolId)?.apiKey };
    },
  });
  try {
    await gateway.listen();
  } catch (error) {
    home.close();
    throw error;
  }
  const link = new HostLink({
    hostId,
    instance: home.instance,
    gatewayUrl: config.gateway.advertise_url ?? gateway.url,
    leaseTtlMs: config.lease_ttl_ms,
    poolIds,
    labelsOf: (replica) => labelsOf(config, manager, replica),
    manager,
    leases,
    models: new HostModels({
      manager,
      configured: new Map(config.pools.map(({ id, model }) => [id, toModelTarget(model)])),
      catalog: modelCatalog(config),
      logger,
    }),
    endRequest: (requestId) => gateway.end(requestId),
    transport: createHttpTransport({ url: config.orchestrator.url, hostId, key }),
    clock,
    random,
    logger,
  });
  manager.subscribe((event) => {
    if (event.type !== 'replica' && event.type !== 'replica-gone') return;
    const { replicaId, poolId, state, lastError } = event.replica;
    logger.info(
      { replica_id: wireId(hostId, replicaId), pool_id: poolId, last_error: lastError },
      `replica is ${state}`,
    );
  });
  manager.start();
  link.start();
  return {
    gatewayUrl: gateway.url,
    async stop(graceMs) {
      link.drain();
      await gateway.untilIdle(graceMs, clock);
      leases.close();
      await gateway.close();
      await link.stop();
      await manager.stop(ENGINE_STOP_MS);
      home.close();
    },
  };
}

/** @throws OrchError INVALID_PARAMS when the file cannot be read */
function readKey({ orchestrator: { key_file: file } }: HostConfig): string | undefined {
  if (file === undefined) return undefined;
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unreadable';
    const message = `cannot read the key in ${file} (${code})`;
    throw new OrchError('INVALID_PARAMS', message, {
      details: [{ path: '/orchestrator/key_file', message: `cannot be read (${code})` }],
      cause: error,
    });
  }
}

function labelsOf(
  { pools }: HostConfig,
  manager: PoolManager,
  { poolId, replicaId, ordinal: place }: ReplicaSnapshot,
): Readonly<Record<string, string>> {
  const ordinal =
    place ?? manager.replicas(poolId).findIndex((each) => each.replicaId === replicaId);
  return pools.find(({ id }) => id === poolId)?.replica_labels[ordinal] ?? {};
}
