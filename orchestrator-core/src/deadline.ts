import type { Tuning } from './tuning.ts';

export interface StartForecast {
  /** Wait until the start, 0 when a slot is free. */
  readonly startMs: number;
  /** Completed tasks that the forecast rests on. */
  readonly samples: number;
}

/**
 * True when a deadline is past, or so far before the predicted start that the error of the
 * prediction cannot explain it (ORCH-3079). Doubtful cases are admitted.
 */
export function isDeadlineInfeasible(
  deadlineAtMs: number | undefined,
  nowMs: number,
  forecast: StartForecast,
  tuning: Pick<Tuning, 'deadlineSlack' | 'deadlineMinSamples'>,
): boolean {
  if (deadlineAtMs === undefined) return false;
  const leftMs = deadlineAtMs - nowMs;
  if (leftMs <= 0) return true;
  return (
    forecast.samples >= tuning.deadlineMinSamples &&
    forecast.startMs > tuning.deadlineSlack * leftMs
  );
}
