import { VirtualClock, settle } from '@llama-orch/pool-managerd/testing';
import type { ReplicaSnapshot } from '@llama-orch/pool-managerd';
import { OrchError } from '@llama-orch/contracts';
import { expect, test, vi } from 'vitest';
import { LiveTask, type TaskRecord } from '../tasks/live-task.ts';
import { packArchived } from '../tasks/archived-record.ts';
import type { Replayer } from '../tasks/replay.ts';
import type { AuditOutcome } from './audit-outcome.ts';
import { Findings } from './findings.ts';
import { LIMIT_MS, LOOK_MS, MOST_PENDING, PoolAudit, type PoolAuditOptions } from './pool-audit.ts';

const PER_MINUTE = 6;
const PACE_MS = 60_000 / PER_MINUTE;
const SAID = ['one ', 'two'];

type Rerun = Parameters<Replayer['run']>[0];
type Mutable<T> = { -readonly [K in keyof T]: T[K] };

interface Run {
  readonly replicaId: string;
  readonly taskId: string;
  readonly end: PromiseWithResolvers<LiveTask>;
}

function record(taskId: string, fields: Partial<TaskRecord> = {}): TaskRecord {
  return {
    taskId,
    tenantId: 'default',
    poolId: 'p',
    modelId: 'm',
    engine: 'llamacpp',
    correlationId: 'c',
    request: { prompt: 'hi' },
    promptFormat: 'raw',
    determinism: 'strict',
    seed: '1',
    requestHash: undefined,
    acceptedAtMs: 0,
    deadlineAtMs: undefined,
    ...fields,
  };
}

const idOf = (n: number): string => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;

interface PoolOptions {
  readonly strictAlone?: boolean;
  /** Called while the finished task is looked up. */
  readonly onFind?: () => void;
}

/** A pool of idle replicas, whose second runs end when the test says so. */
function aPool(
  replicaIds: readonly string[],
  { strictAlone = false, onFind = () => undefined }: PoolOptions = {},
) {
  const clock = new VirtualClock();
  const findings = new Findings();
  const replicas = replicaIds.map(
    (replicaId) =>
      ({
        replicaId,
        poolId: 'p',
        setId: 's',
        slots: 2,
        state: 'ready',
      }) as Mutable<ReplicaSnapshot>,
  );
  const view = { waiting: { interactive: 0, batch: 0 }, slotsFree: 4, draining: false };
  const busy = new Map<string, number>();
  const runs: Run[] = [];
  const counted: AuditOutcome[] = [];
  const canceled: string[] = [];
  const log = { warn: vi.fn() };
  let admitted = 0;
  const run = ({ where, mayStart }: Rerun): Promise<LiveTask> => {
    admitted += 1;
    const taskId = `audit-${admitted}`;
    if (mayStart?.(taskId) === false) return Promise.reject(new OrchError('CONFLICT', 'no time'));
    const end = Promise.withResolvers<LiveTask>();
    runs.push({ replicaId: 'on' in where ? where.on : '', taskId, end });
    return end.promise;
  };
  const findEnded = async (taskId: string) => {
    await settle();
    onFind();
    const summary = {
      task_id: taskId,
      state: 'completed' as const,
      workload: 'completion' as const,
      priority: 'interactive' as const,
      determinism: 'strict' as const,
      pool_id: 'p',
      accepted_at_ms: 0,
      attempts: 1,
      replica: { replica_id: 'a', engine: 'llamacpp' as const },
    };
    const admission = { taskId, sessionId: undefined, seed: '1', requestHash: undefined };
    const order = { request: { prompt: 'hi' }, promptFormat: 'raw' as const };
    const packed = packArchived(
      { ...summary, proof: { replica_set_id: 's' } } as unknown as Parameters<
        typeof packArchived
      >[0],
      { entries: [], dropped: 0 } as unknown as Parameters<typeof packArchived>[1],
      { ...admission, queuePosition: 0, predictedStartMs: 0 },
      order,
    );
    return { taskId, poolId: 'p', view: packed };
  };
  const options = {
    poolId: 'p',
    config: { share: 1, max_per_minute: PER_MINUTE },
    pools: { replicas: () => replicas },
    queries: { findEnded },
    replayer: { outputOf: () => Promise.resolve(SAID), run },
    findings,
    view: () => view,
    runningOn: (replicaId: string) => busy.get(replicaId) ?? 0,
    isStrictAlone: () => strictAlone,
    cancel: (taskId: string) => {
      canceled.push(taskId);
      const { end } = runs.find((each) => each.taskId === taskId) ?? {};
      end?.reject(new OrchError('CONFLICT', 'the second run was canceled'));
    },
    count: (outcome: AuditOutcome) => counted.push(outcome),
    clock,
    log,
  };
  const audit = new PoolAudit(options as unknown as PoolAuditOptions);
  const offer = (n = 1): void => {
    const ranOn = findings.lifeOf({ replicaId: 'a', setId: 's' });
    audit.offer({ taskId: idOf(n), tenantId: 'default', ranOn });
  };
  const end = async (tokens: readonly string[]): Promise<void> => {
    const last = runs.at(-1);
    if (last === undefined) throw new Error('nothing runs');
    const task = new LiveTask(record(last.taskId));
    task.log.appendTokens(tokens);
    last.end.resolve(task);
    await settle();
  };
  const flagged = (): readonly string[] =>
    replicas.filter((each) => findings.isFlagged(each)).map(({ replicaId }) => replicaId);
  return {
    ...{ audit, clock, findings, replicas, view, busy, runs, counted, canceled, log },
    ...{ offer, end, flagged },
  };
}

