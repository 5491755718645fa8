import { expect, test } from 'vitest';
import { Driver, ofType, practise } from './testing/fixtures.ts';
import type { TaskSpec } from './types.ts';

const TIMES = { prefillMs: 50, decodeMs: 450, tokensOut: 46 } as const;
const task: Partial<TaskSpec> = { promptTokens: 200, maxTokens: 100 };

/** Tasks hold one of two slots for half a second, and the core has seen it. */
function founded(): Driver {
  const driver = new Driver();
  driver.pool({ capacity: 1_000 });
  driver.replica('r', { slots: 2 });
  practise(driver, 40, task, TIMES);
  return driver;
}

function forecastOf(driver: Driver, taskId: string, fields: Partial<TaskSpec> = {}) {
  const [accepted] = ofType(driver.admit(taskId, { ...task, ...fields }), 'accepted');
  return accepted!.forecast;
}

test('ORCH-3029 OC-CORE-1018 what starts at once is told so', () => {
  const driver = founded();
  const effects = driver.admit('a', task);
  expect(effects).toMatchObject([
    { type: 'accepted', queuePosition: 0, predictedStartMs: 0, forecast: { kind: 'now' } },
    { type: 'dispatch' },
  ]);
});

test('ORCH-3029 OC-CORE-1018 the predicted start grows with what is ahead', () => {
  const driver = founded();
  forecastOf(driver, 'runs1');
  forecastOf(driver, 'runs2');
  let before = 0;
  for (let n = 0; n < 30; n += 1) {
    const { kind, startMs, firstTokenMs } = forecastOf(driver, `t${n}`);
    expect(kind).toBe('queued');
    expect(startMs).toBeGreaterThan(before);
    expect(firstTokenMs).toBeGreaterThan(startMs);
    before = startMs;
  }
});

test('OC-CORE-1018 once learned, the first token comes about when it was forecast', () => {
  const driver = founded();
  const forecasts = new Map<string, number>();
  const beganMs = driver.nowMs;
  for (let n = 0; n < 22; n += 1) forecasts.set(`t${n}`, forecastOf(driver, `t${n}`).firstTokenMs);
  const last = 't21';
  // Two slots, each with tasks of half a second one after another.
  while (driver.stateOf(last) === 'queued') {
    driver.nowMs += 50;
    for (const taskId of driver.started.slice(-2)) driver.progress(taskId);
    driver.nowMs += 450;
    for (const taskId of driver.started.slice(-2)) {
      driver.finish(taskId, { tokensIn: 200, tokensOut: 46, decodeMs: 450, cachedTokens: 0 });
    }
  }
  const actualMs = driver.nowMs + 50 - beganMs;
  expect(forecasts.get(last)! / actualMs).toBeGreaterThan(0.7);
  expect(forecasts.get(last)! / actualMs).toBeLessThan(1.4);
});

test('OC-CORE-1018 the interval is in order, and narrow once the times are known', () => {
  const fresh = new Driver();
  fresh.pool();
  fresh.replica('r');
  const spread = ({ lowMs, highMs }: ReturnType<typeof forecastOf>) => highMs - lowMs;
  const [before, after] = [forecastOf(fresh, 'a'), forecastOf(founded(), 'a')];
  expect(before.lowMs).toBeLessThan(before.highMs);
  expect(before.lowMs).toBeLessThan(before.firstTokenMs);
  expect(before.highMs).toBeGreaterThan(before.firstTokenMs);
  expect(spread(after)).toBeLessThan(spread(before));
});

test('OC-CORE-1018 a cold pool adds the time that a replica takes to come up', () => {
  const cold = new Driver({ tuning: { coldStartMs: 5_000 } });
  cold.pool();
  cold.replica('r', { ready: false });
  expect(forecastOf(cold, 'a').startMs).toBeGreaterThanOrEqual(5_000);
});

test('ORCH-3081 OC-CORE-1068 the chance to keep a deadline falls as time passes, and is 0 when it has', () => {
  const driver = founded();
  driver.admit('runs1', task);
  driver.admit('runs2', task);
  const forecast = forecastOf(driver, 'a', { deadlineAtMs: driver.nowMs + 5_000 });
  const chances = [0, 1_000, 3_000, 4_200, 4_800, 5_000].map(
    (ms) => driver.core.task('a', driver.nowMs + ms)?.onTimeProbability ?? -1,
  );
  expect(forecast.onTimeProbability).toBeGreaterThan(0.5);
  chances.reduce((before, chance) => {
    // What runs comes closer to its end as well, so that the first steps may cancel out.
    expect(chance).toBeLessThan(before + 0.01);
    return chance;
  }, 1);
  expect(chances.at(-2)).toBeLessThan(0.5);
  expect(chances.at(-1)).toBe(0);
});

test('OC-CORE-1068 a task without a deadline has no chance to keep it', () => {
  const driver = founded();
  expect(forecastOf(driver, 'a').onTimeProbability).toBeUndefined();
  expect(driver.core.task('a', driver.nowMs)?.onTimeProbability).toBeUndefined();
});

test('ORCH-2007 OC-CORE-1009 retry hints follow how fast slots are freed', () => {
  const slow = founded();
  const quick = new Driver();
  quick.pool({ capacity: 0 });
  quick.replica('r', { slots: 2 });
  practise(quick, 40, task, { prefillMs: 5, decodeMs: 5, tokensOut: 4 });
  slow.pool({ capacity: 0 });
  const hint = (driver: Driver) => {
    driver.admit('runs1', task);
    driver.admit('runs2', task);
    return ofType(driver.admit('refused', task), 'rejected')[0]?.retryAfterMs ?? 0;
  };
  expect(hint(quick)).toBeGreaterThanOrEqual(1);
  expect(hint(slow)).toBeGreaterThan(5 * hint(quick));
  expect(slow.core.backoffMs('p', 'interactive', slow.nowMs)).toBeGreaterThan(0);
});

test('OC-CORE-1105 who has time left is told of those who will pass it', () => {
  const driver = founded();
  const within = (ms: number) =>
    ({ deadlineAtMs: driver.nowMs + ms, deadlineFor: 'first-token' }) as const;
  const cancel = (taskId: string) => driver.step({ type: 'cancel', taskId, reason: 'client' });
  const forecastBehindFour = (name: string) => {
    for (let n = 0; n < 4; n += 1) forecastOf(driver, `${name}${n}`);
    const forecast = forecastOf(driver, name, within(60_000));
    for (let n = 0; n < 4; n += 1) cancel(`${name}${n}`);
    cancel(name);
    return forecast;
  };
  const quiet = forecastBehindFour('quiet');
  expect(quiet.kind).toBe('queued');
  for (let n = 0; n < 600; n += 1) {
    driver.nowMs += 300;
    driver.admit(`urgent${n}`, { ...task, ...within(1_000) });
    cancel(`urgent${n}`);
  }
  const busy = forecastBehindFour('busy');
  expect(busy.kind).toBe('passed');
  expect(busy.startMs).toBeGreaterThan(1.3 * quiet.startMs);
});

test('OC-CORE-1018 the first token is told to come within its interval', () => {
  const driver = founded();
  for (let n = 0; n < 30; n += 1) {
    const { lowMs, firstTokenMs, highMs } = forecastOf(driver, `t${n}`);
    expect(lowMs).toBeLessThanOrEqual(firstTokenMs);
    expect(highMs).toBeGreaterThanOrEqual(firstTokenMs);
  }
});
