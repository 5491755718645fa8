import { expect, test } from 'vitest';
import { isDeadlineInfeasible } from './deadline.ts';

const TUNING = { deadlineSlack: 2, deadlineMinSamples: 8 };
const infeasible = (deadlineAtMs: number | undefined, startMs: number, samples = 8) =>
  isDeadlineInfeasible(deadlineAtMs, 1_000, { startMs, samples }, TUNING);

test('ORCH-3079 OC-CORE-1026 a past deadline is refused, even with a free slot', () => {
  expect(infeasible(1_000, 0, 0)).toBe(true);
  expect(infeasible(1_001, 0, 0)).toBe(false);
});

test('ORCH-3079 OC-CORE-1026 a deadline far before the predicted start is refused', () => {
  expect(infeasible(1_100, 201)).toBe(true);
});

test('a doubtful deadline is admitted: within the slack, or with few samples', () => {
  expect(infeasible(1_100, 200)).toBe(false);
  expect(infeasible(1_100, 5_000, 7)).toBe(false);
  expect(infeasible(undefined, 1e9)).toBe(false);
});
