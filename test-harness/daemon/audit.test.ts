/** The background audit: finished strict tasks run again in idle moments, and replicas that drift are flagged. */
import type { EventPage, ReplicaDeterminism } from '@llama-orch/contracts';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { startLlamaCppSim, type LlamaCppSim } from '../engines/llamacpp/sim.ts';
import { DaemonClient } from '../src/daemon-client.ts';
import { startDaemon, type DaemonProcess } from '../src/daemon-process.ts';
import { taskIdOf } from '../src/event-stream.ts';
import { parseMetrics, sumOf } from '../src/metrics-text.ts';
import { externalPool, type PoolInput } from '../src/temp-config.ts';
import { waitFor } from '../src/wait-for.ts';
import { sha256 } from '../src/stream-check.ts';
import { newKey } from '../src/new-key.ts';

vi.setConfig({ testTimeout: 60_000 });

const TOKENS = 12;
/** For this seed the drifting replica says another token, at this place. */
const DRIFT = { seed: 13, token: 5 } as const;
const AUDIT = { share: 1, max_per_minute: 600 } as const;
const OPERATOR = newKey();
const WATCHER = newKey();

let sims: LlamaCppSim[];
let daemon: DaemonProcess;
let watcher: DaemonClient;

beforeAll(async () => {
  const quick = { slots: 2, tokens: TOKENS };
  const slow = { slots: 1, tokens: 200, tokenDelayMs: 20 };
  sims = await Promise.all([
    ...[quick, quick, { ...quick, drift: DRIFT }].map((options) => startLlamaCppSim(options)),
    ...[quick, { ...quick, drift: DRIFT }].map((options) => startLlamaCppSim(options)),
    ...[quick, { ...quick, drift: DRIFT }].map((options) => startLlamaCppSim(options)),
    ...[slow, slow].map((options) => startLlamaCppSim(options)),
    ...[slow, slow].map((options) => startLlamaCppSim({ ...options, slots: 2, tokens: 3_000 })),
  ]);
  const pool = (id: string, from: number, to: number, input: PoolInput = {}) =>
    externalPool(
      sims.slice(from, to).map(({ url }) => url),
      {
        id,
        model: { id },
        determinism: 'exact',
        slots: 2,
        replica_labels: Array.from({ length: to - from }, (_, at) => ({ ordinal: String(at) })),
        ...input,
      },
    );
  const key = (id: string, text: string, scopes: readonly ('admin' | 'control:read')[]) => ({
    id,
    tenant: 'default',
    sha256: sha256(text),
    scopes,
  });
  daemon = await startDaemon({
    headers: { authorization: `Bearer ${OPERATOR}` },
    config: {
      auth: {
        keys: [key('operator', OPERATOR, ['admin']), key('watcher', WATCHER, ['control:read'])],
      },
      pools: [
        pool('three', 0, 3, { audit: AUDIT }),
        pool('two', 3, 5, { audit: AUDIT }),
        pool('off', 5, 7),
        pool('slow', 7, 9, { audit: AUDIT, slots: 1 }),
        pool('beside', 9, 11, { audit: AUDIT }),
      ],
    },
  });
  watcher = new DaemonClient(() => daemon.url, { authorization: `Bearer ${WATCHER}` });
  await daemon.client.untilReady(3, 'three');
  for (const id of ['two', 'off', 'slow', 'beside']) await daemon.client.untilReady(2, id);
});
afterAll(async () => {
  await watcher[Symbol.asyncDispose]();
  await daemon[Symbol.asyncDispose]();
  await Promise.all(sims.map((sim) => sim[Symbol.asyncDispose]()));
});

/** @param ordinal of the replica that it runs on */
async function finished(pool: string, seed: number, ordinal?: string): Promise<string> {
  const placement = ordinal === undefined ? {} : { placement: { labels: { ordinal } } };
  const request = { prompt: 'compare', prompt_format: 'raw', seed, model_ref: pool } as const;
  return taskIdOf(await daemon.client.run({ ...request, ...placement }));
}

const scrape = async () => parseMetrics((await daemon.client.call('getMetrics')).text);

async function audits(
  pool: string,
  labels: Readonly<Record<string, string>> = {},
): Promise<number> {
  return sumOf(await scrape(), 'determinism_audits_total', { pool_id: pool, ...labels });
}

