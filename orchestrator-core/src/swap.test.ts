import { describe, expect, test } from 'vitest';
import { SwapWorld } from './testing/swap-world.ts';
import type { SwapPool, SwapTask } from './testing/swap-world.ts';
import type { ResidencySpec } from './types.ts';

interface PoolChange extends Partial<Omit<SwapPool, 'residency'>> {
  readonly residency?: Partial<ResidencySpec>;
}

const aModel = (poolId: string, { residency = {}, ...change }: PoolChange = {}): SwapPool => ({
  poolId,
  slots: 1,
  loadMs: 1_000,
  unloadMs: 100,
  ...change,
  residency: {
    devices: ['gpu0'],
    share: 1,
    keepAliveMs: undefined,
    minResidencyMs: 0,
    maxWaitMs: 60_000,
    loadMs: 1_000,
    ...residency,
  },
});

const play = (pools: readonly SwapPool[], tasks: readonly SwapTask[]) => {
  const world = new SwapWorld(pools);
  world.play(tasks);
  const outcomes = [...world.outcomes.values()];
  return { world, outcomes, startsMs: outcomes.map(({ dispatchedAtMs }) => dispatchedAtMs) };
};

/** Asks one model without a pause: the next task comes before the one before has ended. */
const busy = (poolId: string, fromMs: number, untilMs: number): SwapTask[] =>
  Array.from({ length: Math.ceil((untilMs - fromMs) / 90) }, (_, index) => ({
    poolId,
    atMs: fromMs + 90 * index,
    runMs: 100,
  }));

describe('OC-CORE-1121 loading on demand', () => {
  test('the first task loads its model, and is told so', () => {
    const { outcomes, world } = play([aModel('a')], [{ poolId: 'a', atMs: 5, runMs: 10 }]);
    expect(outcomes[0]).toMatchObject({ predictedStartMs: 1_000, dispatchedAtMs: 1_005 });
    expect(world.loads).toBe(1);
  });

  test('OC-CORE-1121 those that go first are counted with what it takes to load and serve them', () => {
    const { outcomes } = play(
      [aModel('a'), aModel('b'), aModel('c')],
      [
        { poolId: 'a', atMs: 0, runMs: 10 },
        { poolId: 'b', atMs: 5_000, runMs: 10 },
        { poolId: 'c', atMs: 5_010, runMs: 10 },
      ],
    );
    const [, , last] = outcomes;
    expect(last?.dispatchedAtMs).toBe(5_000 + 2 * (100 + 1_000) + 10);
    expect(last?.predictedStartMs).toBeGreaterThanOrEqual(2 * 1_000);
    expect(last?.predictedStartMs).toBeLessThanOrEqual(3 * 1_000);
  });

  test('OC-CORE-1121 of a model that was there before it is known how many tasks it serves at a time', () => {
    const early = Array.from({ length: 40 }, (_, n) => ({ poolId: 'a', atMs: n, runMs: 4_000 }));
    const late = Array.from({ length: 9 }, () => ({ poolId: 'a', atMs: 100_000, runMs: 4_000 }));
    const { outcomes } = play(
      [aModel('a', { slots: 4, residency: { keepAliveMs: 100 } })],
      [...early, ...late],
    );
    const last = outcomes.at(-1);
    expect(last?.dispatchedAtMs).toBe(100_000 + 1_000 + 2 * 4_000);
    expect(last?.predictedStartMs).toBeGreaterThan(1_000 + 4_000);
    // One after the other they would take so long.
    expect(last?.predictedStartMs).toBeLessThan(1_000 + 8 * 4_000);
  });

  test('the next forecast goes by what the last load took', () => {
    const keepAliveMs = 100;
    const { outcomes } = play(
      [aModel('a', { loadMs: 400, residency: { keepAliveMs } })],
      [
        { poolId: 'a', atMs: 0, runMs: 10 },
        { poolId: 'a', atMs: 5_000, runMs: 10 },
      ],
    );
    expect(outcomes[1]).toMatchObject({ predictedStartMs: 400, dispatchedAtMs: 5_400 });
  });

  test('a model that nobody asks for leaves after its keep-alive', () => {
    const { world } = play(
      [aModel('a', { residency: { keepAliveMs: 500 } })],
      [{ poolId: 'a', atMs: 0, runMs: 10 }],
    );
    world.settle(2_000);
    expect(world.isOccupying('a')).toBe(false);
  });

  test('without one it stays', () => {
    const { world } = play([aModel('a')], [{ poolId: 'a', atMs: 0, runMs: 10 }]);
    world.settle(1_000_000);
    expect(world.isOccupying('a')).toBe(true);
  });

  test('two that fit side by side do not disturb each other', () => {
    const half = { residency: { share: 0.5 } };
    const { world, startsMs } = play(
      [aModel('a', half), aModel('b', half)],
      [
        { poolId: 'a', atMs: 0, runMs: 5_000 },
        { poolId: 'b', atMs: 1, runMs: 5_000 },
      ],
    );
    expect(startsMs).toEqual([1_000, 1_001]);
    expect(world.isOccupying('a') && world.isOccupying('b')).toBe(true);
  });
});

