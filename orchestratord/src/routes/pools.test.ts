import type {
  Capabilities,
  ErrorEnvelope,
  PoolHealthView,
  PoolList,
  ReplicaSetList,
} from '@llama-orch/contracts';
import { createCore, type PoolSpec } from '@llama-orch/orchestrator-core';
import type { PoolHealth, PoolManager, ReplicaSnapshot } from '@llama-orch/pool-managerd';
import { pino } from 'pino';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { FindModel } from '../config/model-targets.ts';
import { createApp } from '../http/app.ts';
import { readBody } from '../http/request-body.ts';
import { listen, type HttpServer } from '../http/server.ts';
import { SloWindow } from '../metrics/slo-window.ts';
import type { CoreHost } from '../tasks/core-host.ts';
import { poolRoutes, type ConfiguredPool, type PoolRoutesOptions } from './pools.ts';

function aReplica(replicaId: string, fields: Partial<ReplicaSnapshot> = {}): ReplicaSnapshot {
  return {
    replicaId,
    poolId: 'local',
    setId: 'set',
    engine: 'llamacpp',
    engineVersion: 'b1',
    modelId: 'small',
    modelDigest: 'sha256:small',
    quant: 'F16',
    kvBytesPerToken: 0,
    device: 'cpu',
    url: 'http://127.0.0.1:9',
    slots: 2,
    ctx: 1_024,
    exactPrefixReuse: true,
    state: 'ready',
    restarts: 0,
    pid: undefined,
    lastError: undefined,
    readySinceMs: 1.6,
    ...fields,
  };
}

function aPool(id: string, fields: Partial<ConfiguredPool> = {}): ConfiguredPool {
  return {
    id,
    engine: 'llamacpp',
    launch: 'embedded',
    modelId: 'small',
    aliases: [],
    device: 'cpu',
    replicas: 2,
    fullPolicy: 'reject',
    capacity: 10,
    ctx: 1_024,
    workloads: ['completion'],
    features: ['a'],
    determinism: 'exact',
    ...fields,
  };
}

const pools = [
  aPool('local', { aliases: ['latest'] }),
  aPool('far', { launch: 'remote', replicas: 1, ctx: 4_096, features: ['a', 'b'] }),
];
let replicas: ReplicaSnapshot[];
let health: Partial<PoolHealth>;
let canaries: unknown[];
let running: number;
let server: HttpServer;

const manager = {
  replicas: (id: string) => replicas.filter(({ poolId }) => poolId === id),
  health: (poolId: string): PoolHealth => ({
    poolId,
    live: true,
    ready: true,
    draining: false,
    recoverable: true,
    lastError: undefined,
    replicas: manager.replicas(poolId),
    ...health,
  }),
  canary: (...asked: unknown[]) => void canaries.push(asked),
};

beforeAll(async () => {
  const core = createCore({ sessionLimits: { ttlMs: 1_000, maxTurns: 8 } });
  const pool = { poolId: 'local', engine: 'llamacpp', capacity: 10, classCapacity: {} };
  core.step({ type: 'pool-set', pool: { ...pool, classWeights: {} } as unknown as PoolSpec }, 0);
  const options: PoolRoutesOptions = {
    apiVersion: '1.0.0',
    pools,
    tenants: new Map(),
    findModel: ((ref: string) => ref) as unknown as FindModel,
    readBody: readBody(10_000),
    manager: manager as unknown as PoolManager,
    core,
    host: {} as CoreHost,
    clock: { now: () => 0, setTimer: () => () => undefined },
    slo: new SloWindow(),
    runningOn: () => running,
    findings: { viewOf: () => undefined },
  };
  const app = createApp({
    keys: undefined,
    log: pino({ level: 'silent' }),
    routers: [poolRoutes(options)],
  });
  const address = { host: '127.0.0.1', port: 0 };
  server = await listen(app, { ...address, headerTimeoutMs: 5_000, idleTimeoutMs: 5_000 });
});
afterAll(() => server.close(0));
beforeEach(() => {
  replicas = [aReplica('r0'), aReplica('r1')];
  health = {};
  canaries = [];
  running = 0;
});

async function get<T>(path: string): Promise<T> {
  return (await (await fetch(server.url + path)).json()) as T;
}

async function askCanary(poolId: string, body: object) {
  const response = await fetch(`${server.url}/v1/pools/${poolId}/canary`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ new_model_ref: 'large', percent: 10, ...body }),
  });
  return { status: response.status, body: (await response.json()) as ErrorEnvelope };
}

