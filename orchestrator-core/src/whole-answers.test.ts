import { expect, test } from 'vitest';
import { PoolModel } from './pool-model.ts';
import { aTask, Driver, ofType, USAGE } from './testing/fixtures.ts';
import { DEFAULT_TUNING } from './tuning.ts';
import type { PoolSpec, TaskSpec, Usage } from './types.ts';

/** What an embedding of several texts asks: no output, no context of its own. */
const WHOLE = { answersWhole: true, maxTokens: undefined, promptTokensExact: false } as const;
const EMBEDDED: Usage = { ...USAGE, tokensIn: 400, tokensOut: 0, decodeMs: 0 };

function ready(pool: Partial<PoolSpec> = {}): Driver {
  const driver = new Driver();
  driver.pool(pool);
  driver.replica('r1');
  driver.replica('r2');
  return driver;
}

/** Embeds for so long, and so often. */
function embed(driver: Driver, times: number, ms: number, fields: Partial<TaskSpec> = {}): void {
  for (let n = 0; n < times; n += 1) {
    driver.admit(`e${n}`, { ...WHOLE, promptTokens: 1_600, ...fields });
    driver.advance(ms);
    driver.finish(`e${n}`, EMBEDDED);
  }
}

test('OC-CORE-1107 what is answered whole may be silent as long as it may run', () => {
  const driver = ready({ wallMs: 60_000, idleMs: 5_000 });
  driver.admit('e', WHOLE);
  expect(driver.advance(59_999)).toEqual([]);
  expect(ofType(driver.advance(1), 'abort')).toMatchObject([{ reason: 'wall-timeout' }]);
  expect(driver.stateOf('e')).toBeUndefined();
});

test('OC-CORE-1107 its texts need not fit one context together, the context it names must', () => {
  const driver = ready();
  const task = aTask('e', { ...WHOLE, promptTokens: 50_000 });
  expect(ofType(driver.step({ type: 'admit', task }), 'accepted')).toHaveLength(1);
  const refused = ofType(driver.admit('f', { ...WHOLE, ctx: 9_999 }), 'rejected');
  expect(refused).toMatchObject([{ code: 'INVALID_PARAMS', path: '/ctx' }]);
});

test('OC-CORE-1107 it teaches how long such prompts take, and the forecast follows', () => {
  const driver = ready();
  embed(driver, 40, 250);
  const [accepted] = ofType(driver.admit('next', { ...WHOLE, promptTokens: 1_600 }), 'accepted');
  const { firstTokenMs, lowMs, highMs } = accepted!.forecast;
  expect(firstTokenMs).toBeGreaterThan(200);
  expect(firstTokenMs).toBeLessThan(300);
  expect(lowMs).toBeLessThanOrEqual(250);
  expect(highMs).toBeGreaterThanOrEqual(250);
});

test('OC-CORE-1107 it teaches nothing of the length of outputs', () => {
  const model = new PoolModel(DEFAULT_TUNING);
  const completion = aTask('c', { maxTokens: undefined });
  const before = model.estimate(completion, 0).outputTokens;
  for (let n = 0; n < 40; n += 1) model.observeEnd(aTask('e', WHOLE), EMBEDDED, false, 250);
  expect(model.estimate(completion, 0).outputTokens).toBe(before);
  expect(model.estimate(aTask('e', WHOLE), 0)).toMatchObject({ outputTokens: 0, decodeMs: 0 });
});

test('an engine that does not count teaches nothing of the length of prompts', () => {
  const model = new PoolModel(DEFAULT_TUNING);
  const before = model.tokensPerByte;
  model.observeEnd(aTask('e', WHOLE), { ...EMBEDDED, tokensIn: 0 }, false, 250);
  expect(model.tokensPerByte).toBe(before);
});

test('OC-CORE-1107 it goes elsewhere when its replica is lost, and to any set', () => {
  const driver = ready();
  driver.replica('r2', { setId: 'other' });
  driver.admit('e', WHOLE);
  const from = driver.replicaOf('e')!;
  driver.advance(1_000);
  const effects = driver.step({ type: 'replica-gone', poolId: 'p', replicaId: from });
  expect(ofType(effects, 'dispatch')).toMatchObject([{ taskId: 'e', attempt: 2 }]);
  expect(driver.replicaOf('e')).not.toBe(from);
});
