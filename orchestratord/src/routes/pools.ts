/** Control plane: capabilities, pools and the replicas behind them. */
import {
  OrchError,
  invalidParams,
  isName,
  validateCanaryRequest,
  validateDrainRequest,
  validateReloadRequest,
  type Capabilities,
  type DrainStatus,
  type EngineCapabilities,
  type Pool,
  type PoolChangeStatus,
  type PoolHealthView,
  type PoolMetrics,
  type PromisedDeterminism,
  type Replica,
  type ReplicaSet,
  type Validated,
  type Workload,
} from '@llama-orch/contracts';
import type { Core, PoolView } from '@llama-orch/orchestrator-core';
import type {
  PoolChange,
  PoolHealth,
  PoolManager,
  ReplicaSnapshot,
} from '@llama-orch/pool-managerd';
import { Router, type Request, type RequestHandler } from 'express';
import type { Findings } from '../audit/findings.ts';
import type { Identity } from '../auth/identity.ts';
import type { Tenant } from '../auth/tenants.ts';
import type { Clock } from '../clock.ts';
import type { FindModel } from '../config/model-targets.ts';
import { allow, identityOf } from '../http/authenticate.ts';
import { methodNotAllowed } from '../http/errors.ts';
import { parseJsonBody } from '../http/json-body.ts';
import type { SloWindow } from '../metrics/slo-window.ts';
import type { CoreHost } from '../tasks/core-host.ts';
import { SAMPLER_PROFILE_VERSION } from '../tasks/live-task.ts';

/** A pool as configured, with what its adapter can do. */
export interface ConfiguredPool {
  readonly id: string;
  readonly engine: Replica['engine'];
  readonly launch: Pool['launch'];
  readonly modelId: string;
  readonly aliases: readonly string[];
  readonly device: string;
  readonly replicas: number;
  readonly fullPolicy: Pool['full_policy'];
  readonly capacity: number;
  readonly ctx: number;
  readonly workloads: readonly Workload[];
  readonly features: readonly string[];
  readonly determinism: PromisedDeterminism;
}

export interface PoolRoutesOptions {
  readonly apiVersion: string;
  readonly pools: readonly ConfiguredPool[];
  readonly tenants: ReadonlyMap<string, Tenant>;
  readonly findModel: FindModel;
  readonly readBody: RequestHandler;
  readonly manager: PoolManager;
  readonly core: Core;
  readonly host: CoreHost;
  readonly clock: Clock;
  readonly slo: SloWindow;
  /** Tasks running on a replica now. */
  readonly runningOn: (replicaId: string) => number;
  /** What audits found. */
  readonly findings: Pick<Findings, 'viewOf'>;
}

