import { expect, test } from 'vitest';
import { DispatchJournal, type Aside, type Asking, type Turn } from './dispatch-journal.ts';
import { Driver, ofType, USAGE } from './testing/fixtures.ts';
import type { Tuning } from './tuning.ts';
import type { PoolSpec } from './types.ts';

const LONG = { promptTokens: 900, maxTokens: 10 } as const;
const HUGE_WINDOW = { fairnessWindow: 1e6 } as const;
const NO_WINDOW = { fairnessWindow: 0, returnCredit: 0 } as const;

function full(tuning: Partial<Tuning> = {}, pool: Partial<PoolSpec> = {}): Driver {
  const driver = new Driver({ tuning });
  driver.pool({ capacity: 1_000, idleMs: 60_000, ...pool });
  driver.replica('r', { interruptible: true });
  return driver;
}

/** Serves one task after another until `taskId` is dispatched; what it is told of those before it. */
function toldOf(driver: Driver, taskId: string, everyMs = 1) {
  for (let n = 0; n < 50; n += 1) {
    const running = driver.started.findLast((id) => driver.stateOf(id) === 'running');
    driver.nowMs += everyMs;
    const tokensIn = running === 'runs' ? LONG.promptTokens : USAGE.tokensIn;
    const effects =
      running === undefined ? driver.advance(0) : driver.finish(running, { ...USAGE, tokensIn });
    const own = ofType(effects, 'dispatch').find((effect) => effect.taskId === taskId);
    if (own !== undefined) return reasonsOf(own.decision.wentFirst);
  }
  throw new Error(`${taskId} was not dispatched`);
}

const reasonsOf = (groups: readonly { tenantId: string; reason: string; tasks: number }[]) =>
  groups.map(({ tenantId, reason, tasks }) => `${tenantId} ${reason} ${tasks}`).sort();

test('OC-CORE-1071 an earlier arrival is the reason among equals, of whatever tenant', () => {
  const driver = full(HUGE_WINDOW);
  for (const id of ['runs', 'mine']) driver.admit(id);
  driver.admit('theirs', { tenantId: 'u' });
  driver.nowMs += 1;
  driver.admit('asked');
  expect(toldOf(driver, 'asked')).toEqual(['t arrived-earlier 1', 'u arrived-earlier 1']);
});

test('OC-CORE-1071 within the window an earlier deadline is the reason, whoever has it', () => {
  const driver = full(HUGE_WINDOW);
  driver.admit('runs');
  driver.admit('asked', { deadlineAtMs: driver.nowMs + 60_000 });
  const deadlineAtMs = driver.nowMs + 30_000;
  driver.admit('mine', { deadlineAtMs });
  driver.admit('theirs', { deadlineAtMs, tenantId: 'u' });
  driver.admit('batch', { deadlineAtMs, priority: 'batch' });
  expect(toldOf(driver, 'asked')).toEqual([
    't more-urgent 1',
    't more-urgent 1',
    'u more-urgent 1',
  ]);
});

test('OC-CORE-1071 of two with deadlines the nearer one is the reason, not who came first', () => {
  const driver = full(HUGE_WINDOW);
  driver.admit('runs');
  driver.admit('first', { deadlineAtMs: driver.nowMs + 30_000 });
  driver.admit('asked', { deadlineAtMs: driver.nowMs + 60_000 });
  expect(toldOf(driver, 'asked')).toEqual(['t more-urgent 1']);
});

test('OC-CORE-1071 within the window batch waits because interactive work is more urgent', () => {
  const driver = full(HUGE_WINDOW);
  driver.admit('runs');
  driver.admit('asked', { priority: 'batch' });
  driver.admit('quick');
  expect(toldOf(driver, 'asked')).toEqual(['t more-urgent 1']);
});