/** Runs tasks, each when the one before was audited, until as many audits have come to that outcome. */
async function untilAudited(
  pool: string,
  outcome: 'match' | 'drift',
  count: number,
  run: () => Promise<string>,
): Promise<string[]> {
  const ran: string[] = [];
  const before = await audits(pool);
  while ((await audits(pool, { outcome })) < count) {
    ran.push(await run());
    await waitFor('its audit', async () => (await audits(pool)) === before + ran.length);
  }
  return ran;
}

async function found(
  pool: string,
  client = daemon.client,
): Promise<(ReplicaDeterminism | undefined)[]> {
  return (await client.poolHealth(pool)).replicas.map(({ determinism }) => determinism);
}

async function drifting(pool: string): Promise<readonly string[]> {
  const { samples } = await scrape();
  return samples.flatMap(({ name, labels, value }) =>
    name === 'replica_drifting' && labels['pool_id'] === pool && value === 1
      ? [labels['replica_id'] ?? '']
      : [],
  );
}

test('ORCH-3045 OC-CTRL-2150 OC-CTRL-2154 of three replicas exactly the one that drifts is flagged, wherever the task ran first', async () => {
  await untilAudited('three', 'match', 2, () => finished('three', 7));
  expect(await drifting('three')).toEqual([]);
  const onSound = await untilAudited('three', 'drift', 1, () => finished('three', DRIFT.seed, '0'));
  expect(await drifting('three')).toEqual(['three-2']);
  const onDrifting = await untilAudited('three', 'drift', 2, () =>
    finished('three', DRIFT.seed, '2'),
  );
  expect(await drifting('three')).toEqual(['three-2']);
  const [first, second, third] = await found('three');
  expect([first, second]).toMatchObject([
    { drifted: 0, suspected: false },
    { drifted: 0, suspected: false },
  ]);
  expect(third).toMatchObject({ drifted: 2, suspected: false });
  expect([...onSound, ...onDrifting]).toContain(third?.last_drift_task_id);
  const warning = await waitFor('the warning', () =>
    daemon.logs().find(({ msg }) => msg === 'a replica drifts'),
  );
  expect(warning).toMatchObject({
    level: 'warn',
    pool_id: 'three',
    replica_id: 'three-2',
    first_difference: DRIFT.token,
  });
  expect(onSound).toContain(warning['job_id']);
});

test('OC-CTRL-2155 whose task it was is told to those only who see every tenant', async () => {
  const [, , third] = await found('three', watcher);
  expect(third).toMatchObject({ drifted: 2 });
  expect(third).not.toHaveProperty('last_drift_task_id');
});

test('OC-CTRL-2154 of two both are suspected', async () => {
  await untilAudited('two', 'drift', 1, () => finished('two', DRIFT.seed));
  expect(await drifting('two')).toEqual(['two-0', 'two-1']);
  expect(await found('two')).toMatchObject([
    { drifted: 0, suspected: true },
    { drifted: 0, suspected: true },
  ]);
});

test('OC-CTRL-2150 without a share nothing is run for it', async () => {
  for (let n = 0; n < 4; n += 1) await finished('off', DRIFT.seed);
  expect(await found('off')).toEqual([undefined, undefined]);
  expect(await audits('off')).toBe(0);
  expect(
    (await scrape()).samples.filter(
      ({ name, labels }) => name === 'replica_drifting' && labels['pool_id'] === 'off',
    ),
  ).toEqual([]);
});

test('OC-CTRL-2153 OC-METRICS-7128 no tenant is charged for it, or shown it', async () => {
  const { items } = await daemon.client.tasks({ limit: 100 });
  const now = await scrape();
  for (const pool of ['three', 'two', 'off']) {
    const own = items.filter(({ pool_id: id }) => id === pool);
    expect(own.every(({ metadata }) => metadata === undefined)).toBe(true);
    for (const name of ['enqueued', 'started', 'completed']) {
      expect(sumOf(now, `tasks_${name}_total`, { pool_id: pool })).toBe(own.length);
    }
    const tokens = own.reduce((sum, { usage }) => sum + (usage?.tokens_out ?? 0), 0);
    expect(sumOf(now, 'tokens_out_total', { pool_id: pool })).toBe(tokens);
    expect(sumOf(now, 'queue_time_ms_count', { pool_id: pool })).toBe(own.length);
    expect(sumOf(now, 'latency_first_token_ms_count', { pool_id: pool })).toBe(own.length);
  }
  expect(sumOf(now, 'tasks_canceled_total')).toBe(0);
  expect(sumOf(now, 'admission_share', { tenant: 'default' })).toBeCloseTo(1, 9);
});

