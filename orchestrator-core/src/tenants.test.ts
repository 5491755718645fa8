import { expect, test } from 'vitest';
import { Driver, ofType } from './testing/fixtures.ts';

/** Pools p and q, two slots each; tenant t may run two tasks in all. */
function limited(): Driver {
  const driver = new Driver();
  driver.pool();
  driver.pool({ poolId: 'q' });
  driver.replica('r', { slots: 2 });
  driver.replica('s', { slots: 2, poolId: 'q' });
  driver.tenants({ tenantId: 't', maxConcurrent: 2 });
  return driver;
}

const inQ = { poolId: 'q' } as const;

test('ORCH-3036 ORCH-3077 OC-CORE-1055 a tenant runs no more tasks at once than it may, over all pools', () => {
  const driver = limited();
  driver.admit('a');
  driver.admit('b', inQ);
  expect(ofType(driver.admit('c'), 'accepted')).toMatchObject([{ queuePosition: 1 }]);
  driver.admit('d', inQ);
  expect(driver.started).toEqual(['a', 'b']);
});

test('ORCH-3077 OC-CORE-1055 a task that ends in one pool lets the tenant go on in another', () => {
  const driver = limited();
  driver.admit('a');
  driver.admit('b');
  driver.admit('c', inQ);
  expect(ofType(driver.finish('a'), 'dispatch')).toMatchObject([{ taskId: 'c', poolId: 'q' }]);
});

test('OC-CORE-1055 so does a task that is canceled or comes back', () => {
  const driver = limited();
  driver.admit('a');
  driver.admit('b');
  driver.admit('c', inQ);
  driver.admit('d', inQ);
  const canceled = driver.step({ type: 'cancel', taskId: 'a', reason: 'client' });
  expect(ofType(canceled, 'dispatch')).toMatchObject([{ taskId: 'c' }]);
  const gone = driver.step({ type: 'replica-gone', poolId: 'p', replicaId: 'r' });
  expect(ofType(gone, 'dispatch')).toMatchObject([{ taskId: 'd' }]);
});

test('OC-CORE-1055 a tenant at its limit does not stand in the way of others', () => {
  const driver = limited();
  for (const taskId of ['a', 'b', 'c']) driver.admit(taskId, inQ);
  const effects = driver.admit('other', { tenantId: 'u' });
  expect(ofType(effects, 'dispatch')).toMatchObject([{ taskId: 'other' }]);
});

test('OC-CORE-1055 one who waits for the own limit is told so', () => {
  const driver = limited();
  for (const taskId of ['a', 'b', 'c']) driver.admit(taskId, inQ);
  expect(driver.core.wait('c', driver.nowMs)?.cause).toBe('tenant-limit');
});

test('OC-CORE-1055 a higher limit starts those who wait at once, a lower one stops nobody', () => {
  const driver = limited();
  for (const taskId of ['a', 'b', 'c']) driver.admit(taskId);
  driver.replica('r', { slots: 4 });
  expect(ofType(driver.tenants({ tenantId: 't', maxConcurrent: 3 }), 'dispatch')).toHaveLength(1);
  expect(driver.tenants({ tenantId: 't', maxConcurrent: 1 })).toEqual([]);
  driver.admit('d');
  driver.finish('a');
  driver.finish('b');
  expect(driver.stateOf('d')).toBe('queued');
  expect(ofType(driver.finish('c'), 'dispatch')).toMatchObject([{ taskId: 'd' }]);
});

test('OC-CORE-1055 a tenant that is not listed has no limit', () => {
  const driver = limited();
  driver.replica('r', { slots: 8 });
  for (let n = 0; n < 8; n += 1) driver.admit(`u${n}`, { tenantId: 'unlisted' });
  expect(driver.started).toHaveLength(8);
});

test('OC-CORE-1055 after a restart what runs again counts again', () => {
  const driver = limited();
  driver.admit('a');
  driver.admit('b');
  driver.admit('c');
  const next = new Driver();
  for (const { event, atMs } of driver.log) next.core.restore(event, atMs);
  next.pool();
  next.tenants({ tenantId: 't', maxConcurrent: 2 });
  next.keep(next.core.resume(next.nowMs));
  next.replica('r', { slots: 4 });
  expect(next.started).toEqual(['a', 'b']);
});
