import { expect, test } from 'vitest';
import { Driver, ofType } from './testing/fixtures.ts';
import type { PoolSpec } from './types.ts';

/** A pool that waits for its first replica, so that every task admitted waits. */
function full(fields: Partial<PoolSpec>, ...waiting: readonly ('i' | 'b')[]): Driver {
  const driver = new Driver();
  driver.pool({ capacity: waiting.length, ...fields });
  waiting.forEach((kind, n) =>
    driver.admit(`${kind}${n}`, { priority: kind === 'i' ? 'interactive' : 'batch' }),
  );
  return driver;
}

const batch = { priority: 'batch' } as const;
const summary = (effects: ReturnType<Driver['step']>) =>
  effects.map((effect) => {
    if (effect.type === 'rejected') return `429 ${effect.code} ${effect.policyLabel}`;
    if (effect.type !== 'ended') return `${effect.type} ${'taskId' in effect ? effect.taskId : ''}`;
    return `ended ${effect.taskId} ${effect.outcome.kind === 'failed' ? effect.outcome.code : ''}`;
  });

test('ORCH-3005 OC-CORE-1002 reject: the newcomer is refused, whoever waits', () => {
  const driver = full({ fullPolicy: 'reject' }, 'b', 'b');
  expect(summary(driver.admit('new'))).toEqual(['429 ADMISSION_REJECT reject']);
  expect(summary(driver.admit('new', batch))).toEqual(['429 ADMISSION_REJECT reject']);
});

test('ORCH-3005 OC-CORE-1002 drop-lru: the oldest waiting batch task goes and the newcomer comes in', () => {
  const driver = full({ fullPolicy: 'drop-lru' }, 'b', 'i', 'b');
  expect(summary(driver.admit('new'))).toEqual(['ended b0 QUEUE_FULL_DROP_LRU', 'accepted new']);
  expect(summary(driver.admit('more', batch))).toEqual([
    'ended b2 QUEUE_FULL_DROP_LRU',
    'accepted more',
  ]);
});

test('ORCH-3005 OC-CORE-1002 drop-lru: batch never evicts interactive, nor does interactive', () => {
  const driver = full({ fullPolicy: 'drop-lru' }, 'i', 'i');
  expect(summary(driver.admit('new'))).toEqual(['429 QUEUE_FULL_DROP_LRU drop-lru']);
  expect(summary(driver.admit('new', batch))).toEqual(['429 QUEUE_FULL_DROP_LRU drop-lru']);
});

test('ORCH-3005 OC-CORE-1002 shed-low-priority: an interactive arrival evicts the newest waiting batch task', () => {
  const driver = full({ fullPolicy: 'shed-low-priority' }, 'b', 'b', 'i');
  expect(summary(driver.admit('new'))).toEqual(['ended b1 QUEUE_FULL_DROP_LRU', 'accepted new']);
});

test('ORCH-3005 OC-CORE-1002 shed-low-priority: anything else is refused', () => {
  const driver = full({ fullPolicy: 'shed-low-priority' }, 'i', 'b');
  const refused = ['429 ADMISSION_REJECT shed-low-priority'];
  expect(summary(driver.admit('new', batch))).toEqual(refused);
  driver.admit('evicts');
  expect(summary(driver.admit('new'))).toEqual(refused);
});

test('ORCH-3004 OC-CORE-1001 the tighter of total and class bound wins', () => {
  const driver = full({ classCapacity: { batch: 1 }, capacity: 3 }, 'b');
  expect(summary(driver.admit('new', batch))).toEqual(['429 ADMISSION_REJECT reject']);
  driver.admit('i1');
  driver.admit('i2');
  expect(summary(driver.admit('i3'))).toEqual(['429 ADMISSION_REJECT reject']);
});

test('OC-CORE-1002 nobody is evicted when that would not make room in the full class', () => {
  const limits = { classCapacity: { interactive: 1 }, capacity: 9 };
  for (const fullPolicy of ['drop-lru', 'shed-low-priority'] as const) {
    const driver = full({ fullPolicy, ...limits }, 'i', 'b');
    expect(ofType(driver.admit('new'), 'rejected')).toHaveLength(1);
    expect(driver.stateOf('b1')).toBe('queued');
  }
});

test('OC-CORE-1003 tasks that came back above the bound block newcomers and are not dropped for them', () => {
  const driver = new Driver();
  driver.pool({ capacity: 1, fullPolicy: 'drop-lru' });
  driver.replica('r', { slots: 2 });
  driver.admit('ran1', batch);
  driver.admit('ran2', batch);
  driver.admit('waits', batch);
  driver.step({ type: 'replica-gone', poolId: 'p', replicaId: 'r' });
  expect(driver.core.poolView('p')?.waiting.batch).toBe(3);
  expect(summary(driver.admit('new'))).toEqual(['429 QUEUE_FULL_DROP_LRU drop-lru']);
  expect(driver.core.poolView('p')?.waiting.batch).toBe(3);
});

test('OC-CORE-1001 a pool of capacity 0 takes exactly what it can start at once', () => {
  const driver = new Driver();
  driver.pool({ capacity: 0 });
  driver.replica('r');
  expect(summary(driver.admit('a'))).toEqual(['accepted a', 'dispatch a']);
  expect(summary(driver.admit('b'))).toEqual(['429 ADMISSION_REJECT reject']);
});

test('ORCH-2007 OC-CORE-1009 a full queue advises when to come back', () => {
  const [rejected] = ofType(full({}, 'i').admit('new'), 'rejected');
  expect(rejected?.retryAfterMs).toBeGreaterThanOrEqual(1);
});
