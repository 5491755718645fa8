import { expect, test } from 'vitest';
import { Driver, ofType, practise } from './testing/fixtures.ts';

const LONG = { promptTokens: 5_000 };
/** Has to start sooner, as it is short. */
const SHORT = { promptTokens: 1_000 };

/** Newcomers of one moment, behind a prompt that is being computed. */
function gathered(newcomers: Readonly<Record<string, { readonly promptTokens: number }>>): {
  readonly driver: Driver;
  readonly told: Map<string, number>;
} {
  const driver = new Driver({ tuning: { gatherArrivals: true } });
  driver.pool({ capacity: 1_000 });
  driver.replica('r', { slots: 8, ctx: 100_000 });
  practise(driver, 10, { promptTokens: 500 }, { prefillMs: 50 });
  driver.admit('before', { promptTokens: 2_000 });
  driver.advance(1);
  const told = new Map<string, number>();
  for (const [taskId, fields] of Object.entries(newcomers)) {
    const [accepted] = ofType(driver.admit(taskId, fields), 'accepted');
    told.set(taskId, accepted?.forecast.firstTokenMs ?? NaN);
  }
  return { driver, told };
}

test('OC-CORE-1106 who came first of one moment is told of those who came with it and go before it', () => {
  const { driver, told } = gathered({ long: LONG, short: SHORT });
  const alone = told.get('long') ?? NaN;
  const foreseen = ofType(driver.advance(0), 'foreseen');
  expect(foreseen.map(({ taskId }) => taskId)).toEqual(['long']);
  expect(foreseen[0]?.forecast.firstTokenMs).toBeGreaterThan(alone + 50);
  expect(foreseen[0]?.queuePosition).toBe(2);
  expect(driver.log.map(({ event }) => event)).toContainEqual({
    type: 'task.foreseen',
    taskId: 'long',
    queuePosition: 2,
    predictedStartMs: foreseen[0]?.predictedStartMs,
  });
});

test('OC-CORE-1106 what was told of the last one holds, and so does what one alone is told', () => {
  const both = gathered({ short: SHORT, long: LONG });
  expect(ofType(both.driver.advance(0), 'foreseen')).toEqual([]);
  const one = gathered({ long: LONG });
  expect(ofType(one.driver.advance(0), 'foreseen')).toEqual([]);
});

test('OC-CORE-1106 a promise is changed at the moment it is given, or not at all', () => {
  const { driver } = gathered({ long: LONG, short: SHORT });
  driver.advance(0);
  driver.admit('late', SHORT);
  expect(ofType(driver.advance(500), 'foreseen')).toEqual([]);
});

test('OC-CORE-1106 deep in a queue nobody is planned anew', () => {
  const crowd = Array.from({ length: 80 }, (_, n) => [`n${n}`, SHORT] as const);
  const { driver } = gathered(Object.fromEntries(crowd));
  expect(ofType(driver.advance(0), 'foreseen')).toEqual([]);
});
