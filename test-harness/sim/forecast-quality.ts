/** How well times and chances that were told at admission agree with what happened. */
import { mean, quantile } from './summary.ts';

/** What was told, and what came of it. Times from arrival to the first token, ms. */
export interface ToldForecast {
  readonly predictedMs: number;
  readonly lowMs: number;
  readonly highMs: number;
  /** Told chance to be on time; undefined for a request without a deadline. */
  readonly onTimeProbability: number | undefined;
  /** NaN when it was never served. */
  readonly actualMs: number;
  readonly wasOnTime: boolean;
}

export interface ForecastQuality {
  readonly medianError: number;
  readonly p90Error: number;
  /** Share of actual times inside the told interval. */
  readonly coverage: number;
  /** Expected calibration error over ten bins of the told chance; NaN without deadlines. */
  readonly calibrationError: number;
  readonly brier: number;
}

const BINS = 10;

/** Errors are relative to the actual time. What was never served counts for the chances only. */
export function qualityOf(forecasts: readonly ToldForecast[]): ForecastQuality {
  const served = forecasts.filter(({ actualMs }) => !Number.isNaN(actualMs));
  const errors = served.map(({ predictedMs, actualMs }) =>
    actualMs > 0 ? Math.abs(predictedMs - actualMs) / actualMs : 0,
  );
  const inside = served.filter(
    ({ lowMs, highMs, actualMs }) => lowMs <= actualMs && actualMs <= highMs,
  );
  return {
    medianError: quantile(errors, 0.5),
    p90Error: quantile(errors, 0.9),
    coverage: inside.length / served.length,
    ...calibrationOf(forecasts),
  };
}

function calibrationOf(
  forecasts: readonly ToldForecast[],
): Pick<ForecastQuality, 'calibrationError' | 'brier'> {
  const chances = forecasts.flatMap(({ onTimeProbability, wasOnTime }) =>
    onTimeProbability === undefined ? [] : [{ told: onTimeProbability, came: wasOnTime ? 1 : 0 }],
  );
  const bins = Map.groupBy(chances, ({ told }) => Math.min(BINS - 1, Math.floor(told * BINS)));
  let off = 0;
  for (const members of bins.values()) {
    const told = mean(members.map((member) => member.told));
    const came = mean(members.map((member) => member.came));
    off += members.length * Math.abs(told - came);
  }
  return {
    calibrationError: chances.length === 0 ? NaN : off / chances.length,
    brier: mean(chances.map(({ told, came }) => (told - came) ** 2)),
  };
}
