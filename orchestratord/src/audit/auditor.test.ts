import type { Config } from '@llama-orch/contracts';
import type { ReplicaSnapshot } from '@llama-orch/pool-managerd';
import { VirtualClock } from '@llama-orch/pool-managerd/testing';
import { expect, test, vi } from 'vitest';
import { AUDIT_TENANT } from '../auth/identity.ts';
import { createMetrics } from '../metrics/metrics.ts';
import { LiveTask, type TaskRecord } from '../tasks/live-task.ts';
import { Auditor, type AuditorOptions } from './auditor.ts';
import { noteDrift } from './findings.ts';

const ID = '00000000-0000-4000-8000-000000000001';
const SHARE = 0.25;

const replicas = ['a', 'b'].map(
  (replicaId) =>
    ({
      ...{ replicaId, poolId: 'p', setId: 's', state: 'ready', slots: 1 },
      ...{ engine: 'llamacpp', engineVersion: 'v' },
    }) as ReplicaSnapshot,
);

function anAuditor(draw = 0) {
  const clock = new VirtualClock();
  const findEnded = vi.fn(() => Promise.reject(new Error('not kept')));
  const metrics = createMetrics();
  const pool = (id: string, share: number) => ({ id, audit: { share, max_per_minute: 600 } });
  const options: Partial<AuditorOptions> = {
    config: { pools: [pool('p', SHARE), pool('off', 0)] } as unknown as Config,
    core: {
      poolView: () => ({ waiting: { interactive: 0, batch: 0 }, slotsFree: 2, draining: false }),
    } as unknown as AuditorOptions['core'],
    pools: {
      replicas: () => replicas,
      subscribe: () => () => undefined,
    },
    queries: { findEnded },
    runningOn: () => 0,
    metrics,
    clock,
    random: () => draw,
  };
  return { auditor: new Auditor(options as AuditorOptions), clock, findEnded, metrics };
}

function completed(fields: Partial<TaskRecord> = {}, replica = replicas[0]): LiveTask {
  const task = new LiveTask({
    ...{ taskId: ID, tenantId: 'default', poolId: 'p', modelId: 'm', engine: 'llamacpp' },
    ...{ correlationId: 'c', request: { prompt: 'hi' }, promptFormat: 'raw', seed: '1' },
    ...{ determinism: 'strict', requestHash: undefined, acceptedAtMs: 0, deadlineAtMs: undefined },
    ...fields,
  });
  task.attempts = 1;
  task.replica = replica;
  return task;
}

async function isAudited(task: LiveTask, draw?: number): Promise<boolean> {
  const { auditor, clock, findEnded } = anAuditor(draw);
  auditor.completed(task);
  await clock.advance(0);
  return findEnded.mock.calls.length > 0;
}

test('OC-CTRL-2150 the share is a matter of chance', async () => {
  expect(await isAudited(completed(), SHARE - 0.001)).toBe(true);
  expect(await isAudited(completed(), SHARE)).toBe(false);
});

test('OC-CTRL-2150 a pool without a share is left alone', async () => {
  expect(await isAudited(completed({ poolId: 'off' }))).toBe(false);
});

test('OC-CTRL-2150 only what one replica of several ran in one attempt, and promised, is drawn', async () => {
  const again = completed();
  again.attempts = 2;
  const rerunOf = { taskId: ID, setId: 's', notOn: 'a' };
  const [first] = replicas;
  if (first === undefined) throw new Error('there are two');
  for (const task of [
    again,
    completed({ determinism: 'best_effort' }),
    completed({ request: { workload: 'embedding', inputs: ['x'] } }),
    completed({ rerunOf }),
    completed({ tenantId: AUDIT_TENANT, rerunOf }),
    completed({}, { ...first, setId: 'another' }),
    completed({}, { ...first, replicaId: 'gone' }),
  ]) {
    expect(await isAudited(task)).toBe(false);
  }
});

test('OC-METRICS-7128 each replica of an audited pool has a value, 1 while it is flagged', async () => {
  const { auditor, metrics } = anAuditor();
  const [, b] = replicas;
  if (b === undefined) throw new Error('there are two');
  noteDrift(auditor.findings.lifeOf(b), { taskId: ID, atMs: 1 });
  const shown = async () => {
    auditor.collect();
    const { values = [] } =
      (await metrics.registry.getSingleMetric('replica_drifting')?.get()) ?? {};
    return values.map(({ labels, value }) => [labels['replica_id'], value]);
  };
  expect(await shown()).toEqual([
    ['a', 0],
    ['b', 1],
  ]);
  auditor.replicaGone('b');
  expect(await shown()).toEqual([
    ['a', 0],
    ['b', 0],
  ]);
});
