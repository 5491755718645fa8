/**
 * What the order of the queue is worth on a real engine: two embedded replicas, and interactive tasks
 * one after the other, alone and beside a flood. Times to the first token are held against those of
 * the same daemon at rest; preempted outputs against the same tasks undisturbed.
 */
import { hash, randomBytes } from 'node:crypto';
import type { Bench, BenchContext, Row } from './bench.ts';
import { Connection, encodeRequest } from './connection.ts';
import { startDaemon, type Daemon } from './daemon.ts';
import { waitUntil } from './polling.ts';
import { percentile, spread } from './statistics.ts';

const TENANTS = ['steady', 'flooding'] as const;
type Tenant = (typeof TENANTS)[number];
type Keys = Readonly<Record<Tenant, string>>;

const TOKEN = 'event: token';
const PROMPT = 'Write a haiku about rain.';
const PROBE_TOKENS = 16;
const FLOOD_TOKENS = 48;
/** Many clients at once, as a batch job has them. */
const FLOOD_CONNECTIONS = 8;

interface TaskView {
  readonly state: string;
  readonly output_sha256?: string;
  readonly usage?: { readonly preemptions?: number };
}

interface Sizes {
  readonly rounds: number;
  readonly probes: number;
  readonly flood: number;
}

interface Round {
  readonly idle: readonly number[];
  readonly besideBatch: readonly number[];
  readonly besideTenant: readonly number[];
  readonly preempted: number;
  /** Of the preempted ones, those whose bytes differ from an undisturbed run. */
  readonly different: number;
}

export const scheduling: Bench = {
  name: 'scheduling',
  about: 'interactive first tokens beside a batch flood and a flooding tenant, against at rest',
  async run(context) {
    const sizes: Sizes = context.quick
      ? { rounds: 1, probes: 5, flood: 30 }
      : { rounds: 5, probes: 100, flood: 500 };
    const rounds: Round[] = [];
    for (let round = 0; round < sizes.rounds; round += 1) {
      rounds.push(await runRound(context, sizes));
    }
    return rowsOf(rounds);
  },
};

async function runRound(context: BenchContext, sizes: Sizes): Promise<Round> {
  const keys: Keys = { steady: makeKey(), flooding: makeKey() };
  await using daemon = await startDaemon(context, [POOL], {
    tenants: TENANTS.map((id) => ({ id })),
    auth: { keys: TENANTS.map((tenant) => keyConfig(tenant, keys[tenant])) },
  });
  const client = await Connection.open(daemon.url);
  try {
    await waitUntil('a first task', async () => {
      const answer = await client.exchange(post({ prompt: PROMPT, max_tokens: 1 }, keys.steady));
      return answer.status === 202;
    });
    await probe(client, keys.steady, sizes.probes);
    const idle = await probe(client, keys.steady, sizes.probes);

    const batch = await flood(daemon, sizes.flood, keys.flooding, 'batch');
    const besideBatch = await probe(client, keys.steady, sizes.probes);
    await drain(client, batch, keys.flooding);
    const preempted = await preemptedOf(client, batch, keys.flooding);
    const different = await countDifferent(client, preempted, keys.flooding);

    const greedy = await flood(daemon, sizes.flood, keys.flooding, 'interactive');
    const besideTenant = await probe(client, keys.steady, sizes.probes);
    await cancelAll(client, greedy, keys.flooding);
    context.say(
      `  p95 to the first token: ${p95(idle).toFixed(0)} ms at rest, ` +
        `${p95(besideBatch).toFixed(0)} beside batch, ${p95(besideTenant).toFixed(0)} beside a tenant; ` +
        `${preempted.length} preempted`,
    );
    return { idle, besideBatch, besideTenant, preempted: preempted.length, different };
  } finally {
    client.close();
  }
}

const POOL = {
  id: 'default',
  model: { id: 'tiny-haiku', path: `${import.meta.dirname}/../../models/tiny-haiku.gguf` },
  replicas: 2,
  slots: 1,
  queue: { capacity: 10_000 },
  scheduling: { preemption: 'hard' },
};

interface Sent {
  readonly id: string;
  readonly seed: number;
}

/** Times to the first token of interactive tasks, one after the other, ms. */
async function probe(client: Connection, key: string, count: number): Promise<number[]> {
  const times: number[] = [];
  for (let index = 0; index < count; index += 1) {
    const task = { prompt: PROMPT, max_tokens: PROBE_TOKENS, seed: index };
    const answer = await client.stream(post(task, key, 'text/event-stream'), TOKEN, true);
    if (answer.status !== 200) throw new Error(`a probe was answered with ${answer.status}`);
    times.push(answer.firstMs);
  }
  return times;
}

