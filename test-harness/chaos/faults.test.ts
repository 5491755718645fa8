import { expect, test } from 'vitest';
import { formatFaultReport } from './fault-report.ts';
import { runFaults } from './fault-run.ts';

test('OC-CHAOS-7301 hundreds of tasks on failing engines end as they may, and leave nothing behind', async () => {
  const seed = Math.floor(Math.random() * 2 ** 32);
  const report = await runFaults({
    tasks: 400,
    percent: 4,
    open: 48,
    seed,
    replicas: 2,
    killEvery: 100,
  });
  expect(report.violations, formatFaultReport(report)).toEqual([]);
  expect(report.outcomes).toHaveLength(400);
  expect(report.killed).toBe(4);
  expect(report.struck.size).toBeGreaterThan(0);
}, 600_000);
