import { expect, test } from 'vitest';
import { ERROR_KINDS, OrchError } from './errors.ts';
import type { ErrorKind } from './errors.ts';

const kinds = Object.entries(ERROR_KINDS) as [ErrorKind, (typeof ERROR_KINDS)[ErrorKind]][];

test('ORCH-3025 what is at fault in a request stays so: it is not retriable', () => {
  const faults = kinds.filter(([, { status }]) => status < 429);
  expect(faults.length).toBeGreaterThan(0);
  for (const [kind] of faults) expect(new OrchError(kind, '').retriable, kind).toBe(false);
});

test('ORCH-3025 what may pass by itself is retriable; a budget that is used up does not', () => {
  const refusals = kinds.filter(([, { status }]) => status === 429 || status === 503);
  expect(refusals.length).toBeGreaterThan(0);
  for (const [kind] of refusals) {
    expect(new OrchError(kind, '').retriable, kind).toBe(kind !== 'BUDGET_EXHAUSTED');
  }
});

test('ORCH-3025 who throws knows better than the kind', () => {
  expect(new OrchError('WORKER_RESET', '').retriable).toBe(true);
  expect(new OrchError('WORKER_RESET', '', { retriable: false }).retriable).toBe(false);
});
