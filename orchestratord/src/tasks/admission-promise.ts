/** What a client was told when its task was admitted, and is told again when it asks again. */
import type { AdmissionResponse } from '@llama-orch/contracts';
import type { Forecast } from '@llama-orch/orchestrator-core';

export interface AdmissionPromise {
  readonly queuePosition: number;
  readonly predictedStartMs: number;
  /** Left out for tasks that were admitted before it was kept. */
  readonly forecast?: FirstTokenForecast | undefined;
}

/** Waits are ms from admission; the interval holds the first token 8 times in 10. */
export type FirstTokenForecast = Pick<
  Forecast,
  'firstTokenMs' | 'lowMs' | 'highMs' | 'onTimeProbability'
>;

/** A forecast as it is stored: in the digits that are shown, so that they are the same after a restart. */
export function storedForecast(forecast: FirstTokenForecast): FirstTokenForecast {
  const { firstTokenMs, lowMs, highMs, onTimeProbability } = forecast;
  return {
    firstTokenMs: Math.round(firstTokenMs),
    lowMs: Math.round(lowMs),
    highMs: Math.round(highMs),
    onTimeProbability: onTimeProbability === undefined ? undefined : shownChance(onTimeProbability),
  };
}

type Predictions = Pick<
  AdmissionResponse,
  'predicted_first_token_ms' | 'predicted_interval_ms' | 'on_time_probability'
>;

/** The fields that tell of a forecast, in every answer that does. */
export function predictionFields(forecast: FirstTokenForecast | undefined): Predictions {
  if (forecast === undefined) return {};
  const { firstTokenMs, lowMs, highMs, onTimeProbability } = storedForecast(forecast);
  return {
    predicted_first_token_ms: firstTokenMs,
    predicted_interval_ms: [lowMs, highMs],
    ...(onTimeProbability === undefined ? {} : { on_time_probability: onTimeProbability }),
  };
}

/** A probability in as many digits as it deserves. */
export function shownChance(probability: number): number {
  return Math.round(probability * 1e4) / 1e4;
}
