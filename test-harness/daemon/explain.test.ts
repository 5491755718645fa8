/** Why a task waited and ran as it did (OC-CTRL-2080 to 2083), and what preemption leaves of a stream. */
import { randomUUID } from 'node:crypto';
import type {
  ExplanationEntry,
  KeyConfig,
  TaskExplanation,
  TaskRequest,
} from '@llama-orch/contracts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startLlamaCppSim, type LlamaCppSim } from '../engines/llamacpp/sim.ts';
import { DaemonClient } from '../src/daemon-client.ts';
import { startDaemonOverSim, type DaemonOverSim } from '../src/daemon-over-sim.ts';
import { startDaemon, type DaemonProcess } from '../src/daemon-process.ts';
import { taskIdOf } from '../src/event-stream.ts';
import { parseMetrics, sumOf } from '../src/metrics-text.ts';
import { checkWholeStream, sha256 } from '../src/stream-check.ts';
import { externalPool } from '../src/temp-config.ts';
import { waitFor } from '../src/wait-for.ts';
import { newKey } from '../src/new-key.ts';

async function explained(client: DaemonClient, taskId: string): Promise<TaskExplanation> {
  const answer = await client.call('explainTask', { path: [taskId] });
  expect(answer.status, answer.text).toBe(200);
  return answer.body as TaskExplanation;
}

const kindsOf = ({ entries }: TaskExplanation) => entries.map(({ kind }) => kind);

function entryOf<Kind extends ExplanationEntry['kind']>(
  explanation: TaskExplanation,
  kind: Kind,
): Extract<ExplanationEntry, { kind: Kind }> {
  const entry = explanation.entries.find((each) => each.kind === kind);
  if (entry === undefined) throw new Error(`no ${kind} in ${JSON.stringify(explanation)}`);
  return entry as Extract<ExplanationEntry, { kind: Kind }>;
}

