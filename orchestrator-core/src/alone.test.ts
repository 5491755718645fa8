import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Driver, ofType, practise } from './testing/fixtures.ts';
import { DEFAULT_TUNING } from './tuning.ts';

/** Replicas with three slots each, on which strict tasks run alone. */
function world(replicas = 1): Driver {
  const driver = new Driver();
  driver.pool({ capacity: 1_000 });
  for (let n = 0; n < replicas; n += 1) driver.replica(`r${n}`, { slots: 3, strictAlone: true });
  return driver;
}

const joiner = { rerunnable: false } as const;

test('OC-CORE-1130 a strict task runs alone on an idle replica, and nothing joins it', () => {
  const driver = world();
  expect(ofType(driver.admit('strict'), 'dispatch')).toMatchObject([{ alone: true }]);
  driver.progress('strict');
  expect(ofType(driver.admit('other', joiner), 'dispatch')).toEqual([]);
  expect(driver.core.poolView('p')?.slotsFree).toBe(0);
  expect(driver.core.wait('other', driver.nowMs)).toMatchObject({
    replicas: [{ verdict: 'no-slot' }],
  });
  expect(ofType(driver.finish('strict'), 'dispatch')).toMatchObject([{ alone: false }]);
  expect(driver.core.poolView('p')?.slotsFree).toBe(2);
});

test('OC-CORE-1130 what is not strict, and what is answered whole, shares the replica', () => {
  const driver = world();
  driver.admit('a', joiner);
  driver.progress('a');
  driver.admit('b', joiner);
  driver.progress('b');
  driver.admit('c', { answersWhole: true });
  expect(driver.started).toEqual(['a', 'b', 'c']);
});

test('OC-CORE-1131 the replica that it waits for is kept for it: nobody joins, and it goes when all have ended', () => {
  const driver = world();
  for (const taskId of ['a', 'b']) {
    driver.admit(taskId, joiner);
    driver.progress(taskId);
  }
  driver.admit('strict');
  expect(driver.core.wait('strict', driver.nowMs)).toMatchObject({
    heldForId: 'r0',
    replicas: [{ verdict: 'not-idle' }],
  });
  driver.admit('late', joiner);
  expect(ofType(driver.finish('a'), 'dispatch')).toEqual([]);
  expect(ofType(driver.finish('b'), 'dispatch')).toMatchObject([{ taskId: 'strict' }]);
  expect(ofType(driver.finish('strict'), 'dispatch')).toMatchObject([{ taskId: 'late' }]);
});

test('OC-CORE-1131 a kept replica is open again once the task was canceled', () => {
  const driver = world();
  driver.admit('a', joiner);
  driver.progress('a');
  driver.admit('strict');
  driver.step({ type: 'cancel', taskId: 'strict', reason: 'client' });
  expect(driver.core.poolView('p')?.slotsFree).toBe(2);
  expect(ofType(driver.admit('b', joiner), 'dispatch')).toHaveLength(1);
});

test('OC-CORE-1131 a task whose tenant came to its limit meanwhile keeps nothing from others', () => {
  const driver = world();
  for (const taskId of ['a', 'b']) {
    driver.admit(taskId, { ...joiner, tenantId: 'u' });
    driver.progress(taskId);
  }
  driver.admit('strict');
  expect(driver.core.poolView('p')?.slotsFree).toBe(0);
  driver.tenants({ tenantId: 't', maxConcurrent: 0 });
  expect(driver.core.poolView('p')?.slotsFree).toBe(1);
  expect(ofType(driver.admit('other', { ...joiner, tenantId: 'u' }), 'dispatch')).toHaveLength(1);
});

test('OC-CORE-1131 when the kept replica is lost the task waits for another', () => {
  const driver = world(2);
  for (const taskId of ['a', 'b']) {
    driver.admit(taskId, joiner);
    driver.progress(taskId);
  }
  driver.admit('strict');
  const keptId = driver.core.wait('strict', driver.nowMs)?.heldForId ?? '';
  driver.step({ type: 'replica-gone', poolId: 'p', replicaId: keptId });
  expect(driver.core.wait('strict', driver.nowMs)?.heldForId).toBe(keptId === 'r0' ? 'r1' : 'r0');
});

test('OC-CORE-1131 it never waits behind those that come after it, however many and whatever ends first', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 3 }),
      fc.nat(9),
      fc.array(fc.nat(20), { minLength: 60, maxLength: 60 }),
      fc.boolean(),
      (replicas, before, picks, isOfOther) => {
        const driver = world(replicas);
        const running = new Set<string>();
        const keep = (effects: ReturnType<Driver['step']>) => {
          for (const { taskId } of ofType(effects, 'dispatch')) {
            running.add(taskId);
            keep(driver.progress(taskId));
          }
        };
        for (let n = 0; n < before; n += 1) keep(driver.admit(`before${n}`, joiner));
        keep(driver.admit('strict'));
        let ended = 0;
        for (const [n, pick] of picks.entries()) {
          if (running.has('strict')) break;
          driver.nowMs += 500;
          keep(driver.admit(`after${n}`, { ...joiner, tenantId: isOfOther ? 'u' : 't' }));
          const taskId = [...running][pick % running.size] ?? '';
          running.delete(taskId);
          keep(driver.finish(taskId));
          ended += 1;
        }
        expect(running.has('strict')).toBe(true);
        // Those before it, those that pass it while it counts as late, and what runs by then.
        const { overduePenaltyMs, overdueAfterMs, startWithinMs } = DEFAULT_TUNING;
        const passingMs = startWithinMs.interactive + overdueAfterMs + overduePenaltyMs;
        expect(ended).toBeLessThanOrEqual(before + Math.ceil(passingMs / 500) + 3 * 3 * replicas);
      },
    ),
    { numRuns: 300 },
  );
});

test('OC-CORE-1131 what the replica is kept for waits for what runs there, and who comes later for that as well', () => {
  const driver = world();
  practise(driver, 20, joiner, { decodeMs: 980 });
  driver.admit('a', joiner);
  driver.progress('a');
  driver.admit('strict');
  driver.admit('late', joiner);
  const firstTokenMs = (taskId: string) =>
    driver.core.wait(taskId, driver.nowMs)?.replicas[0]?.firstTokenMs ?? NaN;
  expect(firstTokenMs('strict')).toBeLessThan(firstTokenMs('late') - 500);
});
