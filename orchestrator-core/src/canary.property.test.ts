import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { canaryShareOf, sharePoint } from './canary.ts';
import { aReplica, Driver, ofType } from './testing/fixtures.ts';

describe('ORCH-3033 OC-CORE-1099 the share of a canary', () => {
  test('is taken by sessions, and by tasks without one, in the same measure', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 100 }),
        fc.boolean(),
        fc.uuid(),
        (percent, inSessions, id) => {
          const ids = Array.from({ length: 4000 }, (_, n) => `${n}${id.slice(String(n).length)}`);
          const points = ids.map((each) =>
            inSessions
              ? sharePoint({ sessionId: each, taskId: 'same' })
              : sharePoint({ sessionId: undefined, taskId: each }),
          );
          const share = points.filter((point) => point < percent).length / ids.length;
          // Five standard deviations of a binomial share over so many.
          expect(Math.abs(share - percent / 100)).toBeLessThan(0.04);
        },
      ),
      { numRuns: 30 },
    );
  });

  test('is even over ids that end in a counter', () => {
    const points = Array.from({ length: 2000 }, (_, n) =>
      sharePoint({ sessionId: undefined, taskId: `task-${n}` }),
    );
    for (const percent of [5, 25, 50, 75]) {
      const share = points.filter((point) => point < percent).length / points.length;
      expect(Math.abs(share - percent / 100)).toBeLessThan(0.05);
    }
  });

  test('grows without moving anybody back', () => {
    fc.assert(
      fc.property(fc.string(), fc.nat(100), fc.nat(100), (taskId, a, b) => {
        const point = sharePoint({ sessionId: undefined, taskId });
        if (point < Math.min(a, b)) expect(point).toBeLessThan(Math.max(a, b));
        expect(point).toBeGreaterThanOrEqual(0);
        expect(point).toBeLessThan(100);
      }),
    );
  });

  test('exists only while a canary is ready and another replica is known', () => {
    const canary = aReplica('c', { canaryPercent: 10 });
    expect(canaryShareOf([aReplica('r'), canary])).toBe(10);
    expect(canaryShareOf([aReplica('r', { ready: false }), canary])).toBe(10);
    expect(canaryShareOf([aReplica('r'), { ...canary, ready: false }])).toBeUndefined();
    expect(canaryShareOf([canary])).toBeUndefined();
  });
});

/** Ids of tasks whose side, at one half, is the canary's, or is not. */
function idsOf(isForCanary: boolean, count: number): readonly string[] {
  const ids: string[] = [];
  for (let n = 0; ids.length < count; n += 1) {
    const taskId = `${n}`;
    if (sharePoint({ sessionId: undefined, taskId }) < 50 === isForCanary) ids.push(taskId);
  }
  return ids;
}

describe('a pool with a canary', () => {
  function shared(): Driver {
    const driver = new Driver();
    driver.pool();
    driver.replica('stable', { setId: 'old' });
    driver.replica('canary', { setId: 'new', canaryPercent: 50 });
    return driver;
  }

  test('ORCH-3033 OC-CORE-1099 a task waits for its own side though the other is idle', () => {
    const driver = shared();
    const [first = '', second = ''] = idsOf(true, 2);
    driver.admit(first);
    driver.admit(second);
    expect(driver.replicaOf(first)).toBe('canary');
    expect(driver.stateOf(second)).toBe('queued');
    driver.serve(first);
    expect(driver.replicaOf(second)).toBe('canary');
  });

  test('ORCH-3033 OC-CORE-1099 when no canary is ready its tasks go to the others at once', () => {
    const driver = shared();
    const [first = '', second = ''] = idsOf(true, 2);
    driver.admit(first);
    driver.admit(second);
    driver.replica('canary', { setId: 'new', canaryPercent: 50, ready: false });
    expect(driver.replicaOf(second)).toBe('stable');
  });

  test('OC-CORE-1099 those who wait find their side when the canary comes', () => {
    const driver = new Driver();
    driver.pool({ capacity: 10 });
    driver.replica('stable', { setId: 'old' });
    const [running = '', waiting = ''] = idsOf(false, 2);
    const [other = ''] = idsOf(true, 1);
    for (const taskId of [running, waiting, other]) driver.admit(taskId);
    const effects = driver.replica('canary', { setId: 'new', canaryPercent: 50, slots: 3 });
    expect(ofType(effects, 'dispatch').map(({ taskId }) => taskId)).toEqual([other]);
    expect(ofType(effects, 'dispatch')[0]?.decision.replicas).toContainEqual(
      expect.objectContaining({ replicaId: 'stable', verdict: 'canary-share' }),
    );
    // Promoted, it is one like the others.
    driver.replica('canary', { setId: 'new', slots: 3 });
    expect(driver.replicaOf(waiting)).toBe('canary');
  });

  test('OC-CORE-1099 labels that a task names go before the share', () => {
    const driver = new Driver();
    driver.pool();
    driver.replica('stable', { labels: { zone: 'a' } });
    driver.replica('canary', { labels: { zone: 'b' }, canaryPercent: 0 });
    driver.admit('t1', { placement: { labels: { zone: 'b' } } });
    expect(driver.replicaOf('t1')).toBe('canary');
  });
});