test('OC-CTRL-2150 a task runs again on another replica, and the same bytes are a match', async () => {
  const { offer, clock, end, runs, counted, flagged } = aPool(['a', 'b']);
  offer();
  await clock.advance(0);
  expect(runs).toMatchObject([{ replicaId: 'b' }]);
  // Bytes decide, not how they are cut.
  await end(['one t', 'wo']);
  expect(counted).toEqual([{ outcome: 'match' }]);
  expect(flagged()).toEqual([]);
});

test('OC-CTRL-2154 of two that differ both are suspected, and a warning names them without their text', async () => {
  const { offer, clock, end, counted, flagged, log } = aPool(['a', 'b']);
  offer();
  await clock.advance(0);
  await end(['one ', 'three']);
  expect(counted).toEqual([{ outcome: 'drift' }]);
  expect(flagged()).toEqual(['a', 'b']);
  expect(log.warn.mock.calls).toEqual(
    ['a', 'b'].map((replica_id) => [
      { job_id: idOf(1), pool_id: 'p', replica_id, first_difference: 1 },
      'a replica may drift',
    ]),
  );
});

test.each([
  ['the first run', ['one ', 'three'], ['one ', 'three'], ['a']],
  ['the second', ['one ', 'three'], SAID, ['b']],
  ['nobody knows which', ['one ', 'three'], ['one ', 'four'], ['a', 'b', 'c']],
])('OC-CTRL-2154 a third decides that it is %s', async (_who, second, third, expected) => {
  const { offer, clock, end, runs, counted, flagged } = aPool(['a', 'b', 'c']);
  offer();
  await clock.advance(0);
  await end(second);
  expect(runs.map(({ replicaId }) => replicaId)).toEqual(['b', 'c']);
  expect(counted).toEqual([]);
  await end(third);
  expect(counted).toEqual([{ outcome: 'drift' }]);
  expect(flagged()).toEqual(expected);
});

test('OC-CTRL-2154 a third that has no time is waited for, and asked again after it gave way', async () => {
  const { offer, clock, end, runs, busy, audit, flagged } = aPool(['a', 'b', 'c']);
  offer();
  await clock.advance(0);
  busy.set('c', 2);
  await end(['other']);
  await clock.advance(3 * LOOK_MS);
  expect(runs).toHaveLength(1);
  busy.set('c', 0);
  await clock.advance(LOOK_MS);
  expect(runs).toHaveLength(2);
  audit.makeWay(record('t', { deadlineAtMs: 9 }));
  await clock.advance(LOOK_MS);
  expect(runs.map(({ replicaId }) => replicaId)).toEqual(['b', 'c', 'c']);
  await end(SAID);
  expect(flagged()).toEqual(['b']);
});

test('OC-CTRL-2154 when no third has time before the limit, the two are suspected', async () => {
  const { offer, clock, end, busy, counted, flagged } = aPool(['a', 'b', 'c']);
  offer();
  await clock.advance(0);
  busy.set('c', 2);
  await end(['other']);
  await clock.advance(LIMIT_MS + LOOK_MS);
  expect(counted).toEqual([{ outcome: 'drift' }]);
  expect(flagged()).toEqual(['a', 'b']);
});

test('OC-CTRL-2151 nothing begins while others wait, or no slot is to spare', async () => {
  const { offer, clock, runs, view, busy, replicas } = aPool(['a', 'b']);
  view.waiting.interactive = 1;
  offer();
  await clock.advance(LOOK_MS);
  view.waiting.interactive = 0;
  view.draining = true;
  await clock.advance(LOOK_MS);
  view.draining = false;
  busy.set('b', 2);
  await clock.advance(LOOK_MS);
  busy.set('b', 1);
  for (const each of replicas) each.state = 'draining';
  await clock.advance(LOOK_MS);
  expect(runs).toEqual([]);
  for (const each of replicas) each.state = 'ready';
  await clock.advance(LOOK_MS);
  expect(runs).toMatchObject([{ replicaId: 'b' }]);
});

test('OC-CTRL-2151 where strict tasks run alone an idle replica is waited for', async () => {
  const { offer, clock, runs, busy } = aPool(['a', 'b'], { strictAlone: true });
  busy.set('b', 1);
  offer();
  await clock.advance(LOOK_MS);
  expect(runs).toEqual([]);
  busy.set('b', 0);
  await clock.advance(LOOK_MS);
  expect(runs).toHaveLength(1);
});

