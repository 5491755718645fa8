import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Driver, ofType, practise } from './testing/fixtures.ts';

const task = { promptTokens: 500, maxTokens: 100 } as const;
const TAUGHT = JSON.stringify(taught().core.learned());

/** Knows prompts, outputs with hints, waits and the times of its forecasts. */
function taught(): Driver {
  const driver = ready(new Driver());
  const fields = { ...task, promptTokensExact: false, expectedTokens: 40 };
  practise(driver, 12, fields, { prefillMs: 40, decodeMs: 900, tokensOut: 50, tokensIn: 120 });
  driver.admit('runs', task);
  driver.admit('waits', task);
  driver.serve('runs');
  driver.serve('waits');
  return driver;
}

function ready(driver: Driver): Driver {
  driver.pool();
  driver.replica('r');
  return driver;
}

/** What a damaged file, or another release, could have in the place of anything. */
const anything = fc.oneof(
  fc.jsonValue(),
  fc.constantFrom(NaN, Infinity, -Infinity, -1, 0, 1e-300, 1e300, 0.5, undefined),
  fc.array(fc.oneof(fc.double(), fc.constant(1e300)), { minLength: 7, maxLength: 63 }),
);

/** Follows `steps` down into the value and puts something else there. */
function replaced(value: unknown, steps: readonly number[], by: unknown): unknown {
  const [step, ...rest] = steps;
  if (step === undefined || typeof value !== 'object' || value === null) return by;
  const keys = Object.keys(value);
  const key = keys[step % Math.max(1, keys.length)];
  if (key === undefined) return by;
  const child: unknown = (value as Record<string, unknown>)[key];
  const changed = replaced(child, rest, by);
  return Array.isArray(value)
    ? value.map((each: unknown, at) => (at === Number(key) ? changed : each))
    : { ...value, [key]: changed };
}

function expectSoundPredictions(driver: Driver, suffix: string): void {
  const admitted = [
    driver.admit(`first${suffix}`, task),
    driver.admit(`second${suffix}`, { ...task, promptTokensExact: false, expectedTokens: 9 }),
    driver.admit(`third${suffix}`, { deadlineAtMs: driver.nowMs + 1e9 }),
  ];
  for (const { forecast, predictedStartMs } of admitted.flatMap((e) => ofType(e, 'accepted'))) {
    expect(predictedStartMs >= 0 && predictedStartMs < Infinity).toBe(true);
    expect(forecast.firstTokenMs > 0 && forecast.firstTokenMs < Infinity).toBe(true);
    expect(forecast.lowMs >= 0 && forecast.lowMs <= forecast.highMs).toBe(true);
    expect(forecast.highMs > 0 && forecast.highMs < Infinity).toBe(true);
    const chance = forecast.onTimeProbability;
    expect(chance === undefined || (chance >= 0 && chance <= 1)).toBe(true);
  }
  expect(admitted.flatMap((effects) => ofType(effects, 'accepted'))).toHaveLength(3);
  driver.pool({ capacity: 2 });
  const [refused] = ofType(driver.admit(`fourth${suffix}`, task), 'rejected');
  expect(refused?.retryAfterMs).toBeGreaterThanOrEqual(1);
  expect(refused?.retryAfterMs).toBeLessThanOrEqual(60_000);
  expect(driver.core.tokensPerByte('p')).toBeGreaterThan(0);
  expect(driver.core.tokensPerByte('p')).toBeLessThanOrEqual(1);
}

test('OC-CORE-1090 whatever is loaded in place of what was learned, predictions stay sound', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(500), { maxLength: 6 }), anything, (steps, by) => {
      const driver = new Driver();
      driver.core.loadLearned(replaced(JSON.parse(TAUGHT), steps, by));
      ready(driver);
      expectSoundPredictions(driver, '');
      for (const name of ['first', 'second', 'third']) driver.serve(name);
      expectSoundPredictions(driver, ' later');
    }),
    { numRuns: 500 },
  );
});

test('OC-CORE-1090 a part that is no use is named, and the others are used', () => {
  const parts = ['latency', 'lengths', 'scale', 'drain', 'intervals', 'holdMs'] as const;
  for (const part of parts) {
    const saved = JSON.parse(TAUGHT) as Record<'p', Record<string, unknown>>;
    saved.p[part] = { samples: 'many' };
    const { core } = new Driver();
    expect(core.loadLearned(saved)).toEqual([`p.${part === 'holdMs' ? 'holds' : part}`]);
    const learned = JSON.parse(JSON.stringify(core.learned())) as typeof saved;
    const whole = JSON.parse(TAUGHT) as typeof saved;
    const fresh = ready(new Driver()).core.learned();
    for (const other of parts) {
      const expected = other === part ? fresh['p']?.[other] : whole.p[other];
      expect(learned.p[other], `${other} without ${part}`).toEqual(expected);
    }
  }
});

test('OC-CORE-1090 what is no object names nothing and changes nothing', () => {
  for (const learned of [undefined, null, 7, 'p', [[]], true]) {
    const { core } = new Driver();
    expect(core.loadLearned(learned)).toEqual([]);
    expect(core.learned()).toEqual({});
  }
});
