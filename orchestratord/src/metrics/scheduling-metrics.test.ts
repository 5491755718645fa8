import type { DispatchDecision } from '@llama-orch/orchestrator-core';
import { expect, test } from 'vitest';
import { LiveTask } from '../tasks/live-task.ts';
import { createMetrics } from './metrics.ts';
import { SchedulingMetrics } from './scheduling-metrics.ts';

const NORMAL = { preempted: false } as DispatchDecision;
const STOPPING = { preempted: true } as DispatchDecision;

function setUp(tenants: readonly string[] = ['default']) {
  const metrics = createMetrics();
  const scheduling = new SchedulingMetrics({ metrics, tenants });
  let arrival = 0;
  const arrive = (priority: 'interactive' | 'batch', tenantId = 'default'): LiveTask => {
    const task = new LiveTask({
      taskId: `00000000-0000-4000-8000-${String(arrival).padStart(12, '0')}`,
      tenantId,
      poolId: 'p',
      modelId: 'm',
      engine: 'llamacpp',
      correlationId: 'c',
      request: { prompt: 'hi', priority },
      promptFormat: 'raw',
      seed: '1',
      requestHash: undefined,
      acceptedAtMs: 0,
      deadlineAtMs: undefined,
    });
    task.arrival = arrival += 1;
    scheduling.accepted(task);
    return task;
  };
  const values = async (name: string) => {
    const metric = await metrics.registry.getSingleMetric(name)?.get();
    return metric?.values.map(({ labels, value }) => ({ ...labels, value }));
  };
  return { scheduling, arrive, values };
}

test('OC-METRICS-7120 soft: an interactive task passes a batch task that came before it', async () => {
  const { scheduling, arrive, values } = setUp();
  const early = arrive('interactive');
  const batch = arrive('batch');
  scheduling.dispatched(early, NORMAL, 0);
  expect(await values('preemptions_total')).toEqual([]);
  scheduling.dispatched(arrive('interactive'), NORMAL, 0);
  // Who stopped another to get its slot is counted by the one that was stopped.
  scheduling.dispatched(arrive('interactive'), STOPPING, 0);
  scheduling.dispatched(batch, NORMAL, 0);
  scheduling.dispatched(arrive('interactive'), NORMAL, 0);
  expect(await values('preemptions_total')).toEqual([
    { mode: 'soft', engine: 'llamacpp', value: 1 },
  ]);
});

test('OC-METRICS-7120 hard: a running task is stopped, and later resumed', async () => {
  const { scheduling, arrive, values } = setUp();
  const batch = arrive('batch');
  scheduling.dispatched(batch, NORMAL, 0);
  batch.note({ kind: 'requeued', atMs: 1, reason: 'preempted' });
  scheduling.requeued(batch, 'preempted');
  scheduling.dispatched(arrive('interactive'), NORMAL, 1);
  scheduling.dispatched(batch, NORMAL, 2);
  scheduling.requeued(batch, 'drain');
  expect(await values('preemptions_total')).toEqual([
    { mode: 'hard', engine: 'llamacpp', value: 1 },
    { mode: 'soft', engine: 'llamacpp', value: 1 },
  ]);
  expect(await values('resumptions_total')).toEqual([{ engine: 'llamacpp', value: 1 }]);
});

test('OC-METRICS-7121 a tenant that is not configured takes its share and has no series', async () => {
  const { scheduling, arrive, values } = setUp(['default', 'acme']);
  scheduling.collect(0);
  expect(await values('admission_share')).toEqual([]);
  scheduling.dispatched(arrive('interactive', 'acme'), NORMAL, 0);
  scheduling.dispatched(arrive('batch', 'gone'), NORMAL, 0);
  scheduling.collect(0);
  expect(await values('admission_share')).toEqual([
    { tenant: 'default', priority: 'interactive', value: 0 },
    { tenant: 'acme', priority: 'interactive', value: 0.5 },
    { tenant: 'default', priority: 'batch', value: 0 },
    { tenant: 'acme', priority: 'batch', value: 0 },
  ]);
});

test('OC-METRICS-7111 no family has more than 2,000 series, however many tenants there are', async () => {
  const { scheduling, arrive, values } = setUp(Array.from({ length: 1_001 }, (_, n) => `t${n}`));
  scheduling.dispatched(arrive('batch', 't0'), NORMAL, 0);
  scheduling.collect(0);
  expect(await values('admission_share')).toHaveLength(2_000);
});

test('OC-METRICS-7122 only deadlines that were to be kept count', async () => {
  const { scheduling, arrive, values } = setUp();
  scheduling.ended(arrive('interactive'), undefined, 0);
  scheduling.ended(arrive('batch'), true, 0);
  scheduling.ended(arrive('batch'), false, 0);
  scheduling.collect(0);
  expect(await values('deadlines_met_ratio')).toEqual([{ priority: 'batch', value: 0.5 }]);
});
