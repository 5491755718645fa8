import { expect, test } from 'vitest';
import { SLO_WINDOW_MS, SloWindow } from './slo-window.ts';

const completed = (endedAtMs: number, ttftMs: number) => ({
  endedAtMs,
  failed: false,
  ttftMs,
  tokenMs: ttftMs / 10,
});

test('ORCH-3041 each class of a set has percentiles of its own', () => {
  const window = new SloWindow();
  for (let n = 1; n <= 20; n += 1) window.observe('s', 'interactive', completed(n, 10 * n));
  window.observe('s', 'batch', completed(1, 5_000));
  const { interactive, batch } = window.snapshot('s', 100);
  expect(interactive).toEqual({
    tasks: 20,
    errors: 0,
    ttft_p50_ms: 100,
    ttft_p95_ms: 190,
    token_p50_ms: 10,
    token_p95_ms: 19,
  });
  expect(batch).toMatchObject({ tasks: 1, ttft_p50_ms: 5_000, ttft_p95_ms: 5_000 });
  expect(window.snapshot('other', 100).interactive).toEqual({ tasks: 0, errors: 0 });
});

test('ORCH-3041 what ended before the window is not counted, nor is a time that never was', () => {
  const window = new SloWindow();
  window.observe('s', 'batch', completed(0, 7));
  window.observe('s', 'batch', {
    endedAtMs: 10,
    failed: true,
    ttftMs: undefined,
    tokenMs: undefined,
  });
  expect(window.snapshot('s', SLO_WINDOW_MS).batch).toMatchObject({ tasks: 2, errors: 1 });
  expect(window.snapshot('s', SLO_WINDOW_MS + 1).batch).toEqual({ tasks: 1, errors: 1 });
});

test('ORCH-3041 a flood of tasks costs no more memory than the window keeps: the newest count', () => {
  const window = new SloWindow();
  for (let n = 0; n < 10_000; n += 1) window.observe('s', 'batch', completed(1, n));
  const { tasks, ttft_p50_ms: median } = window.snapshot('s', 2).batch;
  expect(tasks).toBeLessThan(1_000);
  expect(median).toBeGreaterThan(9_000);
});
