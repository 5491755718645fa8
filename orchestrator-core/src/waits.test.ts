import { describe, expect, test } from 'vitest';
import type { DurableState } from './snapshot.ts';
import { Driver, ofType } from './testing/fixtures.ts';
import type { Effect } from './types.ts';

const EAST = { labels: { zone: 'east' } } as const;

const waitOf = (effects: readonly Effect[], taskId: string) =>
  ofType(effects, 'ended').find((effect) => effect.taskId === taskId)?.wait;
const decisionOf = (effects: readonly Effect[], taskId: string) =>
  ofType(effects, 'dispatch').find((effect) => effect.taskId === taskId)?.decision;
const present = (driver: Driver, taskId: string) => driver.core.wait(taskId, driver.nowMs);

function busy(): Driver {
  const driver = new Driver();
  driver.pool({ idleMs: 60_000 });
  driver.replica('r');
  driver.admit('runs');
  driver.admit('waits');
  return driver;
}

/** Another process, a minute later, from the events or from a snapshot and no events. */
function restarted(before: Driver, fromSnapshot: boolean): Driver {
  const driver = new Driver();
  driver.nowMs = before.nowMs + 60_000;
  if (fromSnapshot) {
    driver.core.loadState(JSON.parse(JSON.stringify(before.core.durableState())) as DurableState);
  } else {
    for (const { event, atMs } of before.log) driver.core.restore(event, atMs);
  }
  driver.pool();
  driver.keep(driver.core.resume(driver.nowMs));
  return driver;
}

describe.each([false, true])('after a restart (from a snapshot: %s)', (fromSnapshot) => {
  test('OC-CORE-1091 the time before it is told as such, and not as a turn that was not had', () => {
    const before = busy();
    before.nowMs += 500;
    const driver = restarted(before, fromSnapshot);
    driver.nowMs += 40;
    expect(present(driver, 'waits')).toMatchObject({
      waitedMs: 60_540,
      cause: 'no-ready-replica',
      waits: { 'before-restart': 60_500, 'no-ready-replica': 40 },
    });
    const effects = driver.replica('r', { slots: 2 });
    expect(decisionOf(effects, 'waits')?.waits).toEqual({
      'before-restart': 60_500,
      'no-ready-replica': 40,
    });
  });

  test('OC-CORE-1091 who ran before it is not known, and it is told that there may be more', () => {
    const before = busy();
    before.admit('more');
    before.nowMs += 10;
    before.finish('runs');
    const driver = restarted(before, fromSnapshot);
    driver.replica('r');
    driver.nowMs += 10;
    expect(present(driver, 'more')).toMatchObject({
      wentFirst: [{ reason: 'arrived-earlier', tasks: 1 }],
      wentFirstTruncated: true,
    });
  });

  test('OC-CORE-1091 a task that comes after it has nothing of it', () => {
    const driver = restarted(busy(), fromSnapshot);
    driver.admit('new');
    driver.nowMs += 10;
    expect(present(driver, 'new')).toMatchObject({
      waits: { 'no-ready-replica': 10 },
      wentFirstTruncated: false,
    });
  });

  test('OC-CORE-1091 a task that was queued again waits from then on', () => {
    const before = busy();
    before.nowMs += 500;
    before.fail('runs');
    before.nowMs += 7;
    expect(present(restarted(before, fromSnapshot), 'runs')).toMatchObject({ waitedMs: 60_007 });
  });
});

describe('OC-CORE-1092 a task that ends while it waits', () => {
  test.each<[string, (driver: Driver) => readonly Effect[]]>([
    ['canceled', (d) => d.step({ type: 'cancel', taskId: 'waits', reason: 'client' })],
    [
      'its pool failed',
      (d) =>
        d.step({ type: 'pool-availability', poolId: 'p', recoverable: false, reason: 'broken' }),
    ],
  ])('has its wait told: %s', (_how, end) => {
    const driver = busy();
    driver.nowMs += 300;
    driver.replica('r', { ready: false });
    driver.nowMs += 20;
    expect(waitOf(end(driver), 'waits')).toEqual({
      waitedMs: 320,
      waits: { 'no-free-slot': 300, 'no-ready-replica': 20 },
      wentFirst: [],
      wentFirstTruncated: false,
    });
  });

  test('has its wait told: its deadline is past when its turn comes', () => {
    const driver = busy();
    driver.admit('late', { deadlineAtMs: driver.nowMs + 50 });
    driver.nowMs += 100;
    expect(waitOf(driver.finish('runs'), 'late')).toMatchObject({
      waitedMs: 100,
      waits: { 'no-free-slot': 100 },
    });
  });

  test('has its wait told: evicted by a newcomer', () => {
    const driver = busy();
    driver.pool({ capacity: 2, fullPolicy: 'drop-lru' });
    driver.admit('old', { priority: 'batch' });
    driver.nowMs += 100;
    expect(waitOf(driver.admit('new'), 'old')).toMatchObject({ waitedMs: 100 });
  });

  test('and one that ran has none', () => {
    const driver = busy();
    driver.nowMs += 100;
    const [ended] = ofType(driver.finish('runs'), 'ended');
    expect(ended).toMatchObject({ taskId: 'runs', wait: undefined });
    const canceled = driver.step({ type: 'cancel', taskId: 'waits', reason: 'client' });
    expect(ofType(canceled, 'ended')).toMatchObject([{ wait: undefined }]);
  });
});