export function poolRoutes(options: PoolRoutesOptions): Router {
  const { pools, tenants, manager, host, core, clock } = options;
  const router = Router();

  router
    .route('/v1/capabilities')
    .get(allow('getCapabilities'), (_req, res) => {
      res.json(toCapabilities(tenants.get(identityOf(res).tenantId), options));
    })
    .all(methodNotAllowed('GET'));

  router
    .route('/v1/replicasets')
    .get(allow('listReplicaSets'), (_req, res) => {
      res.json({ items: toReplicaSets(options, identityOf(res)) });
    })
    .all(methodNotAllowed('GET'));

  router
    .route('/v1/pools')
    .get(allow('listPools'), (_req, res) => {
      res.json({ items: pools.map((pool) => toPool(pool, options)) });
    })
    .all(methodNotAllowed('GET'));

  router
    .route('/v1/pools/:id/health')
    .get(allow('getPoolHealth'), (req, res) => {
      res.json(toPoolHealth(findPool(req, pools), options, identityOf(res)));
    })
    .all(methodNotAllowed('GET'));

  router
    .route('/v1/pools/:id/drain')
    .post(allow('drainPool'), options.readBody, async (req, res) => {
      const { id } = findPool(req, pools);
      const { deadline_ms: deadlineMs } = valid(validateDrainRequest(parseJsonBody(req).value));
      manager.drain(id);
      await host.apply({ type: 'drain', poolId: id, deadlineMs }).durable;
      res.status(202).json(toDrainStatus(id, core, clock));
    })
    .all(methodNotAllowed('POST'));

  router
    .route('/v1/pools/:id/undrain')
    .post(allow('undrainPool'), async (req, res) => {
      const { id } = findPool(req, pools);
      manager.undrain(id);
      await host.apply({ type: 'undrain', poolId: id }).durable;
      res.status(202).json(toDrainStatus(id, core, clock));
    })
    .all(methodNotAllowed('POST'));

  router
    .route('/v1/pools/:id/reload')
    .post(allow('reloadPool'), options.readBody, (req, res) => {
      const { id } = findPool(req, pools);
      const { new_model_ref: ref } = valid(validateReloadRequest(parseJsonBody(req).value));
      manager.reload(id, options.findModel(ref, id));
      res.status(202).json(toChangeStatus(manager.health(id)));
    })
    .all(methodNotAllowed('POST'));

  router
    .route('/v1/pools/:id/canary')
    .post(allow('canaryPool'), options.readBody, (req, res) => {
      const pool = findPool(req, pools);
      const body = valid(validateCanaryRequest(parseJsonBody(req).value));
      const { new_model_ref: ref, percent, replicas = 1 } = body;
      const most = canaryReplicasMax(pool, manager);
      if (replicas > most) {
        const message = `must be at most the pool's own replicas, ${most}`;
        throw invalidParams('The request body', [{ path: '/replicas', message }]);
      }
      manager.canary(pool.id, options.findModel(ref, pool.id), { percent, replicas });
      res.status(202).json(toChangeStatus(manager.health(pool.id)));
    })
    .all(methodNotAllowed('POST'));

  router
    .route('/v1/pools/:id/promote')
    .post(allow('promotePool'), (req, res) => {
      const { id } = findPool(req, pools);
      manager.promote(id);
      res.status(202).json(toChangeStatus(manager.health(id)));
    })
    .all(methodNotAllowed('POST'));

  router
    .route('/v1/pools/:id/rollback')
    .post(allow('rollbackPool'), (req, res) => {
      const { id } = findPool(req, pools);
      manager.rollback(id);
      res.status(202).json(toChangeStatus(manager.health(id)));
    })
    .all(methodNotAllowed('POST'));

  return router;
}

/** @throws OrchError INVALID_PARAMS */
function valid<T>(checked: Validated<T>): T {
  if (!checked.ok) throw invalidParams('The request body', checked.details);
  return checked.value;
}

/** @throws OrchError NOT_FOUND, INVALID_PARAMS */
function findPool(req: Request, pools: readonly ConfiguredPool[]): ConfiguredPool {
  const id = req.params['id'];
  if (typeof id !== 'string' || !isName(id)) {
    throw invalidParams('The path', [{ path: 'id', message: 'is not the id of a pool' }]);
  }
  const pool = pools.find((each) => each.id === id);
  if (pool === undefined) throw new OrchError('NOT_FOUND', 'no such pool');
  return pool;
}

function leastOf(promises: readonly PromisedDeterminism[]): PromisedDeterminism {
  if (promises.includes('none')) return 'none';
  return promises.includes('alone') ? 'alone' : 'exact';
}

function toCapabilities(tenant: Tenant | undefined, options: PoolRoutesOptions): Capabilities {
  const { pools, manager, apiVersion } = options;
  const engines = [...new Set(pools.map((pool) => pool.engine))];
  return {
    api_version: apiVersion,
    engines: engines.map((engine) => {
      const mine = pools.filter((pool) => pool.engine === engine);
      return {
        engine,
        ctx_max: Math.max(...mine.map((pool) => pool.ctx)),
        supported_workloads: [...new Set(mine.flatMap((pool) => pool.workloads))],
        rate_limits: toRateLimits(tenant),
        features: [...new Set(mine.flatMap((pool) => pool.features))],
        determinism: leastOf(mine.map((pool) => pool.determinism)),
        models: mine.map((pool) => {
          const replica = servingReplica(pool, manager);
          return {
            id: replica?.modelId ?? pool.modelId,
            pool_id: pool.id,
            ...(replica === undefined ? {} : { digest: replica.modelDigest }),
            ...(pool.aliases.length === 0 ? {} : { aliases: [...pool.aliases] }),
            workloads: [...pool.workloads],
            determinism: pool.determinism,
          };
        }),
      };
    }),
  };
}

