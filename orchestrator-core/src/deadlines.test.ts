import { expect, test } from 'vitest';
import { Driver, ofType, practise } from './testing/fixtures.ts';
import type { TaskSpec } from './types.ts';
import { DEFAULT_TUNING } from './tuning.ts';

/** One slot; a task takes 100 ms to its first token and a second to its last, and that is known. */
function founded(samples = 20): Driver {
  const driver = new Driver({ tuning: { refuseBelow: 0.1, shedBelow: 0.3 } });
  driver.pool({ ctx: 2_048 });
  driver.replica('r', { ctx: 2_048 });
  practise(driver, samples, { promptTokens: 400, maxTokens: 100 }, TIMES);
  return driver;
}

const TIMES = { prefillMs: 100, decodeMs: 900, tokensOut: 100 } as const;
const task = { promptTokens: 400, maxTokens: 100 } as const;

function within(driver: Driver, ms: number, fields: Partial<TaskSpec> = {}): Partial<TaskSpec> {
  return { ...task, deadlineAtMs: driver.nowMs + ms, ...fields };
}

const unmet = { code: 'DEADLINE_UNMET', path: '/deadline_ms' } as const;

test('ORCH-3079 OC-CORE-1026 a deadline that cannot be kept is refused with the earliest that can', () => {
  const driver = founded();
  const [rejected] = ofType(driver.admit('a', within(driver, 300)), 'rejected');
  expect(rejected).toMatchObject(unmet);
  const { earliestFeasibleMs = 0 } = rejected ?? {};
  expect(earliestFeasibleMs).toBeGreaterThan(300);
  expect(earliestFeasibleMs).toBeLessThan(10_000);
  const again = driver.admit('a', within(driver, earliestFeasibleMs));
  expect(ofType(again, 'dispatch')).toHaveLength(1);
});

test('ORCH-3079 OC-CORE-1026 what waits before it counts against a deadline', () => {
  const driver = founded();
  expect(ofType(driver.admit('runs', task), 'dispatch')).toHaveLength(1);
  for (const taskId of ['a', 'b', 'c']) driver.admit(taskId, task);
  expect(ofType(driver.admit('d', within(driver, 1_500)), 'rejected')).toMatchObject([unmet]);
});

test('OC-CORE-1068 a deadline for the first token does not count what comes after it', () => {
  const driver = founded();
  const forEnd = within(driver, 400, { deadlineFor: 'end' });
  expect(ofType(driver.admit('a', forEnd), 'rejected')).toMatchObject([unmet]);
  const forFirst = within(driver, 400, { deadlineFor: 'first-token' });
  expect(ofType(driver.admit('b', forFirst), 'dispatch')).toHaveLength(1);
});

test('OC-CORE-1026 while predictions are guesses only a deadline that is past is given up', () => {
  const driver = founded(0);
  const effects = driver.admit('a', within(driver, 2));
  expect(effects.map((effect) => effect.type)).toEqual(['accepted', 'dispatch']);
  expect(ofType(driver.admit('b', within(driver, 0)), 'rejected')).toMatchObject([unmet]);
});

test('OC-CORE-1026 nor is a task shed on the word of guesses', () => {
  const driver = founded(0);
  driver.admit('runs', task);
  driver.admit('waits', within(driver, 60));
  driver.nowMs += 50;
  expect(ofType(driver.finish('runs'), 'dispatch')).toMatchObject([{ taskId: 'waits' }]);
  driver.admit('late', within(driver, 60));
  driver.nowMs += 60;
  expect(ofType(driver.finish('waits'), 'ended')[1]?.outcome).toMatchObject({
    code: 'DEADLINE_UNMET',
  });
});

test('OC-CORE-1026 what would start at once is refused where its turn would shed it', () => {
  let accepted = 0;
  let refused = 0;
  for (let ms = 500; ms < 1_500; ms += 10) {
    const driver = founded(8);
    for (let n = 0; n < 30; n += 1) {
      driver.admit(`varies${n}`, task);
      driver.serve(`varies${n}`, { ...TIMES, decodeMs: 600 + 20 * ((n * 7) % 30) });
    }
    const [effect] = driver.admit('a', within(driver, ms));
    if (effect?.type === 'rejected') refused += 1;
    if (effect?.type !== 'accepted') continue;
    accepted += 1;
    expect(effect.forecast.onTimeProbability).toBeGreaterThanOrEqual(DEFAULT_TUNING.shedBelow);
  }
  expect(accepted).toBeGreaterThan(10);
  expect(refused).toBeGreaterThan(10);
});

test('ORCH-3079 OC-CORE-1069 a deadline that went out of reach in the queue is shed at its turn', () => {
  const driver = founded();
  driver.admit('runs', task);
  expect(ofType(driver.admit('waits', within(driver, 4_000)), 'accepted')).toHaveLength(1);
  driver.nowMs += 3_900;
  driver.admit('next', task);
  const effects = driver.finish('runs');
  expect(ofType(effects, 'ended')).toMatchObject([
    { taskId: 'runs' },
    {
      taskId: 'waits',
      outcome: { kind: 'failed', code: 'DEADLINE_UNMET', retriable: true },
    },
  ]);
  expect(ofType(effects, 'dispatch')).toMatchObject([{ taskId: 'next' }]);
});

test('OC-CORE-1069 a task that ran before is finished, however late', () => {
  const driver = founded();
  driver.admit('a', within(driver, 4_000));
  driver.nowMs += 4_500;
  driver.fail('a');
  expect(ofType(driver.advance(100), 'dispatch')).toMatchObject([{ taskId: 'a', attempt: 2 }]);
});

test('OC-CORE-1069 a deadline that was kept for the first token is not held against the rest', () => {
  const driver = founded();
  driver.admit('a', within(driver, 400, { deadlineFor: 'first-token' }));
  driver.nowMs += 100;
  driver.progress('a');
  expect(driver.core.task('a', driver.nowMs + 60_000)?.onTimeProbability).toBe(1);
});

test('OC-CORE-1069 a deadline that passes ends the task, though nothing could ever have run it', () => {
  const driver = new Driver();
  driver.pool();
  driver.admit('late', { deadlineAtMs: driver.nowMs + 500 });
  driver.admit('patient');
  expect(driver.core.nextWakeMs()).toBe(driver.nowMs + 500);
  expect(ofType(driver.advance(499), 'ended')).toEqual([]);
  expect(ofType(driver.advance(1), 'ended')).toMatchObject([
    { taskId: 'late', outcome: { code: 'DEADLINE_UNMET', retriable: true } },
  ]);
  expect(ofType(driver.replica('r'), 'dispatch')).toMatchObject([{ taskId: 'patient' }]);
  expect(driver.stateOf('patient')).toBe('running');
});