describe('OC-CORE-1093 a task that no replica fits any more', () => {
  function waitingBehind(fields: Parameters<Driver['admit']>[1] = {}): Driver {
    const driver = new Driver();
    driver.pool({ idleMs: 60_000, maxAttempts: 9 });
    driver.replica('west', { labels: { zone: 'west' } });
    driver.replica('east', { labels: { zone: 'east' } });
    driver.admit('fills', { placement: EAST });
    driver.admit('asked', { placement: EAST, ...fields });
    return driver;
  }
  const leave = (driver: Driver) => {
    driver.step({ type: 'replica-gone', poolId: 'p', replicaId: 'east' });
    driver.step({ type: 'cancel', taskId: 'fills', reason: 'client' });
  };

  test('is refused at admission, and what is wrong is named', () => {
    const driver = waitingBehind();
    leave(driver);
    expect(ofType(driver.admit('next', { placement: EAST }), 'rejected')).toMatchObject([
      { code: 'INVALID_PARAMS', path: '/placement/labels' },
    ]);
    const gpu = driver.admit('gpu', { placement: { devices: ['cuda:7'] } });
    expect(ofType(gpu, 'rejected')).toMatchObject([{ path: '/placement/devices' }]);
  });

  test('waits for one, though another is open, and says so', () => {
    const driver = waitingBehind();
    leave(driver);
    driver.nowMs += 1_000;
    expect(driver.stateOf('asked')).toBe('queued');
    expect(present(driver, 'asked')).toMatchObject({
      cause: 'no-matching-replica',
      waits: { 'no-matching-replica': 1_000 },
      replicas: [{ replicaId: 'west', verdict: 'labels' }],
    });
    expect(driver.core.poolView('p')).toMatchObject({ unmatched: 1 });
    driver.nowMs += 200;
    const decision = decisionOf(driver.replica('back', { labels: { zone: 'east' } }), 'asked');
    expect(decision).toMatchObject({ waitedMs: 1_200, waits: { 'no-matching-replica': 1_200 } });
    expect(driver.core.poolView('p')).toMatchObject({ unmatched: 0 });
  });

  test('has its other waits told beside that one', () => {
    const driver = waitingBehind();
    driver.nowMs += 30;
    leave(driver);
    driver.nowMs += 500;
    driver.replica('back', { labels: { zone: 'east' }, ready: false });
    driver.nowMs += 5;
    const wait = present(driver, 'asked');
    expect(wait?.waits['no-matching-replica']).toBe(500);
    expect(wait?.cause).not.toBe('no-matching-replica');
    const told = Object.values(wait?.waits ?? {}).reduce((sum, ms) => sum + ms, 0);
    expect(told).toBe(535);
  });

  test('waits for a replica to be ready, not for a match, while none is known', () => {
    const driver = waitingBehind();
    leave(driver);
    driver.step({ type: 'replica-gone', poolId: 'p', replicaId: 'west' });
    expect(present(driver, 'asked')).toMatchObject({ cause: 'no-ready-replica' });
    expect(driver.core.poolView('p')).toMatchObject({ unmatched: 0 });
  });

  test('ends at its deadline', () => {
    const driver = waitingBehind({ deadlineAtMs: 6_000 });
    driver.nowMs = 2_000;
    leave(driver);
    expect(driver.core.nextWakeMs()).toBeLessThanOrEqual(6_000);
    while (driver.nowMs < 5_900) expect(ofType(driver.advance(100), 'ended')).toEqual([]);
    driver.nowMs = 6_000;
    expect(ofType(driver.advance(0), 'ended')).toMatchObject([
      {
        taskId: 'asked',
        outcome: { code: 'DEADLINE_UNMET', retriable: true },
        wait: { waits: { 'no-matching-replica': 4_000 } },
      },
    ]);
    expect(driver.core.poolView('p')).toMatchObject({ unmatched: 0 });
  });

  test('keeps its place when one comes in time', () => {
    const driver = waitingBehind({ deadlineAtMs: 6_000 });
    leave(driver);
    driver.advance(100);
    driver.replica('back', { labels: { zone: 'east' } });
    expect(driver.stateOf('asked')).toBe('running');
    expect(ofType(driver.advance(10_000), 'ended')).toEqual([]);
  });

  test('is not ended by its deadline once it has run, nor without one', () => {
    const driver = waitingBehind({ deadlineAtMs: 6_000 });
    driver.finish('fills');
    expect(driver.stateOf('asked')).toBe('running');
    leave(driver);
    expect(present(driver, 'asked')).toMatchObject({ cause: 'no-matching-replica' });
    expect(ofType(driver.advance(100_000), 'ended')).toEqual([]);
    expect(driver.stateOf('asked')).toBe('queued');
  });
});