test('OC-CTRL-2151 one at a time, no more often than configured, on the replica that was audited least', async () => {
  const { offer, clock, end, runs } = aPool(['a', 'b', 'c']);
  for (let n = 0; n < 3; n += 1) offer(n);
  await clock.advance(0);
  await clock.advance(2 * PACE_MS);
  expect(runs).toHaveLength(1);
  await end(SAID);
  await clock.advance(0);
  expect(runs).toHaveLength(2);
  await end(SAID);
  await clock.advance(PACE_MS - 1);
  expect(runs).toHaveLength(2);
  await clock.advance(1);
  expect(runs.map(({ replicaId }) => replicaId)).toEqual(['b', 'c', 'b']);
});

test('OC-CTRL-2151 the list is bounded: the oldest makes room, and that is counted', async () => {
  const { offer, clock, view, counted, findings, audit } = aPool(['a', 'b']);
  view.slotsFree = 0;
  for (let n = 0; n < MOST_PENDING + 2; n += 1) offer(n);
  expect(counted).toEqual([
    { outcome: 'skipped', reason: 'list-full' },
    { outcome: 'skipped', reason: 'list-full' },
  ]);
  audit.stop();
  view.slotsFree = 4;
  await clock.advance(LOOK_MS);
  expect(findings.viewOf({ replicaId: 'b', setId: 's' }, true)).toBeUndefined();
  expect(clock.pending).toBe(0);
});

test('OC-CTRL-2150 what has no other replica any more, and what was swept, is skipped', async () => {
  const onFind = () => {
    throw new OrchError('NOT_FOUND', 'no longer kept', { status: 410 });
  };
  const { offer, clock, replicas, counted } = aPool(['a', 'b'], { onFind });
  offer();
  await clock.advance(0);
  expect(counted).toEqual([{ outcome: 'skipped', reason: 'expired' }]);
  const [, b] = replicas;
  if (b !== undefined) b.setId = 'other';
  offer();
  await clock.advance(PACE_MS);
  expect(counted.slice(1)).toEqual([{ outcome: 'skipped', reason: 'no-replica' }]);
});

test.each([
  ['is bound to some replicas', { request: { prompt: 'x', placement: { devices: ['cpu'] } } }, 4],
  ['has a session', { request: { prompt: 'x', session_id: idOf(9) } }, 4],
  ['has a deadline', { deadlineAtMs: 1 }, 4],
  ['finds no free slot', {}, 0],
] as const)(
  'OC-CTRL-2152 an audit gives way before a task is admitted that %s',
  async (_what, fields, slotsFree) => {
    const { offer, audit, clock, view, canceled, counted } = aPool(['a', 'b']);
    offer();
    await clock.advance(0);
    audit.makeWay(record('plain'));
    expect(canceled).toEqual([]);
    view.slotsFree = slotsFree;
    audit.makeWay(record('t', fields));
    expect(canceled).toEqual(['audit-1']);
    await settle();
    expect(counted).toEqual([{ outcome: 'skipped', reason: 'gave-way' }]);
  },
);

test('OC-CTRL-2152 an audit gives way when something waits, the pool drains or its replica leaves', async () => {
  for (const disturb of ['waiting', 'draining', 'replica'] as const) {
    const { offer, audit, clock, view, canceled } = aPool(['a', 'b']);
    offer();
    await clock.advance(0);
    audit.changed();
    await clock.advance(0);
    audit.replicaChanged({ replicaId: 'a', state: 'draining' });
    expect(canceled).toEqual([]);
    if (disturb === 'waiting') view.waiting.batch = 1;
    if (disturb === 'draining') view.draining = true;
    if (disturb === 'replica') audit.replicaChanged({ replicaId: 'b', state: 'draining' });
    else audit.changed();
    await clock.advance(0);
    expect(canceled).toEqual(['audit-1']);
  }
});

test('OC-CTRL-2152 what came meanwhile keeps an audit from being admitted', async () => {
  const onFind = () => void (pool.view.slotsFree = 0);
  const pool = aPool(['a', 'b'], { onFind });
  pool.offer();
  await pool.clock.advance(0);
  expect(pool.runs).toEqual([]);
  expect(pool.counted).toEqual([{ outcome: 'skipped', reason: 'gave-way' }]);
});

test('OC-CTRL-2156 when it is stopped it ends what runs, and counts nothing of it', async () => {
  const { offer, audit, clock, canceled, counted, runs } = aPool(['a', 'b']);
  offer();
  await clock.advance(0);
  audit.stop();
  await settle();
  offer();
  await clock.advance(PACE_MS);
  expect([canceled, counted, runs.length]).toEqual([['audit-1'], [], 1]);
});

test('OC-CTRL-2150 a second run that fails is skipped, and says nothing of its replica', async () => {
  const { offer, clock, runs, counted, flagged } = aPool(['a', 'b']);
  offer();
  await clock.advance(0);
  runs[0]?.end.reject(new OrchError('POOL_UNREADY', 'the second run failed'));
  await settle();
  expect(counted).toEqual([{ outcome: 'skipped', reason: 'failed' }]);
  expect(flagged()).toEqual([]);
});
