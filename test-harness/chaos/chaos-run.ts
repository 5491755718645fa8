/**
 * The chaos itself. Two pools, one of the real embedded engine and one of simulators with slow, long
 * streams, so that most kills fall into the middle of output. First every (prompt, seed) of the load runs
 * undisturbed: those bytes are what every later stream is compared with.
 */
import type { EventPage, TaskRequest } from '@llama-orch/contracts';
import { startDaemon, type DaemonProcess } from '../src/daemon-process.ts';
import { embeddedPool, simulatorPool } from '../src/temp-config.ts';
import { within } from '../src/wait-for.ts';
import { ChaosClient } from './chaos-client.ts';
import type { ChaosReport } from './chaos-report.ts';

export interface ChaosOptions {
  readonly rounds: number;
  /** Seed of the kill moments. */
  readonly seed: number;
  readonly onRound?: (round: RoundFacts) => void;
}

export interface RoundFacts {
  readonly round: number;
  readonly killAfterMs: number;
  readonly open: number;
  readonly midStream: number;
}

const KINDS = 12;
const TASKS_A_ROUND = 30;
/** Tasks open at once; the rest of the load waits for its turn. */
const MAX_OPEN = 90;
/** From the ready line to the kill. */
const LONGEST_LIFE_MS = 1_200;
/** One stop in so many is a SIGTERM, which leaves a snapshot: the next recovery starts from that. */
const CLEAN_STOP_EVERY = 5;
/** Everything accepted ends within this time once nobody disturbs. */
const SETTLE_MS = 120_000;
const RETRY_MS = 20;

const CONFIG = {
  server: { shutdown_grace_ms: 0 },
  pools: [
    embeddedPool({ id: 'haiku', replicas: 1, queue: { capacity: 1_000 } }),
    simulatorPool(['--tokens', '120', '--token-delay-ms', '2'], {
      id: 'sim',
      slots: 4,
      queue: { capacity: 1_000 },
    }),
  ],
};

/** @throws Error when the daemon cannot be started or undisturbed tasks fail */
export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  await using daemon = await startDaemon({ config: CONFIG, args: ['--log-level', 'warn'] });
  const expected = await undisturbed(daemon);
  const random = mulberry32(options.seed);
  const clients: ChaosClient[] = [];
  const violations: string[] = [];
  let slowestStartMs = 0;

  for (let round = 1; round <= options.rounds; round += 1) {
    const open = clients.filter((client) => !client.isOver && client.admission === 'accepted');
    const fresh = Array.from(
      { length: Math.min(TASKS_A_ROUND, MAX_OPEN - open.length) },
      (_, n) => {
        return new ChaosClient(daemon.client, taskOf(round * TASKS_A_ROUND + n));
      },
    );
    clients.push(...fresh);
    const killAfterMs = Math.floor(random() * LONGEST_LIFE_MS);
    const work = [
      ...open.map((client) => client.follow()),
      ...fresh.map(async (client, n) => {
        // Half come in the last instants, so that kills also fall between POST and 202.
        await pause(
          n % 2 === 0 ? (n * killAfterMs) / fresh.length : Math.max(0, killAfterMs - random() * 15),
        );
        await client.post();
        if (client.admission === 'accepted') await client.follow();
      }),
    ];
    await pause(killAfterMs);
    if (round % CLEAN_STOP_EVERY === 0) {
      const { code } = await daemon.terminate();
      if (code !== 0) violations.push(`the clean stop of round ${round} exited with ${code}`);
    } else {
      await daemon.kill9();
    }
    await Promise.all(work);
    options.onRound?.({
      round,
      killAfterMs,
      open: clients.filter((client) => client.admission === 'accepted' && !client.isOver).length,
      midStream: clients.filter((client) => client.isMidStream).length,
    });
    const startedMs = performance.now();
    await daemon.restart();
    slowestStartMs = Math.max(slowestStartMs, performance.now() - startedMs);
  }

  const admittedUnanswered = await settle(daemon, clients, violations);
  violations.push(...(await ledgerViolations(daemon)));
  const accepted = clients.filter((client) => client.admission === 'accepted');
  for (const client of accepted) {
    const wrong = client.isOver
      ? client.verdict(expected.get(keyOf(client.task)) ?? '')
      : `${client.task.task_id}: lost, it never ended`;
    if (wrong !== undefined) violations.push(wrong);
  }
  const countOf = (test: (client: ChaosClient) => boolean) => clients.filter(test).length;
  return {
    rounds: options.rounds,
    seed: options.seed,
    accepted: accepted.length,
    completed: accepted.filter((client) => client.events.at(-1)?.event === 'end').length,
    reset: accepted.filter((client) => client.errorCode === 'WORKER_RESET').length,
    unanswered: countOf((client) => client.wasCutOff),
    admittedUnanswered,
    refused: countOf((client) => client.admission === 'refused'),
    resumed: clients.reduce((sum, client) => sum + client.resumptions, 0),
    tokens: clients.flatMap((client) => client.events.filter((each) => each.event === 'token'))
      .length,
    slowestStartMs,
    violations,
  };
}