test('OC-CORE-1071 beyond the window the share of the tenant is the reason, though others are less urgent', () => {
  const driver = full(NO_WINDOW);
  driver.admit('runs', LONG);
  for (const id of ['theirs1', 'theirs2']) driver.admit(id, { tenantId: 'u' });
  driver.admit('asked', { deadlineAtMs: driver.nowMs + 400 });
  expect(toldOf(driver, 'asked')).toEqual(['u tenant-share 2']);
});

test('OC-CORE-1071 beyond the window the share of the class is the reason, within one tenant', () => {
  const driver = full(NO_WINDOW, { classWeights: { interactive: 1, batch: 1 } });
  driver.admit('runs', LONG);
  driver.admit('theirs', { priority: 'batch' });
  driver.admit('asked', { deadlineAtMs: driver.nowMs + 400 });
  expect(toldOf(driver, 'asked')).toEqual(['t class-share 1']);
});

test('OC-CORE-1071 a stopped task is told that it was stopped for another', () => {
  const driver = full({ preemptAfterMs: 0 }, { preemption: 'hard' });
  driver.admit('asked', { priority: 'batch', maxTokens: 900 });
  driver.nowMs += 50;
  driver.progress('asked', 3);
  driver.nowMs += 50;
  expect(ofType(driver.admit('quick'), 'abort')).toMatchObject([{ reason: 'preempted' }]);
  expect(toldOf(driver, 'asked')).toEqual(['t preempted 1']);
});

test('OC-CORE-1071 a task that was late already is told so', () => {
  const driver = full(HUGE_WINDOW);
  driver.admit('runs');
  driver.admit('asked');
  driver.nowMs += 1_000;
  driver.admit('fresh');
  expect(toldOf(driver, 'asked')).toEqual(['t was-late 1']);
});

test('OC-CORE-1071 a task that only a busy replica fits is told that others could run', () => {
  const driver = full(HUGE_WINDOW);
  driver.replica('east', { labels: { zone: 'east' } });
  const placement = { labels: { zone: 'east' } };
  driver.admit('fills', { placement, maxTokens: 900 });
  driver.admit('runs');
  driver.nowMs += 1;
  driver.admit('asked', { placement });
  driver.admit('later');
  driver.admit('latest', { tenantId: 'u' });
  for (const id of ['runs', 'later', 'latest']) {
    driver.nowMs += 1;
    driver.finish(id);
  }
  driver.nowMs += 1;
  const [own] = ofType(driver.finish('fills'), 'dispatch');
  expect(own?.taskId).toBe('asked');
  const reasons = reasonsOf(own?.decision.wentFirst ?? []);
  expect(reasons).toEqual(['t could-run 1', 'u could-run 1']);
});

test('OC-CORE-1071 a task whose tenant is at its limit is told that others could run', () => {
  const driver = full(HUGE_WINDOW);
  driver.replica('second');
  driver.tenants({ tenantId: 't', maxConcurrent: 1 });
  driver.admit('mine');
  driver.admit('runs', { tenantId: 'u' });
  driver.admit('asked');
  driver.nowMs += 1;
  driver.admit('theirs', { tenantId: 'u' });
  driver.finish('runs');
  driver.nowMs += 1;
  const [own] = ofType(driver.finish('mine'), 'dispatch');
  expect(own?.taskId).toBe('asked');
  expect(reasonsOf(own?.decision.wentFirst ?? [])).toEqual(['u could-run 1']);
});

test('OC-CORE-1071 who starts as it comes could run where the one that waits could not', () => {
  const driver = full(HUGE_WINDOW);
  driver.replica('east', { labels: { zone: 'east' } });
  const placement = { labels: { zone: 'east' } };
  driver.admit('fills', { placement });
  driver.admit('asked', { placement });
  driver.nowMs += 1;
  driver.admit('newcomer');
  expect(driver.replicaOf('newcomer')).toBe('r');
  const [own] = ofType(driver.finish('fills'), 'dispatch');
  expect(reasonsOf(own?.decision.wentFirst ?? [])).toEqual(['t could-run 1']);
});

