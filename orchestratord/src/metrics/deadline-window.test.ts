import { expect, test } from 'vitest';
import { DEADLINE_WINDOW_MS, DeadlineWindow } from './deadline-window.ts';

test('OC-METRICS-7122 the ratio is over the tasks of a class that ended within the window', () => {
  const window = new DeadlineWindow();
  expect(window.ratio('batch', 0)).toBeUndefined();
  window.observe('interactive', true, 0);
  window.observe('interactive', false, 1_000);
  window.observe('interactive', false, 1_000);
  window.observe('batch', true, 1_000);
  expect(window.ratio('interactive', 1_000)).toBeCloseTo(1 / 3);
  expect(window.ratio('batch', 1_000)).toBe(1);
  expect(window.ratio('interactive', DEADLINE_WINDOW_MS + 1)).toBe(0);
  expect(window.ratio('interactive', DEADLINE_WINDOW_MS + 1_001)).toBeUndefined();
});

test('OC-METRICS-7122 only the last 1,024 of a class count', () => {
  const window = new DeadlineWindow();
  for (let n = 0; n < 1_024; n += 1) window.observe('batch', false, 0);
  for (let n = 0; n < 1_024; n += 1) window.observe('batch', true, 0);
  expect(window.ratio('batch', 0)).toBe(1);
});
