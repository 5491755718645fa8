import type { HostPool, ModelWish } from '@llama-orch/contracts';
import { expect, test } from 'vitest';
import { SILENT, startFakePool } from '../../testing/fake-pool.ts';
import type { ModelTarget } from '../types.ts';
import { ModelKeeper } from './model-keeper.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;
const OTHER_DIGEST = `sha256:${'b'.repeat(64)}`;

const modelOf = (modelId: string, modelDigest?: string): ModelTarget => ({
  modelId,
  modelPath: `/models/${modelId}.gguf`,
  modelDigest,
});

/** A pool of one replica, whose host knows `tiny`, `next` and `pinned`; `damaged` does not come up. */
async function setUp(config: Parameters<typeof startFakePool>[0] = {}) {
  const pool = startFakePool(
    { probe: { intervalMs: 1e9 }, ...config },
    {},
    {
      readModelFacts: (path) =>
        path.includes('damaged')
          ? Promise.reject(new Error('it is damaged'))
          : Promise.resolve({ digest: DIGEST, quant: 'Q4_0', kvBytesPerToken: 0 }),
    },
  );
  const { manager, clock } = pool;
  const catalog = [modelOf('tiny'), modelOf('next'), modelOf('damaged'), modelOf('pinned', DIGEST)];
  const keeper = new ModelKeeper({
    poolId: 'default',
    own: modelOf('tiny'),
    catalog: new Map(catalog.map((each) => [each.modelId, each])),
    manager,
    logger: SILENT,
  });
  await clock.advance(10);
  let isAnother = true;
  const want = async (wish: Omit<ModelWish, 'pool_id'> | undefined): Promise<HostPool> => {
    keeper.want(wish && { pool_id: 'default', ...wish }, isAnother);
    isAnother = false;
    return settled();
  };
  /** After as many syncs as it takes. */
  const settled = async (): Promise<HostPool> => {
    for (let n = 0; n < 5; n++) {
      await clock.advance(1_000);
      keeper.report();
    }
    return keeper.report();
  };
  const serving = () =>
    manager.replicas('default').map(({ modelId, canaryPercent, state }) => {
      const share = canaryPercent === undefined ? '' : ` ${canaryPercent}%`;
      return `${modelId}${share} ${state}`;
    });
  return { pool, keeper, want, settled, serving, newcomer: () => (isAnother = true) };
}

const NEXT = { id: 'next' };

test('OC-POOL-3130 a model that is wanted is brought in, and told of by the number of the wish', async () => {
  const { pool, keeper, want, serving } = await setUp();
  await using _ = pool;
  expect(keeper.report()).toEqual({ pool_id: 'default', loaded: true });
  keeper.want({ pool_id: 'default', n: 3, model: NEXT }, true);
  expect(keeper.report()).toMatchObject({ wish: 3, state: 'changing' });
  expect(await want({ n: 3, model: NEXT })).toMatchObject({ wish: 3, state: 'done' });
  expect(serving()).toEqual(['next ready']);
  expect(await want({ n: 4 })).toMatchObject({ wish: 4, state: 'done' });
  expect(serving()).toEqual(['tiny ready']);
});

test('OC-POOL-3133 what is served already is not loaded again, whoever wants it', async () => {
  const { pool, want, serving, newcomer } = await setUp();
  await using _ = pool;
  await want({ n: 1, model: NEXT });
  const { spawned } = pool.engine;
  const { length } = spawned;
  newcomer();
  expect(await want({ n: 1, model: NEXT })).toMatchObject({ state: 'done' });
  expect(await want({ n: 2, model: { ...NEXT, digest: DIGEST } })).toMatchObject({ state: 'done' });
  expect(spawned).toHaveLength(length);
  expect(serving()).toEqual(['next ready']);
});