test('OC-CORE-1123 a task that waits for its model is told so', () => {
  const world = new SwapWorld([aModel('a'), aModel('b', { loadMs: Infinity })]);
  world.play([{ poolId: 'a', atMs: 0, runMs: 10 }]);
  world.ask({ poolId: 'b', atMs: 5_000, runMs: 10 }, 'waits');
  world.settle(5_000 + 2_000);
  expect(world.core.wait('waits', world.nowMs)).toMatchObject({
    cause: 'model-not-loaded',
    waits: { 'model-not-loaded': expect.any(Number) as number },
  });
});

describe('OC-CORE-1122 making room', () => {
  test('an idle model leaves at once, whatever its minimum residency', () => {
    const { startsMs } = play(
      [aModel('a', { residency: { minResidencyMs: 30_000 } }), aModel('b')],
      [
        { poolId: 'a', atMs: 0, runMs: 10 },
        { poolId: 'b', atMs: 2_000, runMs: 10 },
      ],
    );
    expect(startsMs[1]).toBe(2_000 + 100 + 1_000);
  });

  test('what runs is never ended for it', () => {
    const { startsMs } = play(
      [aModel('a'), aModel('b')],
      [
        { poolId: 'a', atMs: 0, runMs: 20_000 },
        { poolId: 'b', atMs: 2_000, runMs: 10 },
      ],
    );
    expect(startsMs[1]).toBe(1_000 + 20_000 + 100 + 1_000);
  });

  test('a model serves all who ask for it before it leaves', () => {
    const { startsMs } = play(
      [aModel('a'), aModel('b')],
      [
        { poolId: 'a', atMs: 0, runMs: 500 },
        { poolId: 'b', atMs: 10, runMs: 10 },
        { poolId: 'a', atMs: 20, runMs: 500 },
        { poolId: 'a', atMs: 1_900, runMs: 500 },
      ],
    );
    expect(startsMs).toEqual([1_000, 2_500 + 100 + 1_000, 1_500, 2_000]);
  });

  test('one that is always busy makes room after the longest wait, and not before its minimum residency', () => {
    for (const [maxWaitMs, minResidencyMs] of [
      [4_000, 0],
      [0, 6_000],
    ] as const) {
      const { outcomes, world } = play(
        [aModel('a', { residency: { minResidencyMs } }), aModel('b', { residency: { maxWaitMs } })],
        [...busy('a', 0, 20_000), { poolId: 'b', atMs: 2_000, runMs: 10 }],
      );
      const served = outcomes.find(({ poolId }) => poolId === 'b')?.dispatchedAtMs ?? 0;
      const leavesMs = Math.max(2_000 + maxWaitMs, 1_000 + minResidencyMs);
      expect(served).toBeGreaterThanOrEqual(leavesMs + 1_100);
      expect(served).toBeLessThanOrEqual(leavesMs + 100 + 1_100);
      expect(world.loads).toBe(3);
    }
  });

  test('what still comes to a model is waited for as long as both loads are worth', () => {
    for (const [askedMs, isServed] of [
      [20_000, true],
      [30_000, false],
    ] as const) {
      const { startsMs } = play(
        [aModel('a', { slots: 2 }), aModel('b', { loadMs: 3_000, residency: { loadMs: 3_000 } })],
        [
          { poolId: 'a', atMs: 0, runMs: 50_000 },
          { poolId: 'b', atMs: 2_000, runMs: 10 },
          { poolId: 'b', atMs: askedMs - 500, runMs: 10 },
          { poolId: 'a', atMs: askedMs, runMs: 10 },
        ],
      );
      expect(startsMs[3] === askedMs).toBe(isServed);
    }
  });

  test('room that is no longer wanted is not made', () => {
    const world = new SwapWorld([aModel('a'), aModel('b', { residency: { maxWaitMs: 0 } })]);
    world.play([
      { poolId: 'a', atMs: 0, runMs: 5_000 },
      { poolId: 'b', atMs: 2_000, runMs: 10, canceledAtMs: 3_000 },
      { poolId: 'a', atMs: 2_500, runMs: 10 },
    ]);
    expect(world.loads).toBe(1);
    expect(world.outcomes.get('t-000002')?.dispatchedAtMs).toBe(6_000);
  });

  test('and what may stay goes on with its free slots at that moment', () => {
    const { startsMs } = play(
      [aModel('a', { slots: 2 }), aModel('b', { residency: { maxWaitMs: 0 } })],
      [
        { poolId: 'a', atMs: 0, runMs: 50_000 },
        { poolId: 'b', atMs: 2_000, runMs: 10, canceledAtMs: 3_000 },
        { poolId: 'a', atMs: 2_500, runMs: 10 },
      ],
    );
    expect(startsMs[2]).toBe(3_000);
  });

  test('those whose model is loaded go on while room is made elsewhere', () => {
    const { startsMs } = play(
      [aModel('a'), aModel('b'), aModel('c', { residency: { devices: ['gpu1'] } })],
      [
        { poolId: 'c', atMs: 0, runMs: 10 },
        { poolId: 'a', atMs: 0, runMs: 5_000 },
        { poolId: 'b', atMs: 10, runMs: 10 },
        { poolId: 'c', atMs: 2_000, runMs: 10 },
      ],
    );
    expect(startsMs[3]).toBe(2_000);
  });

  test.each([60_000, 20_000])(
    'a model that does not come up gives way to others, however long its tasks have waited (%i)',
    (maxWaitMs) => {
      const { startsMs } = play(
        [
          aModel('a', { loadMs: Infinity, residency: { maxWaitMs } }),
          aModel('b', { residency: { maxWaitMs } }),
        ],
        [
          { poolId: 'a', atMs: 0, runMs: 10, canceledAtMs: 200_000 },
          { poolId: 'b', atMs: 10, runMs: 10 },
        ],
      );
      expect(startsMs[1]).toBe(30_000 + 100 + 1_000);
    },
  );

  test('one that cannot come up by itself gives way as soon as it is known', () => {
    const world = new SwapWorld([aModel('a', { loadMs: Infinity }), aModel('b')]);
    const reason = 'the model file is another';
    world.tell({ type: 'pool-availability', poolId: 'a', recoverable: false, reason }, 500);
    world.play([
      { poolId: 'a', atMs: 0, runMs: 10 },
      { poolId: 'b', atMs: 10, runMs: 10 },
    ]);
    expect(world.outcomes.get('t-000001')?.dispatchedAtMs).toBe(500 + 100 + 1_000);
  });

  test('a pool that is drained takes no room for tasks that it may not start', () => {
    const world = new SwapWorld([aModel('a'), aModel('b')]);
    world.tell({ type: 'drain', poolId: 'b', deadlineMs: 0 }, 1_500);
    world.tell({ type: 'undrain', poolId: 'b' }, 50_000);
    world.play([
      { poolId: 'a', atMs: 0, runMs: 5_000 },
      { poolId: 'b', atMs: 1_400, runMs: 10 },
      { poolId: 'a', atMs: 30_000, runMs: 10 },
    ]);
    const startsMs = [...world.outcomes.values()].map(({ dispatchedAtMs }) => dispatchedAtMs);
    expect(startsMs).toEqual([1_000, 50_000 + 100 + 1_000, 30_000]);
    expect(world.loads).toBe(2);
  });

  test('and keeps none for them', () => {
    const world = new SwapWorld([aModel('a'), aModel('b')]);
    world.tell({ type: 'drain', poolId: 'a', deadlineMs: 60_000 }, 1_500);
    world.tell({ type: 'undrain', poolId: 'a' }, 50_000);
    world.play([
      { poolId: 'a', atMs: 0, runMs: 2_000 },
      { poolId: 'a', atMs: 10, runMs: 10 },
      { poolId: 'b', atMs: 2_000, runMs: 10 },
    ]);
    const [, again, other] = [...world.outcomes.values()];
    expect(other?.dispatchedAtMs).toBe(3_000 + 100 + 1_000);
    expect(again?.dispatchedAtMs).toBe(50_000 + 100 + 1_000);
  });
});

