import { expect, test } from 'vitest';
import { Driver } from './testing/fixtures.ts';

test('ORCH-3004 a queue of 100,000 tasks is taken in, and worked off or given up', () => {
  const tasks = 100_000;
  const driver = new Driver();
  driver.pool({ capacity: tasks });
  for (let n = 0; n < tasks; n += 1) {
    const tenantId = `tenant${n % 10}`;
    driver.admit(`t${n}`, { tenantId, priority: n % 4 === 0 ? 'batch' : 'interactive' });
  }
  expect(driver.core.poolView('p')?.waiting).toEqual({ interactive: 75_000, batch: 25_000 });
  driver.replica('r', { slots: 64 });
  for (let ended = 0; ended < 10_000; ended += 1) {
    driver.nowMs += 1;
    const taskId = driver.started[ended]!;
    driver.progress(taskId);
    driver.finish(taskId);
  }
  for (let n = 0; n < tasks; n += 1) {
    const taskId = `t${n}`;
    if (driver.stateOf(taskId) === 'queued') {
      driver.step({ type: 'cancel', taskId, reason: 'client' });
    }
  }
  expect(driver.core.poolView('p')).toMatchObject({
    waiting: { interactive: 0, batch: 0 },
    running: 64,
  });
}, 120_000);