describe('capabilities', () => {
  test('of an engine are what all its pools can do together', async () => {
    const { engines } = await get<Capabilities>('/v1/capabilities');
    expect(engines).toHaveLength(1);
    expect(engines[0]).toMatchObject({
      engine: 'llamacpp',
      ctx_max: 4_096,
      supported_workloads: ['completion'],
      features: ['a', 'b'],
      determinism: 'exact',
      rate_limits: {},
    });
  });

  test('name the digest that is served, not that of a canary or of what has not loaded yet', async () => {
    replicas = [
      aReplica('canary', { modelDigest: 'sha256:other', canaryPercent: 10 }),
      aReplica('starting', { modelDigest: '' }),
      aReplica('r0', { modelId: 'renamed' }),
    ];
    const { engines } = await get<Capabilities>('/v1/capabilities');
    const plain = { workloads: ['completion'], determinism: 'exact' };
    expect(engines[0]?.models).toEqual([
      { ...plain, id: 'renamed', pool_id: 'local', digest: 'sha256:small', aliases: ['latest'] },
      { ...plain, id: 'small', pool_id: 'far' },
    ]);
  });
});

describe('replica sets', () => {
  test('join replicas that are alike, with the share of their slots that is taken', async () => {
    replicas = [aReplica('r0'), aReplica('r1'), aReplica('new', { setId: '' })];
    running = 1;
    const { items } = await get<ReplicaSetList>('/v1/replicasets');
    expect(items).toHaveLength(1);
    expect(items[0]).toMatchObject({ id: 'set', load: 0.5, slots_total: 4, slots_free: 2 });
    expect(items[0]?.replicas.map((replica) => replica.replica_id)).toEqual(['r0', 'r1']);
    expect(items[0]?.replicas[0]).toMatchObject({ replica_set_id: 'set', ready_since_ms: 2 });
    expect(items[0]?.replicas[0]).not.toHaveProperty('last_error');
  });

  test('count no slot as free of a replica that serves nobody, and never less than none', async () => {
    replicas = [aReplica('r0', { state: 'loading', lastError: 'x'.repeat(5_000) }), aReplica('r1')];
    running = 5;
    const { items } = await get<ReplicaSetList>('/v1/replicasets');
    expect(items[0]).toMatchObject({ load: 1, slots_total: 4, slots_free: 0 });
    expect(items[0]?.replicas[0]?.last_error).toBe('x'.repeat(4_096));
  });
});

describe('a pool', () => {
  test('says what it serves and, where that is another, what it is configured for', async () => {
    expect(await get<PoolHealthView>('/v1/pools/local/health')).toMatchObject({
      model_id: 'small',
      replicas: [{ replica_id: 'r0' }, { replica_id: 'r1' }],
    });
    expect(await get<PoolHealthView>('/v1/pools/local/health')).not.toHaveProperty(
      'configured_model_id',
    );
    replicas = [];
    health = { modelId: 'large', lastError: 'x'.repeat(5_000), loaded: false };
    const view = await get<PoolHealthView>('/v1/pools/local/health');
    expect(view).toMatchObject({
      model_id: 'large',
      configured_model_id: 'small',
      loaded: false,
      last_error: 'x'.repeat(4_096),
    });
    const { items } = await get<PoolList>('/v1/pools');
    expect(items[0]).toMatchObject({ id: 'local', model_id: 'large', draining: false });
  });

  test('is tried with a canary of at most as many replicas as it has itself', async () => {
    expect((await askCanary('local', { replicas: 3 })).body).toMatchObject({
      details: [{ path: '/replicas', message: "must be at most the pool's own replicas, 2" }],
    });
    expect((await askCanary('local', { replicas: 2 })).status).toBe(202);
    expect(canaries).toEqual([['local', 'large', { percent: 10, replicas: 2 }]]);
  });

  test('on hosts has as many replicas of its own as have registered, canaries apart', async () => {
    replicas = ['f0', 'f1', 'f2'].map((id) => aReplica(id, { poolId: 'far' }));
    replicas.push(aReplica('canary', { poolId: 'far', canaryPercent: 5 }));
    expect((await askCanary('far', { replicas: 4 })).status).toBe(400);
    expect((await askCanary('far', { replicas: 3 })).status).toBe(202);
    replicas = [];
    expect((await askCanary('far', { replicas: 2 })).status).toBe(400);
    expect((await askCanary('far', {})).status).toBe(202);
    expect(canaries.at(-1)).toEqual(['far', 'large', { percent: 10, replicas: 1 }]);
  });
});
