import { expect, test } from 'vitest';
import { Driver, USAGE } from './testing/fixtures.ts';
import type { PoolSpec, TaskSpec } from './types.ts';

/** One slot, taken by a task that nobody else waits with. */
function busy(tuning = {}, pool: Partial<PoolSpec> = {}): Driver {
  const driver = new Driver({ tuning: { fairnessWindow: 64, returnCredit: 0, ...tuning } });
  driver.pool({ capacity: 1_000, ctx: 8_192, ...pool });
  driver.replica('r', { ctx: 8_192 });
  driver.admit('runs', { tenantId: 'nobody' });
  return driver;
}

/** Finishes whatever runs, `count` times; the tasks dispatched on the way. */
function turns(driver: Driver, count: number, before?: (turn: number) => void): readonly string[] {
  const from = driver.started.length;
  for (let turn = 0; turn < count; turn += 1) {
    before?.(turn);
    driver.nowMs += 20;
    driver.finish(driver.started.at(-1)!);
  }
  return driver.started.slice(from);
}

/** Every task costs the same, so that shares can be counted. */
const alike: Partial<TaskSpec> = { promptTokens: USAGE.tokensIn, expectedTokens: USAGE.tokensOut };

function shareOf(prefix: string, started: readonly string[]): number {
  return started.filter((taskId) => taskId.startsWith(prefix)).length / started.length;
}

test('OC-CORE-1004 interactive goes before batch that came earlier, as long as their shares allow', () => {
  const driver = busy();
  driver.admit('b1', { priority: 'batch' });
  driver.admit('b2', { priority: 'batch' });
  driver.admit('i1');
  driver.admit('i2');
  expect(turns(driver, 4)).toEqual(['i1', 'i2', 'b1', 'b2']);
});

test('OC-CORE-1004 tasks alike of one tenant go by arrival', () => {
  const driver = busy();
  for (const taskId of ['a', 'b', 'c']) driver.admit(taskId);
  expect(turns(driver, 3)).toEqual(['a', 'b', 'c']);
});

test('ORCH-3075 OC-CORE-1050 batch gets its share of the service under any load of interactive work', () => {
  const driver = busy({}, { classWeights: { interactive: 8, batch: 1 } });
  for (let n = 0; n < 200; n += 1) driver.admit(`b${n}`, { ...alike, priority: 'batch' });
  for (let n = 0; n < 5; n += 1) driver.admit(`i-first${n}`, alike);
  const started = turns(driver, 900, (turn) => driver.admit(`i${turn}`, alike));
  expect(shareOf('b', started)).toBeGreaterThan(0.95 / 9);
  expect(shareOf('b', started)).toBeLessThan(1.3 / 9);
});

test('ORCH-3075 OC-CORE-1050 tenants that wait share by their weights', () => {
  const driver = busy({ fairnessWindow: 4 }, { capacity: 10_000 });
  driver.tenants({ tenantId: 'two', weight: 2 }, { tenantId: 'four', weight: 4 });
  for (let n = 0; n < 700; n += 1) {
    for (const tenantId of ['one', 'two', 'four']) {
      driver.admit(`${tenantId}${n}`, { ...alike, tenantId });
    }
  }
  const started = turns(driver, 1_050);
  expect(Math.abs(shareOf('one', started) * 7 - 1)).toBeLessThan(0.03);
  expect(Math.abs((shareOf('two', started) * 7) / 2 - 1)).toBeLessThan(0.03);
  expect(Math.abs((shareOf('four', started) * 7) / 4 - 1)).toBeLessThan(0.03);
});

