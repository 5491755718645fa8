import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SwapWorld } from './testing/swap-world.ts';
import type { SwapPool, SwapTask } from './testing/swap-world.ts';

const POOLS = ['a', 'b', 'c'];

const pool = (poolId: string) =>
  fc.record({
    poolId: fc.constant(poolId),
    slots: fc.integer({ min: 1, max: 3 }),
    loadMs: fc.integer({ min: 1, max: 500 }),
    unloadMs: fc.integer({ min: 0, max: 50 }),
    savesCache: fc.boolean(),
    residency: fc.record({
      devices: fc.constantFrom(['gpu0'], ['gpu1'], ['gpu0', 'gpu1']),
      share: fc.constantFrom(1, 0.5, 1 / 3),
      keepAliveMs: fc.constantFrom(undefined, 0, 200),
      minResidencyMs: fc.constantFrom(0, 100, 400),
      maxWaitMs: fc.constantFrom(0, 300, 2_000),
      loadMs: fc.constantFrom(10, 300),
    }),
  });

const task = fc.record({
  poolId: fc.constantFrom(...POOLS),
  atMs: fc.integer({ min: 0, max: 5_000 }),
  runMs: fc.integer({ min: 2, max: 300 }),
  priority: fc.constantFrom('interactive' as const, 'batch' as const),
  sessionId: fc.constantFrom('x', 'y', 'z'),
});

/** So long a model of these is waited for that does not come up. */
const GIVEN_UP_MS = 30_000;

/**
 * The longest that tasks may wait for their model. Once they have waited `maxWaitMs`, only those go before
 * them that have waited longer, each once, and what is loaded then or about to be: a load, the minimum
 * residency, the longest run and an unload each.
 */
function boundMs(pools: readonly SwapPool[], tasks: readonly SwapTask[], own: SwapPool): number {
  const runMs = Math.max(2, ...tasks.map((each) => each.runMs));
  const turnMs = ({ loadMs, unloadMs, residency }: SwapPool) =>
    Math.min(loadMs, GIVEN_UP_MS) + residency.minResidencyMs + runMs + unloadMs;
  const others = pools.filter((each) => each !== own);
  const turnsMs = others.reduce((sum, each) => sum + 2 * turnMs(each), 0);
  return own.residency.maxWaitMs + turnsMs + runMs + own.unloadMs + own.loadMs;
}

test('OC-CORE-1120 no device is overfull, no generation is killed, no model is waited for beyond the bound', () => {
  fc.assert(
    fc.property(fc.tuple(...POOLS.map(pool)), fc.array(task, { maxLength: 60 }), (pools, tasks) => {
      const world = new SwapWorld(pools);
      world.play(tasks);
      expect(world.outcomes.size).toBe(tasks.length);
      for (const { dispatchedAtMs } of world.outcomes.values()) {
        expect(dispatchedAtMs).toBeDefined();
      }
      for (const each of pools) {
        const unservedMs = world.unservedMs.get(each.poolId) ?? 0;
        expect(unservedMs).toBeLessThanOrEqual(boundMs(pools, tasks, each));
      }
    }),
    { numRuns: Number(process.env['LLORCH_PROPERTY_RUNS'] ?? 300) },
  );
});

test('OC-CORE-1122 a model that never comes up keeps no other from its bound', () => {
  const broken = pool('a').map((each) => ({ ...each, loadMs: Infinity }));
  fc.assert(
    fc.property(
      fc.tuple(broken, pool('b'), pool('c')),
      fc.array(task, { maxLength: 40 }),
      (pools, tasks) => {
        const world = new SwapWorld(pools);
        world.play(tasks.map((each) => ({ ...each, canceledAtMs: 300_000 })));
        for (const { poolId, dispatchedAtMs } of world.outcomes.values()) {
          expect(dispatchedAtMs === undefined).toBe(poolId === 'a');
        }
        for (const each of pools.slice(1)) {
          const unservedMs = world.unservedMs.get(each.poolId) ?? 0;
          expect(unservedMs).toBeLessThanOrEqual(boundMs(pools, tasks, each));
        }
      },
    ),
    { numRuns: Number(process.env['LLORCH_PROPERTY_RUNS'] ?? 100) },
  );
});
