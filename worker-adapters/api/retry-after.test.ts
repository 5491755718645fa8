import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MAX_RETRY_AFTER_MS, retryAfterMsOf, withRetryAfter } from './retry-after.ts';
import { EngineError } from './types.ts';
import type { EngineFault } from './types.ts';

const date = 'Sun, 06 Nov 1994 08:49:37 GMT';

test.each([
  [{ 'retry-after': '7' }, 7_000],
  [{ 'retry-after': '0' }, 0],
  [{ 'retry-after': '1.5' }, 1_500],
  [{ 'retry-after': '86400' }, MAX_RETRY_AFTER_MS],
  [{ 'retry-after': '2', 'retry-after-ms': '1234' }, 1_234],
  [{ 'retry-after': 'Sun, 06 Nov 1994 08:49:40 GMT', date }, 3_000],
  [{ 'retry-after': 'Sun, 06 Nov 1994 08:49:30 GMT', date }, 0],
  [{ 'retry-after': 'Mon, 06 Nov 1995 08:49:37 GMT', date }, MAX_RETRY_AFTER_MS],
])('OC-ADAPT-5019 %j asks for %i ms', (headers, ms) => {
  expect(retryAfterMsOf(headers)).toBe(ms);
});

test.each([
  {},
  { 'retry-after': '' },
  { 'retry-after': '-1' },
  { 'retry-after': 'soon' },
  { 'retry-after': '1e9' },
  { 'retry-after': ['1', '2'] },
  // Without the answer's own date another clock would have to be trusted.
  { 'retry-after': 'Sun, 06 Nov 1994 08:49:40 GMT' },
  { 'retry-after': 'Sun, 06 Nov 1994 08:49:40 GMT', date: 'today' },
])('OC-ADAPT-5019 %j asks for nothing', (headers) => {
  expect(retryAfterMsOf(headers)).toBeUndefined();
});

test('OC-ADAPT-5019 whatever a header says, the wait is a whole number within the bound', () => {
  const value = fc.oneof(fc.string(), fc.double().map(String), fc.bigInt().map(String));
  fc.assert(
    fc.property(value, value, (seconds, ms) => {
      const wait = retryAfterMsOf({ 'retry-after': seconds, 'retry-after-ms': ms, date });
      if (wait === undefined) return;
      expect(Number.isInteger(wait)).toBe(true);
      expect(wait).toBeGreaterThanOrEqual(0);
      expect(wait).toBeLessThanOrEqual(MAX_RETRY_AFTER_MS);
    }),
  );
});

test.each<[EngineFault, number | undefined]>([
  ['busy', 7_000],
  ['not-ready', 7_000],
  ['permanent', undefined],
  ['broken', undefined],
  ['garbage', undefined],
  ['timeout', undefined],
])('OC-ADAPT-5019 what is %s may be told to come again: %s', (fault, retryAfterMs) => {
  const cause = new Error('below');
  const error = new EngineError(fault, 'vllm', 'full', { status: 503, cause });
  const told = withRetryAfter(error, { 'retry-after': '7' });
  expect(told).toMatchObject({ fault, engine: 'vllm', message: 'full', status: 503, cause });
  expect(told.retryAfterMs).toBe(retryAfterMs);
});