test.each([
  ['is not known', { id: 'unheard-of' }, 'it has no model unheard-of: add it to models'],
  ['does not come up', { id: 'damaged' }, 'it is damaged'],
  ['is another file', { ...NEXT, digest: OTHER_DIGEST }, `configured is ${OTHER_DIGEST}`],
  ['is pinned to another file', { id: 'pinned', digest: OTHER_DIGEST }, 'another sha256'],
])(
  'OC-POOL-3132 a model that %s fails once, and what served serves on',
  async (_, model, reason) => {
    const { pool, want, settled, serving } = await setUp();
    await using __ = pool;
    const told = await want({ n: 1, model });
    expect(told).toMatchObject({ wish: 1, state: 'failed' });
    expect(told.reason).toContain(reason);
    const { length } = pool.engine.spawned;
    expect(await settled()).toMatchObject({ state: 'failed' });
    expect(pool.engine.spawned).toHaveLength(length);
    expect(serving()).toEqual(['tiny ready']);
    expect(await want({ n: 2 })).toEqual({
      pool_id: 'default',
      loaded: true,
      wish: 2,
      state: 'done',
    });
  },
);

test('engines that others start serve what they serve', async () => {
  const { pool, want } = await setUp({
    launch: 'external',
    endpoints: ['http://127.0.0.1:9'],
    modelPath: undefined,
  });
  await using _ = pool;
  expect(await want({ n: 1, model: NEXT })).toMatchObject({
    state: 'failed',
    reason: 'pool default has engines that others start',
  });
});

test('a change that is no longer wanted is taken back on its way', async () => {
  const { pool, keeper, settled, serving } = await setUp();
  await using _ = pool;
  pool.engine.behaviour.health = { state: 'loading' };
  keeper.want({ pool_id: 'default', n: 1, model: NEXT }, true);
  keeper.want({ pool_id: 'default', n: 2 }, false);
  pool.engine.behaviour.health = { state: 'ready' };
  expect(await settled()).toEqual({ pool_id: 'default', loaded: true, wish: 2, state: 'done' });
  expect(serving()).toEqual(['tiny ready']);
});

const CANARY = { model: NEXT, percent: 10, replicas: 1 };

test('OC-POOL-3134 a canary comes, goes, and becomes the model', async () => {
  const { pool, want, serving } = await setUp();
  await using _ = pool;
  expect(await want({ n: 1, canary: CANARY })).toMatchObject({ state: 'done' });
  expect(serving()).toEqual(['tiny ready', 'next 10% ready']);
  expect(await want({ n: 2 })).toMatchObject({ state: 'done' });
  expect(serving()).toEqual(['tiny ready']);
  await want({ n: 3, canary: CANARY });
  const [, canary] = pool.manager.replicas('default');
  expect(await want({ n: 4, model: NEXT })).toMatchObject({ state: 'done' });
  expect(pool.manager.replicas('default').map((each) => each.replicaId)).toEqual([
    canary?.replicaId,
  ]);
});

test('OC-POOL-3134 a canary that does not come up, or whose pool is unloaded, has failed', async () => {
  const { pool, want, settled, serving } = await setUp();
  await using _ = pool;
  const damaged = { ...CANARY, model: { id: 'damaged' } };
  expect(await want({ n: 1, canary: damaged })).toMatchObject({
    state: 'failed',
    reason: expect.stringContaining('it is damaged') as string,
  });
  expect(serving()).toEqual(['tiny ready']);
  await want({ n: 2, canary: CANARY });
  void pool.manager.unload('default', 0);
  expect(await settled()).toMatchObject({ loaded: false, state: 'failed' });
});

test('a canary ends when an orchestratord that knows of none takes over; the model stays', async () => {
  const { pool, want, serving, newcomer } = await setUp();
  await using _ = pool;
  await want({ n: 1, model: { id: 'pinned' }, canary: CANARY });
  expect(serving()).toEqual(['pinned ready', 'next 10% ready']);
  newcomer();
  expect(await want(undefined)).toEqual({ pool_id: 'default', loaded: true });
  expect(serving()).toEqual(['pinned ready']);
});
