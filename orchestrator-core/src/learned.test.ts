import { expect, test } from 'vitest';
import type { Learned } from './snapshot.ts';
import { Driver, ofType, practise } from './testing/fixtures.ts';

const task = { promptTokens: 500, maxTokens: 100 } as const;

function core(): Driver {
  const driver = new Driver();
  driver.pool();
  driver.replica('r');
  return driver;
}

/** Prefill of 400 ms, about ten times what a fresh core assumes. */
function practised(): Driver {
  const driver = core();
  practise(driver, 30, task, { prefillMs: 400, decodeMs: 2_000, tokensOut: 50 });
  return driver;
}

const throughJson = (learned: Learned) => JSON.parse(JSON.stringify(learned)) as Learned;
const forecast = (driver: Driver) => ofType(driver.admit('new', task), 'accepted')[0]!.forecast;

test('OC-CORE-1075 what was learned goes through JSON and comes back the same', () => {
  const { core: taught } = practised();
  const next = new Driver();
  next.core.loadLearned(throughJson(taught.learned()));
  expect(next.core.learned()).toEqual(taught.learned());
});

test('OC-CORE-1075 a fresh core predicts from what was loaded', () => {
  const next = new Driver();
  next.core.loadLearned(throughJson(practised().core.learned()));
  next.pool();
  next.replica('another');
  const [told, taught, fresh] = [forecast(next), forecast(practised()), forecast(core())];
  expect(told.firstTokenMs / taught.firstTokenMs).toBeGreaterThan(0.8);
  expect(told.firstTokenMs / taught.firstTokenMs).toBeLessThan(1.25);
  expect(fresh.firstTokenMs / taught.firstTokenMs).toBeLessThan(0.5);
  expect(next.core.poolView('p')?.learned).toMatchObject({ samples: 30 });
});

test('OC-CORE-1075 what was learned is a hint: no part of the durable state', () => {
  const [taught, same] = [practised(), practised()];
  const { core: next } = new Driver();
  next.loadLearned(taught.core.learned());
  expect(next.durableState()).toEqual(new Driver().core.durableState());
  expect(taught.core.durableState()).toEqual(same.core.durableState());
  expect(JSON.stringify(taught.core.durableState())).not.toMatch(/learned|holdMs|latency/);
});

test('OC-CORE-1075 a new replica starts from what its pool knows', () => {
  const driver = practised();
  driver.step({ type: 'replica-gone', poolId: 'p', replicaId: 'r' });
  driver.replica('fresh');
  expect(forecast(driver).firstTokenMs).toBeGreaterThan(200);
});

test('tokens per byte are learned from prompts that were only measured, where the engine counted them', () => {
  const scaleAfter = (promptTokensExact: boolean, tokensIn: number) => {
    const driver = new Driver();
    driver.pool();
    driver.replica('r');
    driver.admit('a', { promptTokens: 400, promptTokensExact });
    driver.serve('a', { tokensIn });
    return driver.core.learned()['p']?.scale;
  };
  const fresh = scaleAfter(true, 300);
  expect(scaleAfter(false, 0)).toEqual(fresh);
  const learned = scaleAfter(false, 300);
  expect(learned?.bytes).toBeGreaterThan(fresh?.bytes ?? NaN);
  expect((learned?.tokens ?? 0) / (learned?.bytes ?? 1)).toBeGreaterThan(0.25);
});
