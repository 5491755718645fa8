import { expect, test } from 'vitest';
import { MAX_VERDICTS } from './decision.ts';
import { JOURNAL_SIZE } from './dispatch-journal.ts';
import { Driver, ofType } from './testing/fixtures.ts';

function busy(slots = 1): Driver {
  const driver = new Driver({ tuning: { fairnessWindow: 1_000, returnCredit: 0 } });
  driver.pool({ capacity: 1_000, idleMs: 60_000 });
  driver.replica('r', { slots });
  for (let n = 0; n < slots; n += 1) driver.admit(`runs${n}`);
  return driver;
}

const decisionOf = (effects: ReturnType<Driver['step']>, taskId: string) =>
  ofType(effects, 'dispatch').find((effect) => effect.taskId === taskId)?.decision;
const sum = (counts: readonly number[]) => counts.reduce((a, b) => a + b, 0);

test('OC-CORE-1070 the causes of a wait add up to it', () => {
  const driver = busy();
  driver.admit('a', { placement: { labels: {} } });
  driver.nowMs += 300;
  driver.replica('r', { ready: false });
  driver.nowMs += 50;
  driver.step({ type: 'drain', poolId: 'p', deadlineMs: 60_000 });
  driver.finish('runs0');
  driver.nowMs += 7;
  driver.step({ type: 'undrain', poolId: 'p' });
  driver.nowMs += 3;
  const decision = decisionOf(driver.replica('r'), 'a');
  expect(decision).toMatchObject({
    waitedMs: 360,
    waits: { 'no-free-slot': 300, 'no-ready-replica': 53, 'pool-draining': 7 },
  });
});

test('OC-CORE-1070 a task that starts at once waited for nothing and nobody', () => {
  const driver = busy(2);
  driver.finish('runs0');
  const decision = decisionOf(driver.admit('a'), 'a');
  expect(decision).toMatchObject({ waitedMs: 0, waits: {}, wentFirst: [], preempted: false });
  expect(decision?.firstTokenMs).toBeGreaterThan(0);
});

test('OC-CORE-1070 a task that comes back waits anew', () => {
  const driver = busy();
  driver.nowMs += 500;
  driver.fail('runs0');
  driver.nowMs += 100;
  expect(decisionOf(driver.advance(0), 'runs0')).toMatchObject({ waitedMs: 100 });
});

test('OC-CORE-1071 every task that went first has a reason', () => {
  const driver = busy();
  const soon = { deadlineAtMs: driver.nowMs + 10_000 } as const;
  driver.admit('earlier');
  driver.admit('asked');
  const { nowMs } = driver;
  driver.admit('urgent', { deadlineAtMs: nowMs + 100 });
  driver.admit('other', { ...soon, deadlineAtMs: nowMs + 100, tenantId: 'other' });
  driver.admit('batch', { ...soon, deadlineAtMs: nowMs + 100, priority: 'batch' });
  driver.nowMs += 10;
  let effects = driver.finish('runs0');
  while (decisionOf(effects, 'asked') === undefined) {
    driver.nowMs += 10;
    effects = driver.finish(driver.started.at(-1)!);
  }
  const { wentFirst = [], wentFirstTruncated } = decisionOf(effects, 'asked') ?? {};
  expect(wentFirstTruncated).toBe(false);
  expect(new Set(wentFirst.map(({ reason, tasks }) => `${reason} ${tasks}`))).toEqual(
    new Set(['arrived-earlier 1', 'more-urgent 1']),
  );
  expect(sum(wentFirst.map(({ tasks }) => tasks))).toBe(4);
});

test('OC-CORE-1072 how much is told is bounded, and what is left out is said', () => {
  const driver = busy();
  for (let n = 0; n < 2 * MAX_VERDICTS; n += 1) driver.replica(`x${n}`, { ready: false });
  driver.admit('asked', { deadlineAtMs: driver.nowMs + 1e9, deadlineFor: 'first-token' });
  for (let n = 0; n < JOURNAL_SIZE + 10; n += 1) {
    driver.admit(`t${n}`);
    driver.nowMs += 1;
    driver.finish(driver.started.at(-1)!);
  }
  const decision = decisionOf(driver.finish(driver.started.at(-1)!), 'asked');
  expect(decision?.wentFirstTruncated).toBe(true);
  expect(sum(decision?.wentFirst.map(({ tasks }) => tasks) ?? [])).toBe(JOURNAL_SIZE);
  expect(decision?.replicas).toHaveLength(MAX_VERDICTS);
});

test('OC-CORE-1073 every replica has its verdict, the chosen one first', () => {
  const driver = new Driver({ tuning: { cooldownBaseMs: 1_000 } });
  driver.pool({ capacity: 100 });
  driver.replica('chosen', { device: 'cpu', labels: { zone: 'east' }, slots: 2 });
  driver.admit('peer', { placement: { antiAffinity: 'k' } });
  driver.progress('peer');
  driver.replica('loading', { ready: false });
  driver.replica('elsewhere', { device: 'gpu0' });
  driver.replica('unlabeled', { device: 'cpu' });
  driver.replica('full', { device: 'cpu', labels: { zone: 'east' } });
  driver.admit('fills', { placement: { antiAffinity: 'k', labels: { zone: 'east' } } });
  expect(driver.replicaOf('fills')).toBe('full');
  driver.progress('fills');
  const asked = { placement: { devices: ['cpu'], labels: { zone: 'east' } } };
  const decision = decisionOf(driver.admit('asked', asked), 'asked');
  expect(decision?.replicas[0]).toMatchObject({ replicaId: 'chosen', verdict: 'chosen' });
  const verdicts = decision?.replicas.map(({ replicaId, verdict }) => [replicaId, verdict]) ?? [];
  expect(Object.fromEntries(verdicts)).toEqual({
    chosen: 'chosen',
    loading: 'not-ready',
    elsewhere: 'device',
    unlabeled: 'labels',
    full: 'no-slot',
  });
});

test('OC-CORE-1074 a waiting task can be asked why it waits, without changing anything', () => {
  const driver = busy();
  driver.admit('ahead');
  driver.admit('asked');
  driver.nowMs += 40;
  const before = JSON.stringify(driver.core.durableState());
  expect(driver.core.wait('asked', driver.nowMs)).toMatchObject({
    waitedMs: 40,
    cause: 'no-free-slot',
    waits: { 'no-free-slot': 40 },
    wentFirst: [],
    ahead: 1,
    heldForId: undefined,
    replicas: [{ replicaId: 'r', verdict: 'no-slot' }],
  });
  expect(driver.core.wait('runs0', driver.nowMs)).toBeUndefined();
  expect(driver.core.wait('unknown', driver.nowMs)).toBeUndefined();
  expect(JSON.stringify(driver.core.durableState())).toBe(before);
});