describe('one tenant', () => {
  let setUp: DaemonOverSim;
  let daemon: DaemonProcess;
  let sim: LlamaCppSim;

  beforeAll(async () => {
    setUp = await startDaemonOverSim({
      sim: { slots: 1, tokens: 12, tokenDelayMs: 1 },
      pool: { slots: 1 },
    });
    ({ daemon, sim } = setUp);
  });
  afterAll(() => setUp[Symbol.asyncDispose]());

  /** A task that holds the only slot until it is canceled. */
  async function occupySlot(): Promise<string> {
    sim.addFault({ kind: 'stall', after_tokens: 1 });
    const stream = await daemon.client.postStream({ prompt: 'holds the slot' });
    await stream.until('a token', () => stream.tokens.length > 0);
    await stream.cut();
    return taskIdOf(stream);
  }

  test('OC-CTRL-2080 a task that ran at once: promised, dispatched, first token, ended', async () => {
    const stream = await daemon.client.run({ prompt: 'plain', deadline_ms: 60_000 });
    const explanation = await explained(daemon.client, taskIdOf(stream));
    expect(explanation.state).toBe('completed');
    expect(kindsOf(explanation)).toEqual(['accepted', 'dispatched', 'first-token', 'ended']);
    const times = explanation.entries.map((entry) => entry.at_ms);
    expect(times).toEqual(times.toSorted((a, b) => a - b));

    const task = await daemon.client.task(taskIdOf(stream));
    const accepted = entryOf(explanation, 'accepted');
    expect(accepted).toMatchObject({ queue_position: 0, predicted_start_ms: 0 });
    expect(accepted.predicted_first_token_ms).toBe(task.predicted_first_token_ms);
    expect(accepted.predicted_interval_ms).toEqual(task.predicted_interval_ms);
    expect(accepted.deadline_at_ms).toBe(task.deadline_at_ms);
    expect(entryOf(explanation, 'dispatched')).toMatchObject({
      attempt: 1,
      replica_id: 'default-0',
      stopped_another: false,
      replicas: [{ replica_id: 'default-0', verdict: 'chosen' }],
    });
    expect(entryOf(explanation, 'first-token').ttft_ms).toBe(task.usage?.ttft_ms);
    expect(entryOf(explanation, 'ended')).toMatchObject({
      state: 'completed',
      finish_reason: 'stop',
      deadline_kept: true,
    });
  });

  test('ORCH-3029 a retried POST and the task itself repeat what was predicted', async () => {
    const blocker = await occupySlot();
    const body: TaskRequest = { task_id: randomUUID(), prompt: 'twice', deadline_ms: 600_000 };
    const first = await daemon.client.admit(body);
    const [low = 0, high = 0] = first.predicted_interval_ms ?? [];
    expect(first.predicted_first_token_ms).toBeGreaterThanOrEqual(first.predicted_start_ms);
    expect(low).toBeLessThanOrEqual(first.predicted_first_token_ms ?? 0);
    expect(high).toBeGreaterThanOrEqual(first.predicted_first_token_ms ?? 0);
    expect(first.on_time_probability).toBeGreaterThan(0.5);
    const promise = {
      predicted_first_token_ms: first.predicted_first_token_ms,
      predicted_interval_ms: first.predicted_interval_ms,
    };
    expect(await daemon.client.admit(body)).toMatchObject({ ...first, backoff_ms: 0 });
    expect(await daemon.client.task(first.task_id)).toMatchObject(promise);
    expect(await daemon.client.task(first.task_id)).toHaveProperty('on_time_probability');
    await daemon.client.cancel(blocker);
    expect(await daemon.client.untilEnded(first.task_id)).toMatchObject({
      ...promise,
      on_time_probability: first.on_time_probability,
    });
    expect(await daemon.client.admit(body)).toMatchObject({ ...first, backoff_ms: 0 });
    const without = await daemon.client.run({ prompt: 'no deadline' });
    expect(await daemon.client.task(taskIdOf(without))).not.toHaveProperty('on_time_probability');
  });

  test('OC-CTRL-2080 a waiting task says for what, and who is before it', async () => {
    const blocker = await occupySlot();
    const ahead = await daemon.client.admit({ prompt: 'ahead' });
    const waiting = await daemon.client.admit({ prompt: 'waits' });
    const explanation = await waitFor('some wait', async () => {
      const now = await explained(daemon.client, waiting.task_id);
      return entryOf(now, 'waiting').waited_ms > 0 && now;
    });
    expect(explanation.state).toBe('queued');
    expect(kindsOf(explanation)).toEqual(['accepted', 'waiting']);
    const entry = entryOf(explanation, 'waiting');
    expect(entry).toMatchObject({
      cause: 'no-free-slot',
      queue_position: 2,
      ahead: 1,
      went_first: [],
      replicas: [{ replica_id: 'default-0', verdict: 'no-slot' }],
    });
    expect(entry.causes.map(({ cause }) => cause)).toEqual(['no-free-slot']);
    expect(entry.summary).toMatch(/1 waiting task ahead: all slots are busy; start predicted in/);
    await daemon.client.cancel(blocker);

    await daemon.client.untilEnded(waiting.task_id);
    await daemon.client.untilEnded(ahead.task_id);
    const later = await explained(daemon.client, waiting.task_id);
    expect(kindsOf(later)).toEqual(['accepted', 'waited', 'dispatched', 'first-token', 'ended']);
    const waited = entryOf(later, 'waited');
    expect(waited.went_first).toEqual([
      { tenant: 'default', priority: 'interactive', reason: 'arrived-earlier', tasks: 1 },
    ]);
    expect(waited.causes?.[0]?.cause).toBe('no-free-slot');
    const total = (waited.causes ?? []).reduce((sum, { ms }) => sum + ms, 0);
    expect(Math.abs(total - waited.waited_ms)).toBeLessThanOrEqual(3);
    expect(waited.summary).toMatch(
      /^waited .*: all slots were busy for .*; 1 earlier task ran first$/,
    );
  });

  test('OC-CTRL-2080 a task that ended while it waited has a wait without a dispatch', async () => {
    const blocker = await occupySlot();
    const { task_id: id } = await daemon.client.admit({ prompt: 'changes its mind' });
    await waitFor('some wait', async () => {
      return entryOf(await explained(daemon.client, id), 'waiting').waited_ms > 1;
    });
    await daemon.client.cancel(id);
    await daemon.client.cancel(blocker);
    const explanation = await explained(daemon.client, id);
    expect(kindsOf(explanation)).toEqual(['accepted', 'waited', 'ended']);
    const waited = entryOf(explanation, 'waited');
    expect(waited.causes?.map(({ cause }) => cause)).toEqual(['no-free-slot']);
    expect(waited.summary).toMatch(/^waited .*: all slots were busy for/);
    expect(entryOf(explanation, 'ended')).toMatchObject({ state: 'canceled' });
    expect(entryOf(explanation, 'ended')).not.toHaveProperty('deadline_kept');
  });

  test('OC-CTRL-2080 a retry says what went wrong before it', async () => {
    sim.addFault({ kind: 'http', status: 503 });
    const stream = await daemon.client.run({ prompt: 'second try' });
    const explanation = await explained(daemon.client, taskIdOf(stream));
    const kinds = kindsOf(explanation).filter((kind) => kind !== 'waited');
    expect(kinds).toEqual([
      ...['accepted', 'dispatched', 'requeued', 'dispatched', 'first-token', 'ended'],
    ]);
    expect(entryOf(explanation, 'requeued')).toMatchObject({ reason: 'fault' });
  });

  test('ORCH-3079 OC-CTRL-2017 a deadline that cannot be kept is refused with the earliest that can', async () => {
    // So slow that no pause of this machine makes a millisecond look possible.
    sim.addFault({ kind: 'slow-first', ms: 40 }, 15);
    for (let n = 0; n < 15; n += 1) await daemon.client.run({ prompt: `teaches ${n}` });
    const blocker = await occupySlot();
    const refused = await daemon.client.refused('POST', '/v1/tasks', 400, {
      body: { prompt: 'in a hurry', deadline_ms: 1 },
    });
    expect(refused).toMatchObject({ code: 'DEADLINE_UNMET', details: [{ path: '/deadline_ms' }] });
    expect(refused.earliest_feasible_ms).toBeGreaterThan(1);
    expect(refused.message).toContain(`${refused.earliest_feasible_ms} ms`);
    const feasible = await daemon.client.call('createTask', {
      body: { prompt: 'in a hurry', deadline_ms: 10 * (refused.earliest_feasible_ms ?? 0) },
    });
    expect(feasible.status).toBe(202);
    await daemon.client.cancel(blocker);
  });

  test('ORCH-3076 ORCH-3081 deadlines_met_ratio and admission_share tell what was', async () => {
    await daemon.client.run({ prompt: 'in time', deadline_ms: 60_000 });
    const scrape = parseMetrics((await daemon.client.call('getMetrics')).text);
    const ratio = sumOf(scrape, 'deadlines_met_ratio', { priority: 'interactive' });
    expect(ratio).toBeGreaterThan(0);
    expect(ratio).toBeLessThanOrEqual(1);
    expect(scrape.samples.filter(({ name }) => name === 'deadlines_met_ratio')).toHaveLength(1);
    expect(
      sumOf(scrape, 'admission_share', { tenant: 'default', priority: 'interactive' }),
    ).toBeCloseTo(1);
    expect(sumOf(scrape, 'admission_share')).toBeCloseTo(1);
  });

  test('operators see what the predictions rest on', async () => {
    const { learned } = await daemon.client.poolHealth();
    expect(learned?.samples).toBeGreaterThan(10);
    expect(learned?.mean_hold_ms).toBeGreaterThan(0);
  });

  test.each([
    ['not-a-uuid', 400],
    [randomUUID(), 404],
  ])('%s is %i', async (id, status) => {
    await daemon.client.refused('GET', `/v1/tasks/${id}/explain`, status);
  });

  test('OC-CTRL-2082 after kill -9 the facts are there, and it says what is lost', async () => {
    const before = await explained(
      daemon.client,
      taskIdOf(await daemon.client.run({ prompt: 'p' })),
    );
    const running = await occupySlot();
    const waiting = await daemon.client.admit({ prompt: 'survives', deadline_ms: 600_000 });
    await daemon.kill9();
    await daemon.restart();
    await daemon.client.untilReady(1);
    expect(await explained(daemon.client, before.task_id)).toEqual(before);

    const [first, second] = await Promise.all(
      [running, waiting.task_id].map(async (id) => {
        await daemon.client.untilEnded(id);
        return explained(daemon.client, id);
      }),
    );
    // Its first token may have been lost, and come again.
    const isSure = (kind: string) => kind !== 'waited' && kind !== 'first-token';
    expect(kindsOf(first!).filter(isSure)).toEqual([
      ...['accepted', 'dispatched', 'restarted', 'requeued', 'dispatched', 'ended'],
    ]);
    const [lost, again] = first!.entries.filter(({ kind }) => kind === 'dispatched');
    expect(lost).not.toHaveProperty('replicas');
    expect(again).toHaveProperty('replicas');
    expect(entryOf(first!, 'requeued')).toMatchObject({ reason: 'recovery' });
    expect(kindsOf(second!)).toEqual([
      ...['accepted', 'restarted', 'waited', 'dispatched', 'first-token', 'ended'],
    ]);
    const waited = entryOf(second!, 'waited');
    expect(waited.causes?.map(({ cause }) => cause)).toContain('before-restart');
    expect(waited.summary).toContain('before the daemon was last started for');
    expect(entryOf(second!, 'accepted')).toMatchObject({
      predicted_first_token_ms: waiting.predicted_first_token_ms,
      predicted_interval_ms: waiting.predicted_interval_ms,
      on_time_probability: waiting.on_time_probability,
    });
  });

  test('OC-CTRL-2084 a restart keeps what was learned', async () => {
    const { learned: before } = await daemon.client.poolHealth();
    expect((await daemon.terminate()).code).toBe(0);
    await daemon.restart();
    await daemon.client.untilReady(1);
    expect((await daemon.client.poolHealth()).learned).toEqual(before);
  });
});

