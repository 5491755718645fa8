import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Op } from './testing/core-world.ts';
import { durableJson, World } from './testing/core-world.ts';
import { everywhere, someOps } from './testing/world-ops.ts';

function worldAfter(steps: readonly Op[], gatherArrivals = false): World {
  const world = new World(gatherArrivals);
  for (const step of steps) world.run(step);
  return world;
}

test('ORCH-3004 ORCH-3017 ORCH-3026 ORCH-3077 ORCH-3086 OC-CORE-1001 OC-CORE-1010 OC-CORE-1011 whatever happens, the promises hold', () => {
  fc.assert(
    fc.property(someOps, (steps) => worldAfter(steps).settle(everywhere)),
    { numRuns: 300 },
  );
});

test('OC-CORE-1077 they hold as well when arrivals of one moment are planned together', () => {
  fc.assert(
    fc.property(someOps, (steps) => worldAfter(steps, true).settle(everywhere)),
    { numRuns: 300 },
  );
});

test('OC-CORE-1031 folding the ledger gives the state that wrote it, from a snapshot as well', () => {
  fc.assert(
    fc.property(someOps, fc.boolean(), (steps, fromSnapshot) => {
      const world = worldAfter(steps);
      expect(durableJson(world.rebuilt(fromSnapshot))).toEqual(durableJson(world.core));
    }),
    { numRuns: 200 },
  );
});

test('OC-CORE-1030 the same commands at the same times give the same events and effects', () => {
  fc.assert(
    fc.property(someOps, (steps) => {
      const [first, second] = [worldAfter(steps), worldAfter(steps)];
      expect(second.log).toEqual(first.log);
      expect(second.effects).toEqual(first.effects);
    }),
    { numRuns: 50 },
  );
});