/** Every kind of task once, with nobody disturbing: the bytes each must always give. */
async function undisturbed(daemon: DaemonProcess): Promise<ReadonlyMap<string, string>> {
  await Promise.all(['haiku', 'sim'].map((pool) => daemon.client.untilReady(1, pool)));
  const texts = new Map<string, string>();
  for (let n = 0; n < KINDS; n += 1) {
    const task = taskOf(n);
    const client = new ChaosClient(daemon.client, task);
    await client.post();
    await client.follow();
    const text = client.events.map((each) => (each.event === 'token' ? each.data.t : '')).join('');
    const wrong = client.verdict(text);
    if (wrong !== undefined) throw new Error(`undisturbed: ${wrong}`);
    texts.set(keyOf(task), text);
  }
  return texts;
}

/**
 * Nobody disturbs any more: every client reads on to the end. A POST that was cut off is repeated with
 * the same id, as a client would: it is admitted once, whatever became of the first one.
 */
async function settle(
  daemon: DaemonProcess,
  clients: readonly ChaosClient[],
  violations: string[],
): Promise<number> {
  let admittedUnanswered = 0;
  const settling = clients.map(async (client) => {
    if (client.admission === 'unanswered') {
      const { status } = await daemon.client.call('getTask', { path: [client.task.task_id] });
      if (status === 200) admittedUnanswered += 1;
      await client.post();
    }
    while (client.admission === 'accepted' && !client.isOver) {
      await client.follow();
      if (!client.isOver) await pause(RETRY_MS);
    }
  });
  try {
    await within('all accepted tasks to end', Promise.all(settling), SETTLE_MS);
  } catch (error) {
    violations.push(String(error));
  }
  return admittedUnanswered;
}

/** The ledger tells of each task once that it was accepted and once that it ended, without gaps. */
async function ledgerViolations(daemon: DaemonProcess): Promise<readonly string[]> {
  const violations: string[] = [];
  const counts = new Map<string, { accepted: number; ended: number }>();
  let after = 0;
  for (;;) {
    const { body } = await daemon.client.call('listEvents', { query: { after, limit: 1_000 } });
    const { items } = body as EventPage;
    for (const { seq, type, task_id: id } of items) {
      if (seq !== after + 1) violations.push(`event ${seq} comes after ${after}`);
      after = seq;
      if (id === undefined) continue;
      const count = counts.get(id) ?? { accepted: 0, ended: 0 };
      counts.set(id, count);
      if (type === 'task.accepted') count.accepted += 1;
      if (type === 'task.ended') count.ended += 1;
    }
    if (items.length === 0) break;
  }
  for (const [id, { accepted, ended }] of counts) {
    if (accepted !== 1 || ended !== 1) {
      violations.push(`${id}: accepted ${accepted} times, ended ${ended} times`);
    }
  }
  return violations;
}

/** The n-th task of the load: both pools, both kinds of determinism, few (prompt, seed) pairs. */
function taskOf(n: number): TaskRequest {
  const kind = n % KINDS;
  return {
    model_ref: n % 2 === 0 ? 'sim' : 'tiny-haiku',
    prompt: `Write a haiku about number ${kind}.`,
    seed: kind * 7_919,
    priority: n % 3 === 0 ? 'batch' : 'interactive',
    determinism: n % 5 === 0 ? 'best_effort' : 'strict',
  };
}

/** What the bytes of a task depend on. */
function keyOf({ model_ref: model, prompt, seed }: TaskRequest): string {
  return JSON.stringify([model, prompt, seed]);
}

/** A small seeded generator (T. Ettinger, mulberry32, public domain): 0 ≤ x < 1. */
function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let z = Math.imul(state ^ (state >>> 15), state | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return ((z ^ (z >>> 14)) >>> 0) / 2 ** 32;
  };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
