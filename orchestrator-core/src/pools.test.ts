import { expect, test } from 'vitest';
import { Driver, ofType } from './testing/fixtures.ts';

function busy(): Driver {
  const driver = new Driver();
  driver.pool();
  driver.replica('r1');
  driver.replica('r2');
  for (const taskId of ['a', 'b', 'c']) driver.admit(taskId);
  return driver;
}

const drain = { type: 'drain', poolId: 'p', deadlineMs: 1_000 } as const;
const undrain = { type: 'undrain', poolId: 'p' } as const;

test('OC-CORE-1003 a lost replica gives its tasks back, before those who came later', () => {
  const driver = busy();
  const effects = driver.step({ type: 'replica-gone', poolId: 'p', replicaId: 'r1' });
  expect(effects).toMatchObject([
    { type: 'abort', taskId: 'a', replicaId: 'r1', reason: 'replica-gone' },
    { type: 'requeued', taskId: 'a', reason: 'replica-gone' },
  ]);
  expect(driver.core.task('a', driver.nowMs)?.queuePosition).toBe(1);
  expect(ofType(driver.finish('b'), 'dispatch')).toMatchObject([{ taskId: 'a', attempt: 2 }]);
});

test('losing a replica or a pool that is not known changes nothing', () => {
  const driver = busy();
  expect(driver.step({ type: 'replica-gone', poolId: 'x', replicaId: 'r1' })).toEqual([]);
  expect(driver.step({ type: 'replica-gone', poolId: 'p', replicaId: 'x' })).toEqual([]);
});

test('a replica that turns unready finishes what runs and gets nothing new', () => {
  const driver = busy();
  expect(driver.replica('r1', { ready: false })).toEqual([]);
  expect(ofType(driver.finish('a'), 'dispatch')).toEqual([]);
  expect(driver.core.poolView('p')).toMatchObject({ slotsTotal: 1, slotsFree: 0 });
  expect(ofType(driver.replica('r1'), 'dispatch')).toMatchObject([{ taskId: 'c' }]);
});

test('ORCH-3011 OC-CORE-1011 work for one pool never moves to a replica of another', () => {
  const driver = busy();
  driver.pool({ poolId: 'q' });
  expect(driver.replica('q1', { poolId: 'q', slots: 4 })).toEqual([]);
  expect(driver.core.poolView('p')?.waiting.interactive).toBe(1);
});

test('OC-CORE-1010 more slots on a replica are filled at once', () => {
  expect(ofType(busy().replica('r1', { slots: 2 }), 'dispatch')).toMatchObject([{ taskId: 'c' }]);
});

test('fewer slots than running tasks: nothing new until they are done', () => {
  const driver = busy();
  driver.replica('r1', { slots: 3 });
  for (const taskId of ['d', 'e']) driver.admit(taskId);
  driver.replica('r1', { slots: 1 });
  expect(driver.core.poolView('p')).toMatchObject({ running: 4, slotsTotal: 2, slotsFree: 0 });
  expect(ofType(driver.finish('a'), 'dispatch')).toEqual([]);
});

test('ORCH-2101 OC-CORE-1014 a draining pool dispatches nothing and lets what runs finish', () => {
  const driver = busy();
  driver.step(drain);
  expect(driver.finish('a').map((effect) => effect.type)).toEqual(['ended']);
  expect(driver.core.poolView('p')).toMatchObject({
    draining: true,
    drainDeadlineAtMs: driver.nowMs + 1_000,
    waiting: { interactive: 1 },
  });
});

test('ORCH-2101 OC-CORE-1014 at the deadline what can run again waits for the end of the drain', () => {
  const driver = busy();
  driver.step(drain);
  expect(driver.advance(999)).toEqual([]);
  expect(driver.advance(1).map((effect) => effect.type)).toEqual([
    'abort',
    'requeued',
    'abort',
    'requeued',
  ]);
  expect(ofType(driver.step(undrain), 'dispatch').map((effect) => effect.taskId)).toEqual([
    'a',
    'b',
  ]);
});

test('ORCH-2101 OC-CORE-1014 at the deadline what cannot run again ends with POOL_UNREADY', () => {
  const driver = new Driver();
  driver.pool();
  driver.replica('r');
  driver.admit('a', { rerunnable: false });
  driver.progress('a');
  driver.step(drain);
  expect(ofType(driver.advance(1_000), 'ended')).toMatchObject([
    { outcome: { kind: 'failed', code: 'POOL_UNREADY', retriable: true } },
  ]);
});

test('OC-CORE-1032 a drain does not use up attempts', () => {
  const driver = busy();
  for (let n = 0; n < 5; n += 1) {
    driver.step(drain);
    driver.advance(1_000);
    driver.step(undrain);
  }
  expect(driver.core.task('a', driver.nowMs)).toMatchObject({ state: 'running', attempt: 6 });
});

test('a second drain moves the deadline, and undrain takes it away', () => {
  const driver = busy();
  driver.step(drain);
  driver.step({ ...drain, deadlineMs: 3_000 });
  expect(driver.advance(1_000)).toEqual([]);
  driver.step(undrain);
  expect(driver.advance(3_000)).toEqual([]);
  expect(driver.core.poolView('p')?.draining).toBe(false);
});

test('draining an unknown pool and undraining an active one are not remembered', () => {
  const driver = busy();
  const before = driver.log.length;
  driver.step({ ...drain, poolId: 'x' });
  driver.step(undrain);
  expect(driver.log).toHaveLength(before);
  expect(driver.core.poolView('x')).toBeUndefined();
});