/** Those of hosts are as many as have registered. */
function canaryReplicasMax({ id, launch, replicas }: ConfiguredPool, manager: PoolManager): number {
  if (launch !== 'remote') return replicas;
  const own = manager.replicas(id).filter(({ canaryPercent }) => canaryPercent === undefined);
  return Math.max(1, own.length);
}

/** One that has loaded what the pool serves now; a canary serves something else. */
function servingReplica({ id }: ConfiguredPool, manager: PoolManager): ReplicaSnapshot | undefined {
  return manager
    .replicas(id)
    .find(({ modelDigest, canaryPercent }) => modelDigest !== '' && canaryPercent === undefined);
}

function toRateLimits(tenant: Tenant | undefined): EngineCapabilities['rate_limits'] {
  const { rateLimit, maxConcurrent } = tenant ?? {};
  return {
    ...(rateLimit === undefined
      ? {}
      : { requests_per_second: rateLimit.rps, burst: rateLimit.burst }),
    ...(maxConcurrent === undefined ? {} : { max_concurrent: maxConcurrent }),
  };
}

function toReplicaSets(options: PoolRoutesOptions, viewer: Identity): ReplicaSet[] {
  const { pools, manager, slo, clock } = options;
  const sets = new Map<string, ReplicaSnapshot[]>();
  for (const pool of pools) {
    for (const replica of manager.replicas(pool.id)) {
      // Without a version and a digest there is nothing to group by yet.
      if (replica.setId === '') continue;
      const members = sets.get(replica.setId);
      if (members === undefined) sets.set(replica.setId, [replica]);
      else members.push(replica);
    }
  }
  return [...sets].map(([id, members]) => {
    const [first] = members;
    const replicas = members.map((member) => toReplica(member, options, viewer));
    const total = sum(replicas.map((replica) => replica.slots_total));
    const free = sum(replicas.map((replica) => replica.slots_free));
    return {
      id,
      pool_id: first?.poolId ?? '',
      engine: first?.engine ?? 'llamacpp',
      engine_version: first?.engineVersion ?? '',
      model_id: first?.modelId ?? '',
      model_digest: first?.modelDigest ?? '',
      quant: first?.quant ?? '',
      ctx: first?.ctx ?? 0,
      sampler_profile_version: SAMPLER_PROFILE_VERSION,
      load: total === 0 ? 0 : (total - free) / total,
      slots_total: total,
      slots_free: free,
      replicas,
      slo: slo.snapshot(id, clock.now()),
    };
  });
}

function toReplica(
  replica: ReplicaSnapshot,
  options: PoolRoutesOptions,
  { scopes }: Identity,
): Replica {
  const serving = replica.state === 'ready' || replica.state === 'draining';
  const busy = options.runningOn(replica.replicaId);
  const determinism = options.findings.viewOf(replica, scopes.has('admin'));
  return {
    replica_id: replica.replicaId,
    ...(replica.setId === '' ? {} : { replica_set_id: replica.setId }),
    engine: replica.engine,
    engine_version: replica.engineVersion,
    model_id: replica.modelId,
    model_digest: replica.modelDigest,
    quant: replica.quant,
    device: replica.device,
    url: replica.url,
    state: replica.state,
    slots_total: replica.slots,
    slots_free: serving ? Math.max(0, replica.slots - busy) : 0,
    ctx: replica.ctx,
    restarts: replica.restarts,
    ...(replica.canaryPercent === undefined ? {} : { canary_percent: replica.canaryPercent }),
    ...(replica.readySinceMs === undefined
      ? {}
      : { ready_since_ms: Math.round(replica.readySinceMs) }),
    ...(replica.lastError === undefined ? {} : { last_error: replica.lastError.slice(0, 4096) }),
    ...(determinism === undefined ? {} : { determinism }),
  };
}

