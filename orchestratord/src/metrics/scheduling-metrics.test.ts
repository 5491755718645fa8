import type { DispatchDecision } from '@llama-orch/orchestrator-core';
import { expect, test } from 'vitest';
import { LiveTask } from '../tasks/live-task.ts';
import { createMetrics } from './metrics.ts';
import { SchedulingMetrics } from './scheduling-metrics.ts';

const NORMAL = { preempted: false } as DispatchDecision;
const USAGE = { tokensIn: 400, cachedTokens: 100, tokensOut: 0, decodeMs: 0 } as const;
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
  scheduling.dispatched(early, NORMAL);
  expect(await values('preemptions_total')).toEqual([]);
  scheduling.dispatched(arrive('interactive'), NORMAL);
  // Who stopped another to get its slot is counted by the one that was stopped.
  scheduling.dispatched(arrive('interactive'), STOPPING);
  scheduling.dispatched(batch, NORMAL);
  scheduling.dispatched(arrive('interactive'), NORMAL);
  expect(await values('preemptions_total')).toEqual([
    { mode: 'soft', engine: 'llamacpp', value: 1 },
  ]);
});

test('OC-METRICS-7120 hard: a running task is stopped, and later resumed', async () => {
  const { scheduling, arrive, values } = setUp();
  const batch = arrive('batch');
  scheduling.dispatched(batch, NORMAL);
  batch.note({ kind: 'requeued', atMs: 1, reason: 'preempted' });
  scheduling.requeued(batch, 'preempted');
  scheduling.dispatched(arrive('interactive'), NORMAL);
  scheduling.dispatched(batch, NORMAL);
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
  scheduling.completed(arrive('interactive', 'acme'), USAGE, 0);
  scheduling.streamed(arrive('batch', 'gone'), 150, 0);
  scheduling.collect(0);
  expect(await values('admission_share')).toEqual([
    { tenant: 'default', priority: 'interactive', value: 0 },
    { tenant: 'acme', priority: 'interactive', value: 0.5 },
    { tenant: 'default', priority: 'batch', value: 0 },
    { tenant: 'acme', priority: 'batch', value: 0 },
  ]);
});

test('OC-METRICS-7121 the share is of the service: a prompt not cached, and twice the output', async () => {
  const { scheduling, arrive, values } = setUp(['default', 'acme']);
  const long = arrive('interactive', 'acme');
  scheduling.streamed(long, 100, 0);
  scheduling.completed(long, { ...USAGE, tokensOut: 100 }, 0);
  for (let n = 0; n < 50; n += 1) scheduling.streamed(arrive('interactive'), 1, 0);
  scheduling.collect(0);
  expect(await values('admission_share')).toContainEqual({
    tenant: 'acme',
    priority: 'interactive',
    value: (300 + 200) / (300 + 200 + 100),
  });
});

test('OC-METRICS-7111 no family has more than 2,000 series, however many tenants there are', async () => {
  const { scheduling, arrive, values } = setUp(Array.from({ length: 1_001 }, (_, n) => `t${n}`));
  scheduling.streamed(arrive('batch', 't0'), 1, 0);
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
