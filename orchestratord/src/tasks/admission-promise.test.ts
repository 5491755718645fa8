import fc from 'fast-check';
import { expect, test } from 'vitest';
import { predictionFields, storedForecast } from './admission-promise.ts';

test('OC-CTRL-2016 what was predicted reads the same after it was stored', () => {
  const wait = fc.double({ min: 0, max: 1e7, noNaN: true });
  const chance = fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { nil: undefined });
  fc.assert(
    fc.property(wait, wait, wait, chance, (lowMs, firstTokenMs, highMs, onTimeProbability) => {
      const forecast = { lowMs, firstTokenMs, highMs, onTimeProbability };
      const restored = JSON.parse(JSON.stringify(storedForecast(forecast))) as typeof forecast;
      expect(predictionFields(restored)).toEqual(predictionFields(forecast));
    }),
  );
});

test('a task from before predictions were kept has none', () => {
  expect(predictionFields(undefined)).toEqual({});
});
