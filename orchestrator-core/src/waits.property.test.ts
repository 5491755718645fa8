import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { WaitRecord } from './decision.ts';
import { World } from './testing/core-world.ts';
import { someOps } from './testing/world-ops.ts';
import type { Effect } from './types.ts';

/** Every wait that was told, of the tasks as they were admitted. */
function waitsOf(effects: readonly Effect[]) {
  return effects.flatMap((effect): { taskId: string; wait: WaitRecord }[] => {
    if (effect.type === 'dispatch') return [{ taskId: effect.taskId, wait: effect.decision }];
    if (effect.type !== 'ended' || effect.wait === undefined) return [];
    return [{ taskId: effect.taskId, wait: effect.wait }];
  });
}

test('OC-CORE-1070 OC-CORE-1071 OC-CORE-1092 whatever happens, each wait adds up and each reason fits who it is of', () => {
  fc.assert(
    fc.property(someOps, fc.boolean(), (steps, gatherArrivals) => {
      const world = new World(gatherArrivals);
      for (const step of steps) world.run(step);
      const hasRestarted = steps.some(({ kind }) => kind === 'crash');
      const tasks = new Map(
        world.log.flatMap(({ event }) =>
          event.type === 'task.accepted' ? [[event.taskId, event.task] as const] : [],
        ),
      );
      for (const { taskId, wait } of waitsOf(world.effects)) {
        const { waitedMs, waits, wentFirst } = wait;
        const told = Object.values(waits).reduce((sum, ms) => sum + ms, 0);
        expect(told).toBeCloseTo(waitedMs, 6);
        expect('before-restart' in waits && !hasRestarted).toBe(false);
        const own = tasks.get(taskId);
        for (const { tenantId, priority, reason } of wentFirst) {
          const isOfFlow = tenantId === own?.tenantId && priority === own.priority;
          if (reason === 'tenant-share') expect(tenantId).not.toBe(own?.tenantId);
          if (reason === 'class-share')
            expect([tenantId, isOfFlow]).toEqual([own?.tenantId, false]);
        }
      }
    }),
    { numRuns: 150 },
  );
});
