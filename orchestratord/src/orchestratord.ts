/**
 * Wires the daemon: ledger → core → pools → HTTP. Nothing here decides; to follow a request start at
 * `routes/tasks.ts`, to follow a token at `tasks/attempt.ts`.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  API_VERSION,
  CONTRACT_FILES,
  OrchError,
  type Config,
  type PoolConfig,
} from '@llama-orch/contracts';
import {
  createCore,
  type Core,
  type PoolSpec,
  type ResidencySpec,
} from '@llama-orch/orchestrator-core';
import { createPoolManager, type PoolManager } from '@llama-orch/pool-managerd';
import { toPoolConfig, type EngineInputsByPool } from '@llama-orch/pool-managerd/process';
import { adapterOf, EMBEDDED_ENTRY } from '@llama-orch/worker-adapters';
import { KeyRing } from './auth/key-ring.ts';
import { RateLimits, tenantsOf } from './auth/tenants.ts';
import type { Clock } from './clock.ts';
import { sharedDevices } from './config/cross-checks.ts';
import { modelFinder } from './config/model-targets.ts';
import { promisedDeterminism } from './config/promised-determinism.ts';
import { InheritedLeases } from './hosts/inherited-leases.ts';
import { KnownHosts } from './hosts/known-hosts.ts';
import { PoolFleet } from './hosts/pool-fleet.ts';
import type { PoolAdapterOptions } from './hosts/remote-replicas.ts';
import { RemoteHosts } from './hosts/remote-hosts.ts';
import { createApp } from './http/app.ts';
import { limitRate } from './http/authenticate.ts';
import { readBody as bodyReader } from './http/request-body.ts';
import { listen, type HttpServer } from './http/server.ts';
import { openLedger } from './ledger/open-ledger.ts';
import type { Ledger } from './ledger/types.ts';
import type { Logger } from './logging.ts';
import { createMetrics, type Metrics } from './metrics/metrics.ts';
import { SloWindow } from './metrics/slo-window.ts';
import { eventRoutes } from './routes/events.ts';
import { hostRoutes } from './routes/hosts.ts';
import { operationsRoutes } from './routes/operations.ts';
import { poolRoutes, type ConfiguredPool } from './routes/pools.ts';
import { sessionRoutes } from './routes/sessions.ts';
import { taskRoutes } from './routes/tasks.ts';
import { loadPrefixSecret } from './tasks/prefix-secret.ts';
import { createTaskRuntime, type TaskRuntime } from './tasks/task-runtime.ts';

export interface DaemonPorts {
  readonly clock: Clock;
  /** 0 ≤ x < 1. */
  readonly random: () => number;
  readonly log: Logger;
  /** The ledger stayed broken: the process must end and be restarted. */
  readonly onFatal: (error: unknown) => void;
}

export interface Daemon {
  readonly url: string;
  /** Resolves when every loaded pool that launches its own engines has a ready replica, or after `timeoutMs`. */
  untilServing(timeoutMs: number): Promise<void>;
  /** Refuses new work, lets running tasks finish for `graceMs`, persists, stops the engines. */
  stop(graceMs: number): Promise<void>;
}

/** Engines get this long to stop, ms. */
const ENGINE_STOP_MS = 2_000;
/** Readers of tasks that have just ended get this long to receive the end, ms. */
const READER_FLUSH_MS = 500;
/** Of a host's report: 256 replicas with their chat envelopes and errors. */
const SYNC_LIMIT_BYTES = 4 * 1024 * 1024;

/** @throws LedgerError, OrchError, or Error when the address cannot be bound */
export async function startDaemon(
  config: Config,
  engineInputs: EngineInputsByPool,
  ports: DaemonPorts,
): Promise<Daemon> {
  const { clock, random, log, onFatal } = ports;
  const ledger = await openLedger({ path: join(config.data_dir, 'ledger.db') });
  const metrics = createMetrics();
  const slo = new SloWindow();
  const core = createCore({
    sessionLimits: { ttlMs: config.sessions.ttl_ms, maxTurns: config.sessions.max_turns },
    tuning: { gatherArrivals: true },
  });
  const { pools, hosts } = createPools(config, engineInputs, ports);
  const runtime = createTaskRuntime({
    config,
    core,
    ledger,
    prefixSecret: loadPrefixSecret(config.data_dir),
    pools,
    metrics,
    slo,
    clock,
    random,
    log,
    onFatal,
  });
  const recovered = await runtime.recover(config.pools.map(toPoolSpec));
  log.info(recovered, 'recovered from the ledger');
  runtime.start();

  let server: HttpServer;
  try {
    server = await serve(config, { core, ledger, pools, hosts, runtime, metrics, slo, clock, log });
  } catch (error) {
    await runtime.stop();
    await pools.stop(ENGINE_STOP_MS);
    await ledger.close();
    throw error;
  }

  return {
    url: server.url,
    untilServing: (timeoutMs) => untilServing(config, pools, clock, timeoutMs),
    async stop(graceMs) {
      runtime.service.close();
      await runtime.quiesce(graceMs);
      runtime.abandon();
      hosts.close();
      await server.close(READER_FLUSH_MS);
      await runtime.stop();
      await pools.stop(ENGINE_STOP_MS);
      await ledger.close();
    },
  };
}