function toPool(pool: ConfiguredPool, options: PoolRoutesOptions): Pool {
  const health = options.manager.health(pool.id);
  return {
    id: pool.id,
    engine: pool.engine,
    launch: pool.launch,
    ...toModel(pool, health, options),
    device: pool.device,
    full_policy: pool.fullPolicy,
    live: health.live,
    ready: health.ready,
    draining: isDraining(pool.id, options),
    metrics: toPoolMetrics(pool, options),
  };
}

function toPoolHealth(
  pool: ConfiguredPool,
  options: PoolRoutesOptions,
  viewer: Identity,
): PoolHealthView {
  const health = options.manager.health(pool.id);
  return {
    pool_id: pool.id,
    live: health.live,
    ready: health.ready,
    draining: isDraining(pool.id, options),
    recoverable: health.recoverable,
    ...(health.lastError === undefined ? {} : { last_error: health.lastError.slice(0, 4096) }),
    metrics: toPoolMetrics(pool, options),
    replicas: health.replicas.map((replica) => toReplica(replica, options, viewer)),
    ...toLearning(options.core.poolView(pool.id)?.learned),
    ...(health.loaded === undefined ? {} : { loaded: health.loaded }),
    ...toChange(health.change),
    ...toModel(pool, health, options),
  };
}

/** What it serves and, where that is another, what it is configured for. */
function toModel(
  pool: ConfiguredPool,
  health: PoolHealth,
  { manager }: PoolRoutesOptions,
): Pick<Pool, 'model_id' | 'configured_model_id'> {
  const modelId = servingReplica(pool, manager)?.modelId ?? health.modelId ?? pool.modelId;
  return modelId === pool.modelId
    ? { model_id: modelId }
    : { model_id: modelId, configured_model_id: pool.modelId };
}

function toChange(change: PoolChange | undefined): Pick<PoolHealthView, 'change'> {
  if (change === undefined) return {};
  const { kind, modelId, percent } = change;
  return { change: { kind, model_id: modelId, ...(percent === undefined ? {} : { percent }) } };
}

function toChangeStatus({ poolId, change }: PoolHealth): PoolChangeStatus {
  return { pool_id: poolId, ...toChange(change) };
}

function toLearning(learned: PoolView['learned'] | undefined): Pick<PoolHealthView, 'learned'> {
  if (learned === undefined) return {};
  const { samples, meanHoldMs } = learned;
  return { learned: { samples, mean_hold_ms: Math.round(meanHoldMs) } };
}

function isDraining(poolId: string, { core }: PoolRoutesOptions): boolean {
  return core.poolView(poolId)?.draining ?? false;
}

function toPoolMetrics(pool: ConfiguredPool, { core }: PoolRoutesOptions): PoolMetrics {
  const view = core.poolView(pool.id);
  const interactive = view?.waiting.interactive ?? 0;
  const batch = view?.waiting.batch ?? 0;
  return {
    queue_depth: interactive + batch,
    queue_depth_interactive: interactive,
    queue_depth_batch: batch,
    queue_capacity: pool.capacity,
    running: view?.running ?? 0,
    slots_total: view?.slotsTotal ?? 0,
    slots_free: view?.slotsFree ?? 0,
  };
}

function toDrainStatus(poolId: string, core: Core, clock: Clock): DrainStatus {
  const view = core.poolView(poolId);
  const deadline = view?.drainDeadlineAtMs;
  return {
    pool_id: poolId,
    draining: view?.draining ?? false,
    ...(deadline === undefined
      ? {}
      : { deadline_ms: Math.max(0, Math.round(deadline - clock.now())) }),
    running: view?.running ?? 0,
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