describe('tenants', () => {
  const keys = { acme: newKey(), globex: newKey(), admin: newKey() };
  let sim: LlamaCppSim;
  let daemon: DaemonProcess;
  let as: Record<keyof typeof keys, DaemonClient>;

  beforeAll(async () => {
    const entry = (id: keyof typeof keys, tenant: string, ...scopes: KeyConfig['scopes']) => ({
      id,
      tenant,
      sha256: sha256(keys[id]),
      scopes,
    });
    sim = await startLlamaCppSim({ slots: 1, tokens: 3, tokenDelayMs: 1 });
    daemon = await startDaemon({
      config: {
        tenants: [{ id: 'acme' }, { id: 'globex' }],
        auth: {
          keys: [
            entry('acme', 'acme', 'tasks:write', 'tasks:read'),
            entry('globex', 'globex', 'tasks:write', 'tasks:read'),
            entry('admin', 'acme', 'admin'),
          ],
        },
        pools: [externalPool([sim.url], { slots: 1 })],
      },
    });
    as = Object.fromEntries(
      Object.entries(keys).map(([name, key]) => [
        name,
        new DaemonClient(() => daemon.url, { authorization: `Bearer ${key}` }),
      ]),
    ) as typeof as;
    await as.admin.untilReady(1);
  });
  afterAll(async () => {
    for (const client of Object.values(as)) await client[Symbol.asyncDispose]();
    await daemon[Symbol.asyncDispose]();
    await sim[Symbol.asyncDispose]();
  });

  test('OC-CTRL-2083 names of other tenants are for administrators', async () => {
    // Enough work that its tenant is ahead of its share by more than urgency may bend.
    const long = 'a prompt of many words '.repeat(60);
    for (let n = 0; n < 10; n += 1) await as.acme.run({ prompt: `${n} ${long}` });
    sim.addFault({ kind: 'slow-first', ms: 300 });
    const blocker = await as.acme.admit({ prompt: 'first' });
    const mine = await Promise.all(
      Array.from({ length: 6 }, (_, n) => as.acme.admit({ prompt: `mine ${n} ${long}` })),
    );
    const theirs = await Promise.all(
      Array.from({ length: 6 }, (_, n) => as.globex.admit({ prompt: `theirs ${n}` })),
    );
    const last = mine.at(-1)?.task_id ?? '';
    await as.acme.untilEnded(last);
    for (const { task_id: id } of theirs) await as.globex.untilEnded(id);

    const plain = entryOf(await explained(as.acme, last), 'waited');
    expect(plain.went_first).toContainEqual(
      expect.objectContaining({ tenant: 'another tenant', reason: 'tenant-share' }),
    );
    expect(plain.summary).toMatch(/tasks? of (other tenants|another tenant) ran first because/);
    const full = await as.acme.call('explainTask', { path: [last] });
    expect(full.text).not.toContain('globex');

    const named = entryOf(await explained(as.admin, last), 'waited');
    expect(named.went_first).toContainEqual(
      expect.objectContaining({ tenant: 'globex', reason: 'tenant-share' }),
    );
    expect(named.summary).toContain(
      'of tenant globex ran first because it had less than its share',
    );
    await as.acme.untilEnded(blocker.task_id);
  });

  test('OC-CTRL-2044 a task of another tenant is not there', async () => {
    const { task_id: id } = await as.acme.admit({ prompt: 'private' });
    await as.acme.untilEnded(id);
    const foreign = await as.globex.call('explainTask', { path: [id] });
    const unknown = await as.globex.call('explainTask', { path: [randomUUID()] });
    expect(foreign.status).toBe(404);
    expect(foreign.body).toEqual(unknown.body);
  });
});

