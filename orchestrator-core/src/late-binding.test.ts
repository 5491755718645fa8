import { expect, test } from 'vitest';
import { Driver, ofType } from './testing/fixtures.ts';
import { Numbering } from './testing/prefix-fixtures.ts';

/** One replica with four slots, at work on a prompt of several steps. */
function prefilling(): Driver {
  const driver = new Driver();
  driver.pool({ ctx: 32_768, capacity: 100, idleMs: 60_000 });
  driver.replica('r', { ctx: 32_768, slots: 4 });
  driver.admit('first', long);
  return driver;
}

const long = { promptTokens: 12_000 } as const;

test('OC-CORE-1067 a long prompt waits here, not at the engine, until the one before it is done', () => {
  const driver = prefilling();
  expect(ofType(driver.admit('second', long), 'dispatch')).toEqual([]);
  expect(driver.core.poolView('p')?.slotsFree).toBe(3);
  expect(driver.core.wait('second', driver.nowMs)).toMatchObject({
    cause: 'replicas-prefilling',
    heldForId: 'r',
    replicas: [{ verdict: 'prefilling' }],
  });
  driver.nowMs += 800;
  expect(ofType(driver.progress('first'), 'dispatch')).toMatchObject([{ taskId: 'second' }]);
});

test('OC-CORE-1067 without any news the core asks to be woken, and looks again', () => {
  const driver = prefilling();
  driver.admit('second', long);
  const beganMs = driver.nowMs;
  while (driver.stateOf('second') === 'queued') {
    const wakeMs = driver.core.nextWakeMs() ?? Infinity;
    expect(wakeMs).toBeGreaterThan(driver.nowMs);
    expect(wakeMs - beganMs).toBeLessThan(10_000);
    driver.advance(wakeMs - driver.nowMs);
  }
  expect(driver.nowMs).toBeGreaterThan(beganMs);
});

test('OC-CORE-1067 a more urgent task that comes meanwhile goes first', () => {
  const driver = prefilling();
  driver.admit('second', long);
  driver.admit('urgent', { ...long, deadlineAtMs: driver.nowMs + 5_000 });
  driver.nowMs += 800;
  expect(ofType(driver.progress('first'), 'dispatch')).toMatchObject([{ taskId: 'urgent' }]);
});

test('OC-CORE-1067 a prompt that takes hardly any of a step joins the one before it', () => {
  const driver = new Driver();
  driver.pool({ ctx: 32_768 });
  driver.replica('r', { ctx: 32_768, slots: 4 });
  for (const taskId of ['a', 'b', 'c']) {
    expect(ofType(driver.admit(taskId, { promptTokens: 2 }), 'dispatch')).toHaveLength(1);
  }
});

test('OC-CORE-1067 a replica that only decodes takes the next prompt at once', () => {
  const driver = prefilling();
  driver.nowMs += 800;
  driver.progress('first');
  expect(ofType(driver.admit('second', long), 'dispatch')).toHaveLength(1);
});

test('OC-CORE-1077 arrivals of one moment are planned together, the more urgent first', () => {
  const arrive = (gatherArrivals: boolean) => {
    const driver = new Driver({ tuning: { gatherArrivals } });
    driver.pool({ ctx: 32_768, capacity: 100 });
    driver.replica('r', { ctx: 32_768, slots: 4 });
    driver.admit('first');
    driver.progress('first');
    driver.admit('long', long);
    driver.admit('short', { promptTokens: 300 });
    if (gatherArrivals) expect(driver.core.nextWakeMs()).toBe(driver.nowMs);
    driver.advance(0);
    return driver.started;
  };
  expect(arrive(true).slice(0, 2)).toEqual(['first', 'short']);
  expect(arrive(false).slice(0, 2)).toEqual(['first', 'long']);
});

test('OC-CORE-1079 prompts on their way to a distant engine do not wait for each other', () => {
  const driver = new Driver();
  driver.pool({ ctx: 32_768, capacity: 100, idleMs: 60_000 });
  driver.replica('r', { ctx: 32_768, slots: 16 });
  const lengths = [80, 400, 1_200, 2_000, 30, 900];
  for (let n = 0; n < 24; n += 1) {
    const promptTokens = lengths[n % lengths.length] ?? 1;
    driver.admit(`practice${n}`, { promptTokens });
    driver.serve(`practice${n}`, { tokensIn: promptTokens, prefillMs: 380 + 7 * (n % 5) });
  }
  for (let n = 0; n < 16; n += 1) driver.admit(`t${n}`, { promptTokens: 300 + 50 * n });
  const untilMs = driver.nowMs + 400;
  while ((driver.core.nextWakeMs() ?? Infinity) < untilMs) {
    driver.advance((driver.core.nextWakeMs() ?? Infinity) - driver.nowMs);
  }
  // All before the first of them has said a word.
  expect(driver.core.poolView('p')?.slotsFree).toBe(0);
});

test('OC-CORE-1077 who starts with the next tick holds no place in the queue', () => {
  const driver = new Driver({ tuning: { gatherArrivals: true } });
  driver.pool({ ctx: 32_768, capacity: 100 });
  driver.replica('r', { ctx: 32_768, slots: 4 });
  driver.admit('first');
  driver.progress('first');
  const places = ['a', 'b', 'c'].map((taskId) => {
    const [accepted] = ofType(driver.admit(taskId, long), 'accepted');
    return accepted?.queuePosition;
  });
  expect(places).toEqual([0, 1, 2]);
  expect(ofType(driver.advance(0), 'dispatch')).toMatchObject([{ taskId: 'a' }]);
});

test('OC-CORE-1097 a prompt waits for the beginning that it shares with one under way', () => {
  const numbering = new Numbering();
  const promptOf = (letter: string) => ({
    promptTokens: 320,
    prefix: numbering.prefixOf(letter.repeat(20), 16),
  });
  const startedWith = (letter: string) => {
    const driver = new Driver();
    driver.pool({ ctx: 32_768 });
    driver.replica('r', { ctx: 32_768, slots: 8 });
    driver.admit('leader', promptOf('a'));
    // Its step is about to end, so that one more may come along for the next.
    driver.nowMs += 20;
    driver.admit('follower', promptOf(letter));
    const atOnce = [...driver.started];
    driver.progress('leader');
    return { atOnce, then: driver.started };
  };
  expect(startedWith('b').atOnce).toEqual(['leader', 'follower']);
  expect(startedWith('a')).toEqual({ atOnce: ['leader'], then: ['leader', 'follower'] });
});
