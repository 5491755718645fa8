import { expect, test } from 'vitest';
import { formatReport } from './chaos-report.ts';
import { runChaos } from './chaos-run.ts';

test('ORCH-3051 three rounds of kill -9 under load lose no accepted task and send no wrong byte', async () => {
  const seed = Math.floor(Math.random() * 2 ** 32);
  const report = await runChaos({ rounds: 3, seed });
  expect(report.violations, formatReport(report)).toEqual([]);
  expect(report.accepted).toBeGreaterThan(0);
}, 180_000);
