import { EngineError } from './types.ts';

/** The headers of an answer, their names in lower case. */
export type AnswerHeaders = Readonly<Record<string, string | string[] | undefined>>;

/** Nobody waits longer on an engine's word: by then it is worth asking again. */
export const MAX_RETRY_AFTER_MS = 3_600_000;

/**
 * How long an answer asks to be left alone, ms: `Retry-After` in seconds or as a date (RFC 9110, section
 * 10.2.3), or `retry-after-ms`, which Azure and OpenAI send as the finer of the two. A date is held against
 * the answer's own `Date`, so that the clocks of both sides need not agree. Undefined where it does not say,
 * or not in these forms.
 */
export function retryAfterMsOf(headers: AnswerHeaders): number | undefined {
  const ms = countOf(headers['retry-after-ms']);
  if (ms !== undefined) return bounded(ms);
  const value = headers['retry-after'];
  const seconds = countOf(value);
  if (seconds !== undefined) return bounded(seconds * 1000);
  const waitMs = timeOf(value) - timeOf(headers['date']);
  return Number.isNaN(waitMs) ? undefined : bounded(waitMs);
}

/** The failure that an answer stands for, with the wait it asks for where one may come again. */
export function withRetryAfter(error: EngineError, headers: AnswerHeaders): EngineError {
  if (error.fault !== 'busy' && error.fault !== 'not-ready') return error;
  const retryAfterMs = retryAfterMsOf(headers);
  if (retryAfterMs === undefined) return error;
  const { fault, engine, message, status, cause } = error;
  return new EngineError(fault, engine, message, { status, cause, retryAfterMs });
}

/** Some send fractions of a second, which the RFC does not know. */
function countOf(value: string | string[] | undefined): number | undefined {
  return typeof value === 'string' && /^\d{1,15}(?:\.\d{1,9})?$/.test(value)
    ? Number(value)
    : undefined;
}

function timeOf(value: string | string[] | undefined): number {
  return typeof value === 'string' && value.endsWith(' GMT') ? Date.parse(value) : NaN;
}

function bounded(ms: number): number {
  return Math.min(Math.max(Math.ceil(ms), 0), MAX_RETRY_AFTER_MS);
}