/** Local replicas and those of registered hosts, behind one port. */
function createPools(
  config: Config,
  engineInputs: EngineInputsByPool,
  { clock, random, log }: DaemonPorts,
): { readonly pools: PoolManager; readonly hosts: RemoteHosts } {
  const own = config.pools.flatMap(({ launch, ...pool }) =>
    launch === 'remote' ? [] : toPoolConfig({ ...pool, launch }, engineInputs.get(pool.id)),
  );
  const localPoolIds = own.map((pool) => pool.id);
  const remoteIds = config.pools.flatMap(({ id, launch }) => (launch === 'remote' ? id : []));
  const local = createPoolManager({
    pools: own,
    dataDir: config.data_dir,
    openAdapter: (engine) => adapterOf(engine).open,
    embeddedEntry: EMBEDDED_ENTRY,
    clock,
    random: { next: random },
    logger: log,
  });
  const known = new KnownHosts(config.data_dir);
  const inherited = new InheritedLeases({
    hosts: known.inherited,
    clock,
    onFree: (poolId) => fleet.announce(poolId),
    onExpired: (hostId) => known.remove(hostId),
  });
  const hosts = new RemoteHosts({
    models: {
      wanted: new Map([...known.wanted].filter(([poolId]) => remoteIds.includes(poolId))),
      remember: (poolId, wanted) => known.want(poolId, wanted),
    },
    orchestratorId: known.orchestratorId,
    poolIds: config.pools.map((pool) => pool.id),
    hostOf: (poolId) => config.pools.find(({ id }) => id === poolId)?.host_id,
    takesTurns: (poolId) =>
      config.pools.find(({ id }) => id === poolId)?.keep_alive_ms !== undefined,
    adapterOptionsOf: (poolId, modelId) => adapterOptionsOf(config, engineInputs, poolId, modelId),
    isLocal: (replicaId) =>
      localPoolIds.some((poolId) =>
        local.replicas(poolId).some((each) => each.replicaId === replicaId),
      ),
    openAdapter: (engine) => adapterOf(engine).open,
    onHeard: ({ hostId, ttlMs, poolIds }) => known.add(hostId, { ttlMs, poolIds: [...poolIds] }),
    onTakenOver: ({ hostId }) => inherited.end(hostId),
    onOver: ({ hostId }) => known.remove(hostId),
    clock,
    logger: log,
  });
  const fleet = new PoolFleet({ local, localPoolIds, remote: hosts, inherited });
  return { pools: fleet, hosts };
}

interface Served {
  readonly core: Core;
  readonly ledger: Ledger;
  readonly pools: PoolManager;
  readonly hosts: RemoteHosts;
  readonly runtime: TaskRuntime;
  readonly metrics: Metrics;
  readonly slo: SloWindow;
  readonly clock: Clock;
  readonly log: Logger;
}

function serve(config: Config, served: Served): Promise<HttpServer> {
  const { core, ledger, pools, hosts, runtime, metrics, slo, clock, log } = served;
  const { host, service, queries, verifier } = runtime;
  const heartbeatMs = config.server.heartbeat_ms;
  const dataContract = readFileSync(CONTRACT_FILES.data, 'utf8');
  const controlContract = readFileSync(CONTRACT_FILES.control, 'utf8');
  const poolContract = readFileSync(CONTRACT_FILES.pool, 'utf8');
  const tenants = tenantsOf(config);
  const readBody = bodyReader(config.server.body_limit_bytes);
  const app = createApp({
    keys: config.auth.keys.length === 0 ? undefined : new KeyRing(config.auth.keys),
    log,
    routers: [
      taskRoutes({
        service,
        queries,
        verifier,
        ledger,
        metrics,
        heartbeatMs,
        limitRate: limitRate({ limits: new RateLimits(tenants.values()), clock }),
        readBody,
      }),
      sessionRoutes({
        core,
        host,
        clock,
        maxTurns: config.sessions.max_turns,
        kvBytesPerToken: (poolId) => pools.replicas(poolId)[0]?.kvBytesPerToken ?? 0,
      }),
      poolRoutes({
        apiVersion: API_VERSION,
        pools: config.pools.map(toConfiguredPool),
        tenants,
        findModel: modelFinder(config),
        readBody,
        manager: pools,
        core,
        host,
        clock,
        slo,
        runningOn: (replicaId) => runtime.runningOn(replicaId),
        findings: runtime.findings,
      }),
      hostRoutes({ hosts, readBody: bodyReader(SYNC_LIMIT_BYTES) }),
      eventRoutes({ ledger, heartbeatMs, onEvents: (listener) => runtime.onEvents(listener) }),
      operationsRoutes({
        checks: () => runtime.checks(),
        scrape: () => runtime.scrape(),
        dataContract,
        controlContract,
        poolContract,
      }),
    ],
  });
  return listen(app, {
    host: config.server.host,
    port: config.server.port,
    headerTimeoutMs: config.server.header_timeout_ms,
    idleTimeoutMs: config.server.idle_timeout_ms,
  });
}