async function flood(
  daemon: Daemon,
  count: number,
  key: string,
  priority: 'interactive' | 'batch',
): Promise<readonly Sent[]> {
  const connections = await Promise.all(
    Array.from({ length: FLOOD_CONNECTIONS }, () => Connection.open(daemon.url)),
  );
  const sent: Sent[] = [];
  let next = 0;
  await Promise.all(
    connections.map(async (connection) => {
      while (next < count) {
        const seed = next;
        next += 1;
        const task = { prompt: PROMPT, max_tokens: FLOOD_TOKENS, seed, priority };
        const { status, body } = await connection.exchange(post(task, key));
        if (status !== 202) throw new Error(`a task of the flood was answered with ${status}`);
        sent.push({ id: (JSON.parse(body) as { task_id: string }).task_id, seed });
      }
    }),
  );
  for (const connection of connections) connection.close();
  return sent;
}

async function drain(client: Connection, sent: readonly Sent[], key: string): Promise<void> {
  for (const { id } of sent) {
    await waitUntil(`task ${id} to end`, async () => {
      const { state } = await read(client, id, key);
      return state !== 'queued' && state !== 'running';
    });
  }
}

async function preemptedOf(
  client: Connection,
  sent: readonly Sent[],
  key: string,
): Promise<readonly (Sent & { readonly sha256: string | undefined })[]> {
  const preempted = [];
  for (const task of sent) {
    const { usage, output_sha256: sha256 } = await read(client, task.id, key);
    if ((usage?.preemptions ?? 0) > 0) preempted.push({ ...task, sha256 });
  }
  return preempted;
}

/** Runs each task again by itself. */
async function countDifferent(
  client: Connection,
  preempted: readonly (Sent & { readonly sha256: string | undefined })[],
  key: string,
): Promise<number> {
  let different = 0;
  for (const { seed, sha256 } of preempted) {
    const task = { prompt: PROMPT, max_tokens: FLOOD_TOKENS, seed };
    const { body } = await client.exchange(post(task, key));
    const { task_id: id } = JSON.parse(body) as { task_id: string };
    await drain(client, [{ id, seed }], key);
    if ((await read(client, id, key)).output_sha256 !== sha256) different += 1;
  }
  return different;
}

async function cancelAll(client: Connection, sent: readonly Sent[], key: string): Promise<void> {
  for (const { id } of sent) {
    await client.exchange(
      encodeRequest({ method: 'POST', path: `/v1/tasks/${id}/cancel`, key, body: '{}' }),
    );
  }
}

async function read(client: Connection, id: string, key: string): Promise<TaskView> {
  const { body } = await client.exchange(
    encodeRequest({ method: 'GET', path: `/v1/tasks/${id}`, key }),
  );
  return JSON.parse(body) as TaskView;
}

function post(task: object, key: string, accept = '*/*'): Buffer {
  return encodeRequest({
    method: 'POST',
    path: '/v1/tasks',
    body: JSON.stringify(task),
    accept,
    key,
  });
}

function makeKey(): string {
  return `lo_${randomBytes(32).toString('base64url')}`;
}

function keyConfig(tenant: Tenant, key: string): object {
  const sha256 = hash('sha256', key, 'hex');
  return { id: tenant, tenant, sha256, scopes: ['admin'] };
}

function p95(times: readonly number[]): number {
  return percentile(times, 0.95);
}

function rowsOf(rounds: readonly Round[]): readonly Row[] {
  const idle = { name: 'at rest', value: spread(rounds.map((round) => p95(round.idle))) };
  const times = (measure: string, pick: (round: Round) => readonly number[]): Row => ({
    measure: `first token p95 ${measure}`,
    unit: 'ms',
    value: spread(rounds.map((round) => p95(pick(round)))),
    reference: idle,
  });
  const ratio = (measure: string, pick: (round: Round) => readonly number[]): Row => ({
    measure: `the same ${measure}, times its value at rest`,
    unit: '×',
    value: spread(rounds.map((round) => p95(pick(round)) / p95(round.idle))),
    target: { bound: 'at most', value: 3 },
  });
  return [
    times('beside a batch flood', ({ besideBatch }) => besideBatch),
    ratio('beside a batch flood', ({ besideBatch }) => besideBatch),
    times('beside a flooding tenant', ({ besideTenant }) => besideTenant),
    ratio('beside a flooding tenant', ({ besideTenant }) => besideTenant),
    {
      measure: 'tasks preempted',
      unit: 'tasks',
      value: spread(rounds.map(({ preempted }) => preempted)),
    },
    {
      measure: 'of them with other bytes than undisturbed',
      unit: 'tasks',
      value: spread(rounds.map(({ different }) => different)),
      target: { bound: 'at most', value: 0 },
    },
  ];
}
