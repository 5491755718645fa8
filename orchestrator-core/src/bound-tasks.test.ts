import { expect, test } from 'vitest';
import { Driver, ofType } from './testing/fixtures.ts';

const bound = { setId: 's', placement: { notOn: 'first' } } as const;

test('OC-CORE-1132 a task bound to a set and away from one of its replicas waits for another of them', () => {
  const driver = new Driver();
  driver.pool();
  driver.replica('first');
  driver.replica('foreign', { setId: 'other' });
  expect(ofType(driver.admit('bound', bound), 'dispatch')).toEqual([]);
  expect(driver.core.wait('bound', driver.nowMs)?.replicas).toMatchObject([
    { replicaId: 'first', verdict: 'excluded' },
    { replicaId: 'foreign', verdict: 'other-set' },
  ]);
  const [dispatch] = ofType(driver.replica('second'), 'dispatch');
  expect(dispatch).toMatchObject({ taskId: 'bound', replicaId: 'second' });
});

test('OC-CORE-1132 it holds for a second attempt, and after a restart', () => {
  const driver = new Driver();
  driver.pool();
  driver.replica('second');
  driver.admit('bound', bound);
  driver.replica('first');
  driver.step({ type: 'replica-gone', poolId: 'p', replicaId: 'second' });
  expect(driver.stateOf('bound')).toBe('queued');
  const again = new Driver();
  for (const { event, atMs } of driver.log) again.core.restore(event, atMs);
  again.nowMs = driver.nowMs;
  again.pool();
  again.keep(again.core.resume(again.nowMs));
  again.replica('first');
  expect(again.started).toEqual([]);
  again.replica('third');
  expect(again.started).toEqual(['bound']);
});

test('OC-CORE-1132 a task bound to one replica of its set waits for that one', () => {
  const driver = new Driver();
  driver.pool();
  driver.replica('first');
  driver.replica('second');
  driver.replica('third', { ready: false });
  const placed = driver.admit('placed', { setId: 's', placement: { on: 'second' } });
  expect(ofType(placed, 'dispatch')).toMatchObject([{ replicaId: 'second' }]);
  driver.admit('waits', { setId: 's', placement: { on: 'third' } });
  expect(driver.core.wait('waits', driver.nowMs)?.replicas).toMatchObject([
    { replicaId: 'first', verdict: 'excluded' },
    { replicaId: 'second', verdict: 'excluded' },
    { replicaId: 'third', verdict: 'not-ready' },
  ]);
  expect(ofType(driver.replica('third'), 'dispatch')).toMatchObject([{ taskId: 'waits' }]);
});
