import { expect, test } from 'vitest';
import { qualityOf, type ToldForecast } from './forecast-quality.ts';

function told(overrides: Partial<ToldForecast>): ToldForecast {
  return {
    predictedMs: 100,
    lowMs: 90,
    highMs: 110,
    onTimeProbability: undefined,
    actualMs: 100,
    wasOnTime: true,
    ...overrides,
  };
}

test('errors are relative to what happened, coverage counts both ends of the interval', () => {
  const quality = qualityOf([
    told({}),
    told({ actualMs: 90 }),
    told({ actualMs: 200 }),
    told({ actualMs: 110 }),
  ]);
  expect(quality.medianError).toBeCloseTo(10 / 110);
  expect(quality.p90Error).toBeCloseTo(0.5);
  expect(quality.coverage).toBe(0.75);
});

test('calibration compares told chances with frequencies, bin by bin', () => {
  const half = (wasOnTime: boolean) => told({ onTimeProbability: 0.55, wasOnTime });
  expect(qualityOf([half(true), half(false)]).calibrationError).toBeCloseTo(0.05);
  const sure = told({ onTimeProbability: 1, wasOnTime: false, actualMs: NaN });
  const { calibrationError, brier } = qualityOf([sure, sure, half(true), half(false)]);
  expect(calibrationError).toBeCloseTo((2 * 1 + 2 * 0.05) / 4);
  expect(brier).toBeCloseTo((2 + 0.45 ** 2 + 0.55 ** 2) / 4);
  expect(qualityOf([told({})]).calibrationError).toBeNaN();
});