const TURN: Turn = {
  seq: 5,
  tenantId: 'u',
  priority: 'interactive',
  urgencyMs: 500,
  hasDeadline: false,
  flowTime: 10,
  edge: 20,
  atMs: 100,
};
const ASKING: Asking = {
  seq: 4,
  tenantId: 't',
  priority: 'interactive',
  urgencyMs: 400,
  hasDeadline: false,
  lane: '',
  flowTime: 15,
  isOverdueAt: () => false,
};
const NONE = new Set<number>();
const ASIDE: Aside = {
  lanes: new Set(),
  tenantIds: new Set(),
  passedSeqs: NONE,
  givenUpSeqs: NONE,
  yielding: [],
};
const INTERACTIVE = { priority: 'interactive' } as const;

test.each<[string, Partial<Turn>, Partial<Asking>, string]>([
  ['as urgent, came later', { urgencyMs: 400 }, {}, 'could-run'],
  ['as urgent, came first', { urgencyMs: 400, seq: 3 }, {}, 'arrived-earlier'],
  ['less urgent, of a flow with less service', {}, { flowTime: 21 }, 'tenant-share'],
  ['more urgent, of a flow with less service', { urgencyMs: 1 }, { flowTime: 21 }, 'tenant-share'],
  ['of the same tenant', { tenantId: 't', priority: 'batch' }, { flowTime: 21 }, 'class-share'],
  ['both beyond the window, it had less', { flowTime: 30 }, { flowTime: 31 }, 'tenant-share'],
  ['beyond the window itself', { flowTime: 30, urgencyMs: 1 }, {}, 'could-run'],
  ['of the same flow, however much service', { tenantId: 't' }, { flowTime: 99 }, 'could-run'],
  ['of the same flow, more urgent', { tenantId: 't', urgencyMs: 1 }, {}, 'more-urgent'],
  ['late by then', {}, { isOverdueAt: (atMs) => atMs === 100 }, 'was-late'],
  ['late only now', {}, { isOverdueAt: (atMs) => atMs > 100 }, 'could-run'],
  ['given up', { aside: { ...ASIDE, givenUpSeqs: new Set([4]) } }, {}, 'was-late'],
  [
    'passed, though late',
    { aside: { ...ASIDE, passedSeqs: new Set([4]) } },
    { isOverdueAt: () => true },
    'could-run',
  ],
  [
    'less urgent, while its tenant had too much running',
    { aside: { ...ASIDE, yielding: [{ tenantId: 't', ...INTERACTIVE }] } },
    {},
    'tenant-share',
  ],
  [
    'less urgent, while both had too much running',
    { aside: { ...ASIDE, yielding: ['t', 'u'].map((tenantId) => ({ tenantId, ...INTERACTIVE })) } },
    {},
    'could-run',
  ],
  ['stopped for it', { stoppedSeq: 4, urgencyMs: 1 }, {}, 'preempted'],
  ['another was stopped for it', { stoppedSeq: 9, urgencyMs: 1 }, {}, 'more-urgent'],
])('OC-CORE-1071 the reason of one that is %s', (_what, turn, asking, reason) => {
  const journal = new DispatchJournal();
  journal.add({ ...TURN, ...turn });
  const { wentFirst } = journal.before({ ...ASKING, ...asking }, 0);
  expect(wentFirst.map((each) => each.reason)).toEqual([reason]);
});

test('OC-CORE-1071 what its flow had is taken as it was then, not as it is in the end', () => {
  const journal = new DispatchJournal();
  journal.add(TURN);
  journal.add({ ...TURN, seq: 6, tenantId: 't', urgencyMs: 300, flowTime: 15 });
  journal.add({ ...TURN, seq: 7 });
  const { wentFirst } = journal.before({ ...ASKING, urgencyMs: 600, flowTime: 90 }, 0);
  expect(reasonsOf(wentFirst)).toEqual(['t more-urgent 1', 'u more-urgent 1', 'u tenant-share 1']);
});