async function untilAuditRuns(): Promise<void> {
  await waitFor('an audit that runs', async () => {
    const { metrics, replicas } = await daemon.client.poolHealth('slow');
    return metrics.running === 1 && replicas.length === 2;
  });
}

test('OC-CTRL-2152 an audit gives its slot to the first task that would wait for one', async () => {
  const request = { prompt: 'slow', model_ref: 'slow' };
  await daemon.client.run({ ...request, max_tokens: 40 });
  await untilAuditRuns();
  const one = await daemon.client.postStream(request);
  const two = await daemon.client.postStream(request);
  await Promise.all([one, two].map((each) => each.until('a token', () => each.tokens.length > 0)));
  for (const { events } of [one, two]) {
    expect(events[0]?.data).toMatchObject({ queue_position: 0, predicted_start_ms: 0 });
  }
  expect(await audits('slow', { outcome: 'skipped', reason: 'gave-way' })).toBe(1);
  await Promise.all([one, two].map((each) => daemon.client.cancel(taskIdOf(each))));
  await Promise.all([one, two].map((each) => each.toEnd()));
});

test('OC-CTRL-2151 a slot to spare beside what others run is enough', async () => {
  const streams = await Promise.all(
    ['0', '1'].map((ordinal) =>
      daemon.client.postStream({
        prompt: 'neighbour',
        model_ref: 'beside',
        placement: { labels: { ordinal } },
      }),
    ),
  );
  for (const each of streams) await each.until('a token', () => each.tokens.length > 0);
  await daemon.client.run({ prompt: 'between', model_ref: 'beside', max_tokens: 3 });
  await waitFor('its audit', async () => (await audits('beside')) === 1);
  expect(streams.every(({ terminal }) => terminal === undefined)).toBe(true);
  expect(await audits('beside', { outcome: 'match' })).toBe(1);
  await Promise.all(streams.map((each) => daemon.client.cancel(taskIdOf(each))));
  await Promise.all(streams.map((each) => each.toEnd()));
});

test('OC-CTRL-2156 a daemon that is killed in the middle of an audit leaves nothing of it behind', async () => {
  const done = await daemon.client.run({ prompt: 'slow', model_ref: 'slow', max_tokens: 40 });
  await untilAuditRuns();
  await daemon.kill9();
  await daemon.restart();
  await daemon.client.untilReady(2, 'slow');
  expect((await daemon.client.task(taskIdOf(done))).state).toBe('completed');
  const { metrics } = await daemon.client.poolHealth('slow');
  expect(metrics).toMatchObject({ queue_depth: 0, running: 0, slots_free: 2 });
  const accepted = new Set<unknown>();
  for (let after = 0; ;) {
    const { body } = await daemon.client.call('listEvents', { query: { after, limit: 1_000 } });
    const { items, next_after: next } = body as EventPage;
    for (const { type, task_id: taskId } of items) {
      if (type === 'task.accepted') accepted.add(taskId);
      if (type === 'task.ended') accepted.delete(taskId);
    }
    if (items.length === 0) break;
    after = next;
  }
  expect([...accepted]).toEqual([]);
  expect((await daemon.client.tasks({ limit: 100 })).items.map(({ state }) => state)).not.toContain(
    'failed',
  );
});

test('OC-CTRL-2156 a daemon that is stopped does not wait for an audit', async () => {
  await daemon.client.run({ prompt: 'slow', model_ref: 'slow', max_tokens: 100 });
  await untilAuditRuns();
  await daemon.terminate();
  const last = daemon.logs().findLast(({ tenant_id: tenant }) => tenant === ':audit');
  expect(last).toMatchObject({ msg: 'task canceled', reason: 'disconnect' });
});