function untilServing(
  config: Config,
  pools: PoolManager,
  clock: Clock,
  timeoutMs: number,
): Promise<void> {
  const launched = config.pools
    .filter(({ launch }) => launch === 'embedded' || launch === 'process')
    .map((pool) => pool.id);
  const isServing = () =>
    launched.every((id) => {
      const health = pools.health(id);
      return health.ready || !health.recoverable || health.loaded === false;
    });
  if (isServing()) return Promise.resolve();
  return new Promise((resolve) => {
    const finish = (): void => {
      cancel();
      unsubscribe();
      resolve();
    };
    const cancel = clock.setTimer(timeoutMs, finish);
    const unsubscribe = pools.subscribe(() => {
      if (isServing()) finish();
    });
  });
}

function toPoolSpec(pool: PoolConfig): PoolSpec {
  const { interactive_capacity: interactive, batch_capacity: batch } = pool.queue;
  return {
    poolId: pool.id,
    engine: pool.engine,
    capacity: pool.queue.capacity,
    classCapacity: {
      ...(interactive === undefined ? {} : { interactive }),
      ...(batch === undefined ? {} : { batch }),
    },
    fullPolicy: pool.queue.full_policy,
    wallMs: pool.timeouts.wall_ms,
    idleMs: pool.timeouts.idle_ms,
    ctx: pool.ctx,
    device: pool.device,
    maxAttempts: pool.max_attempts,
    classWeights: {
      interactive: pool.scheduling.interactive_weight,
      batch: pool.scheduling.batch_weight,
    },
    preemption: pool.scheduling.preemption,
    maxPreemptions: pool.scheduling.max_preemptions,
    residency: toResidency(pool),
  };
}

function toResidency(pool: PoolConfig): ResidencySpec | undefined {
  const { keep_alive_ms: keepAliveMs, swap } = pool;
  if (keepAliveMs === undefined) return undefined;
  return {
    devices: sharedDevices(pool),
    share: swap.device_share,
    keepAliveMs: keepAliveMs < 0 ? undefined : keepAliveMs,
    minResidencyMs: swap.min_residency_ms,
    maxWaitMs: swap.max_wait_ms,
    loadMs: swap.load_ms,
  };
}

function adapterOptionsOf(
  { pools }: Config,
  engineInputs: EngineInputsByPool,
  poolId: string,
  modelId: string,
): PoolAdapterOptions {
  const pool = pools.find(({ id }) => id === poolId);
  if (pool === undefined) throw new OrchError('NOT_FOUND', `there is no pool ${poolId}`);
  const { wall_ms: wallMs, connect_ms: connectMs, control_ms: controlMs } = pool.timeouts;
  return {
    timeouts: { connectMs, controlMs, headersMs: wallMs, bodyMs: wallMs },
    model: pool.model.served_name ?? modelId,
    chatTemplate: engineInputs.get(poolId)?.chatTemplate,
    textOutput: pool.text_output,
  };
}

function toConfiguredPool(pool: PoolConfig): ConfiguredPool {
  return {
    id: pool.id,
    engine: pool.engine,
    launch: pool.launch,
    modelId: pool.model.id,
    aliases: pool.model.aliases,
    device: pool.device,
    replicas: pool.replicas,
    fullPolicy: pool.queue.full_policy,
    capacity: pool.queue.capacity,
    ctx: pool.ctx,
    workloads: pool.workloads,
    features: adapterOf(pool.engine).capabilities.features,
    determinism: promisedDeterminism(pool),
  };
}