describe('OC-CORE-1124 engines that save what they have in the cache', () => {
  const turnsOn = ['a', 'b', 'a'].map((poolId, n) => ({
    poolId,
    atMs: 5_000 * n,
    runMs: 10,
    sessionId: `of ${poolId}`,
  }));

  test.each([true, false])('a session is warm again when its model is back: %s', (savesCache) => {
    const { outcomes } = play([aModel('a', { savesCache }), aModel('b')], turnsOn);
    expect(outcomes.map(({ kvWarmth }) => kvWarmth)).toEqual([false, false, savesCache]);
  });

  test.each([
    [true, 'a'],
    [false, 'b'],
  ])('whether they do (%s) tells what is lost when one leaves: %s', (savesCache, leaves) => {
    const half = { residency: { share: 0.5 } };
    const { world } = play(
      [aModel('a', { ...half, savesCache }), aModel('b', half), aModel('c', half), aModel('all')],
      [
        { poolId: 'a', atMs: 0, runMs: 10, sessionId: 'x' },
        { poolId: 'all', atMs: 5_000, runMs: 10 },
        { poolId: 'a', atMs: 10_000, runMs: 10, sessionId: 'x' },
        { poolId: 'b', atMs: 11_000, runMs: 10 },
        { poolId: 'c', atMs: 20_000, runMs: 10 },
      ],
    );
    expect(['a', 'b'].filter((poolId) => !world.isOccupying(poolId))).toEqual([leaves]);
  });
});

