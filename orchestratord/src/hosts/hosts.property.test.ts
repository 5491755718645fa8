/**
 * Hosts and orchestratord over a network that loses, delays, repeats and reorders, with partitions and
 * restarts of either side, clocks that run at different rates, and tasks that want to run all the time.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { HostWorld } from './testing/host-world.ts';

const HOSTS = [
  { rate: 1.02, replicas: 2 },
  { rate: 0.98, replicas: 1 },
];
const REPLICAS = 3;

const disturbance = fc.oneof(
  { weight: 6, arbitrary: fc.record({ type: fc.constant('pass' as const), ms: fc.nat(900) }) },
  {
    weight: 5,
    arbitrary: fc.record({
      type: fc.constantFrom('partition', 'heal', 'restart-host', 'crash-engine'),
      host: fc.nat(HOSTS.length - 1),
    }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('abort' as const), task: fc.nat(5) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('restart-orchestratord' as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant('network' as const),
      lossRate: fc.constantFrom(0, 0.1, 0.4),
      maxDelayMs: fc.constantFrom(1, 50, 400),
    }),
  },
);

function numbersFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

test('OC-POOL-3112 OC-POOL-3114 OC-POOL-3115 whatever happens no task runs twice at once, and all comes back', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.nat(),
      fc.array(disturbance, { minLength: 5, maxLength: 40 }),
      async (seed, disturbances) => {
        const world = new HostWorld(numbersFrom(seed), HOSTS);
        await world.clock.advance(500);
        for (const each of disturbances) {
          const host = 'host' in each ? world.hosts[each.host] : undefined;
          if (each.type === 'partition') world.network.partition(host?.hostId ?? '');
          if (each.type === 'heal') world.network.heal(host?.hostId ?? '');
          if (each.type === 'restart-host') host?.restart();
          if (each.type === 'crash-engine') host?.crashEngine();
          if (each.type === 'abort') world.abortAttempt(each.task);
          if (each.type === 'restart-orchestratord') world.restartOrchestratord();
          if (each.type === 'network') {
            world.network.lossRate = each.lossRate;
            world.network.maxDelayMs = each.maxDelayMs;
          }
          await world.clock.advance(each.type === 'pass' ? each.ms : 20);
          expect(world.counter.violations).toEqual([]);
        }
        for (const { hostId } of world.hosts) world.network.heal(hostId);
        world.network.lossRate = 0;
        world.network.maxDelayMs = 5;
        await world.clock.advance(5_000);
        expect(world.readyReplicas()).toBe(REPLICAS);
        const { completed } = world;
        await world.clock.advance(8_000);
        expect(world.completed).toBeGreaterThan(completed);
        expect(world.counter.violations).toEqual([]);
      },
    ),
    { numRuns: 60 },
  );
}, 120_000);