test('ORCH-3086 ORCH-3094 OC-CTRL-2018 a preempted batch task goes on later, on the same stream, byte for byte', async () => {
  await using setUp = await startDaemonOverSim({
    sim: { slots: 1, tokens: 300, tokenDelayMs: 4 },
    pool: { slots: 1, scheduling: { preemption: 'hard' } },
  });
  const { client } = setUp.daemon;
  const batch: TaskRequest = { prompt: 'a long story', priority: 'batch', seed: 11 };
  const undisturbed = await client.run(batch);

  const before = parseMetrics((await client.call('getMetrics')).text);
  const stream = await client.postStream(batch);
  await stream.until('some output', () => stream.tokens.length >= 40);
  const interactive = await client.run({ prompt: 'quick', max_tokens: 5 });
  expect(stream.terminal).toBeUndefined();
  const end = await stream.toEnd();

  checkWholeStream(interactive.events);
  expect(checkWholeStream(stream.events)).toBe(undisturbed.text);
  expect(end).toMatchObject({ event: 'end', data: { preemptions: 1 } });
  const told = stream.events.filter(({ event }) => event === 'metrics');
  expect(told.map(({ data }) => data)).toContainEqual(expect.objectContaining({ preempted: 1 }));
  const task = await client.task(taskIdOf(stream));
  expect(task).toMatchObject({ attempts: 2, usage: { preemptions: 1 } });

  const after = parseMetrics((await client.call('getMetrics')).text);
  const grown = (name: string, labels = {}) =>
    sumOf(after, name, labels) - sumOf(before, name, labels);
  expect(grown('preemptions_total', { mode: 'hard' })).toBe(1);
  expect(grown('resumptions_total')).toBe(1);

  const explanation = await explained(client, task.task_id);
  expect(kindsOf(explanation)).toEqual([
    ...['accepted', 'dispatched', 'first-token', 'requeued', 'waited', 'dispatched', 'ended'],
  ]);
  expect(entryOf(explanation, 'requeued')).toMatchObject({ reason: 'preempted' });
  expect(entryOf(explanation, 'waited').went_first).toEqual([
    { tenant: 'default', priority: 'interactive', reason: 'preempted', tasks: 1 },
  ]);
  const other = await explained(client, taskIdOf(interactive));
  expect(entryOf(other, 'dispatched')).toMatchObject({ stopped_another: true });
  const line = await waitFor(
    'the last line about it',
    () =>
      setUp.daemon.stderr.endsWith('\n') &&
      setUp.daemon
        .logs()
        .find((each) => each['job_id'] === task.task_id && each['msg'] === 'task completed'),
  );
  expect(line).toMatchObject({ preempted: 1, weight: 1 });
});

test('ORCH-3087 OC-METRICS-7120 an interactive task that passes older batch work is counted as soft', async () => {
  await using setUp = await startDaemonOverSim({
    sim: { slots: 1, tokens: 3, tokenDelayMs: 1 },
    pool: { slots: 1 },
  });
  const { client } = setUp.daemon;
  // What a task costs must be known, or too much is charged for the first and given back.
  for (let n = 0; n < 10; n += 1) await client.run({ prompt: `${n}`, priority: 'batch' });
  setUp.sim.addFault({ kind: 'slow-first', ms: 300 });
  await client.admit({ prompt: 'first', priority: 'batch' });
  const batch = await client.admit({ prompt: 'older', priority: 'batch' });
  const quick = await client.admit({ prompt: 'newer' });
  await client.untilEnded(batch.task_id);
  await client.untilEnded(quick.task_id);
  const scrape = parseMetrics((await client.call('getMetrics')).text);
  expect(sumOf(scrape, 'preemptions_total', { mode: 'soft' })).toBe(1);
  expect(sumOf(scrape, 'preemptions_total', { mode: 'hard' })).toBe(0);
});