describe('OC-CORE-1121 the forecast of a task whose model is not there', () => {
  test('counts of a load that is under way only what is left of it', () => {
    const { outcomes } = play(
      [aModel('a', { slots: 2 })],
      [
        { poolId: 'a', atMs: 0, runMs: 10 },
        { poolId: 'a', atMs: 700, runMs: 10 },
      ],
    );
    expect(outcomes[1]?.predictedStartMs).toBeLessThan(500);
    expect(outcomes[1]?.dispatchedAtMs).toBe(1_000);
  });

  test('counts how long the model in the way stays at least', () => {
    const { outcomes } = play(
      [aModel('a', { residency: { minResidencyMs: 6_000 } }), aModel('b')],
      [
        { poolId: 'a', atMs: 0, runMs: 20_000 },
        { poolId: 'a', atMs: 100, runMs: 10 },
        { poolId: 'b', atMs: 1_500, runMs: 10 },
      ],
    );
    expect(outcomes[2]?.predictedStartMs).toBeGreaterThanOrEqual(5_500 + 1_000);
  });

  test('does not count how long a model stays that is on its way out', () => {
    const short = { keepAliveMs: 100, minResidencyMs: 6_000 };
    const { outcomes } = play(
      [aModel('a', { unloadMs: 2_000, residency: short }), aModel('b')],
      [
        { poolId: 'a', atMs: 0, runMs: 10 },
        { poolId: 'a', atMs: 1_500, runMs: 10 },
        { poolId: 'b', atMs: 1_600, runMs: 10 },
      ],
    );
    expect(outcomes[2]?.predictedStartMs).toBeLessThan(4_000);
  });

  test('goes by what loads took, not by how long a model was there that was to leave and stayed', () => {
    const world = new SwapWorld([
      aModel('a', { slots: 2, residency: { keepAliveMs: 5_000 } }),
      aModel('b', { residency: { maxWaitMs: 0 } }),
    ]);
    world.play([
      { poolId: 'a', atMs: 0, runMs: 30_000 },
      { poolId: 'b', atMs: 20_000, runMs: 10, canceledAtMs: 25_000 },
      { poolId: 'a', atMs: 20_500, runMs: 10 },
      { poolId: 'a', atMs: 90_000, runMs: 10 },
    ]);
    expect(world.loads).toBe(2);
    expect(world.outcomes.get('t-000003')?.predictedStartMs).toBe(1_000);
  });
});