test('OC-CORE-1050 long prompts use up a share sooner than short ones', () => {
  const driver = busy({ fairnessWindow: 4 }, { capacity: 10_000 });
  for (let n = 0; n < 300; n += 1) {
    driver.admit(`long${n}`, { ...alike, promptTokens: 8 * 9, tenantId: 'long' });
    driver.admit(`short${n}`, { ...alike, tenantId: 'short' });
  }
  const usage = { tokensIn: 8 * 9, tokensOut: 4, decodeMs: 40, cachedTokens: 0 };
  const from = driver.started.length;
  for (let turn = 0; turn < 300; turn += 1) {
    const taskId = driver.started.at(-1)!;
    driver.finish(taskId, taskId.startsWith('long') ? usage : USAGE);
  }
  // 80 against 16 units each.
  expect(shareOf('long', driver.started.slice(from)) * 6).toBeCloseTo(1, 1);
});

/** How many of 40 tasks go to a tenant that comes back while another has a backlog. */
function burstOf(returnCredit: number): number {
  const driver = busy({ fairnessWindow: 4, returnCredit });
  for (let n = 0; n < 400; n += 1) driver.admit(`early${n}`, { ...alike, tenantId: 'early' });
  turns(driver, 200);
  for (let n = 0; n < 100; n += 1) driver.admit(`late${n}`, { ...alike, tenantId: 'late' });
  return 40 * shareOf('late', turns(driver, 40));
}

test('OC-CORE-1051 of what a tenant did not ask for no more is saved up than the credit', () => {
  expect(burstOf(0)).toBeLessThan(25);
  const cost = 16 / 8;
  const [some, more] = [burstOf(6 * cost), burstOf(12 * cost)];
  expect(some).toBeGreaterThan(burstOf(0));
  expect(more).toBeGreaterThan(some);
  expect(more).toBeLessThan(12 + 25);
});

test('OC-CORE-1050 a flood does not keep another tenant waiting', () => {
  const driver = busy();
  for (let n = 0; n < 500; n += 1) driver.admit(`flood${n}`, { ...alike, tenantId: 'flood' });
  turns(driver, 50);
  driver.admit('other', { ...alike, tenantId: 'other' });
  driver.admit('another', { ...alike, tenantId: 'other' });
  expect(turns(driver, 40)).toContain('another');
});

test('ORCH-3079 OC-CORE-1052 within a flow and the window the earliest deadline goes first', () => {
  const driver = busy();
  const within = (ms: number): Partial<TaskSpec> => ({ deadlineAtMs: driver.nowMs + ms });
  driver.admit('relaxed', within(600_000));
  driver.admit('urgent', within(300_000));
  driver.admit('other', { ...within(200_000), tenantId: 'other' });
  expect(turns(driver, 3)).toEqual(['other', 'urgent', 'relaxed']);
});

test('OC-CORE-1052 a deadline for the last token has to start before the same one for the first', () => {
  const driver = busy();
  const deadlineAtMs = driver.nowMs + 60_000;
  driver.admit('first', { deadlineAtMs, deadlineFor: 'first-token' });
  driver.admit('end', { deadlineAtMs, deadlineFor: 'end' });
  expect(turns(driver, 2)).toEqual(['end', 'first']);
});

test('OC-CORE-1076 short prompts pass a long one', () => {
  const driver = busy();
  driver.admit('long', { promptTokens: 6_000 });
  driver.admit('short');
  expect(turns(driver, 2)).toEqual(['short', 'long']);
});

test('OC-CORE-1076 but not for ever: a long prompt has its turn however many short ones come', () => {
  const driver = busy();
  driver.admit('long', { promptTokens: 6_000 });
  const beganMs = driver.nowMs;
  for (let turn = 0; !driver.started.includes('long'); turn += 1) {
    driver.admit(`short${turn}`);
    driver.admit(`short-too${turn}`);
    turns(driver, 1);
    expect(driver.nowMs - beganMs).toBeLessThan(10_000);
  }
  expect(driver.started.length).toBeGreaterThan(3);
});

test('OC-CORE-1003 a task that comes back goes before those who came later', () => {
  const driver = busy();
  driver.admit('first');
  turns(driver, 1);
  driver.admit('later');
  driver.step({ type: 'replica-gone', poolId: 'p', replicaId: 'r' });
  driver.replica('r', { ctx: 8_192 });
  expect(driver.started.slice(-2)).toEqual(['first', 'first']);
});
