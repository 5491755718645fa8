/**
 * Durable admissions: POSTs over 50 connections against a daemon whose engine is not there, so that a
 * task is validated, decided on, written and answered with 202, and nothing else. In turn with the
 * ceiling, see ceiling-server.ts.
 */
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import type { Bench, BenchContext, Row } from './bench.ts';
import { Connection, encodeRequest } from './connection.ts';
import { startDaemon } from './daemon.ts';
import { deadEndpoint, externalPool } from './engines.ts';
import { memory, usageDuring, type Usage } from './process-usage.ts';
import { startProgram } from './program.ts';
import { percentile, spread } from './statistics.ts';

const CEILING = fileURLToPath(new URL('./ceiling-server.ts', import.meta.url));
const CONNECTIONS = 50;
const QUEUE_CAPACITY = 1_000_000;

const REQUEST = encodeRequest({
  method: 'POST',
  path: '/v1/tasks',
  body: JSON.stringify({ prompt: 'Write a haiku about rain.', max_tokens: 64, seed: 7 }),
});

interface Flood {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** Answers other than 202. */
  readonly refused: number;
}

/** Posts `total` tasks, each connection as soon as it has its last answer. */
async function flood(url: string, total: number): Promise<Flood> {
  const connections = await Promise.all(
    Array.from({ length: CONNECTIONS }, () => Connection.open(url)),
  );
  const latencies = new Float64Array(total);
  let next = 0;
  let refused = 0;
  const startedAt = performance.now();
  await Promise.all(
    connections.map(async (connection) => {
      while (next < total) {
        const index = next;
        next += 1;
        const sentAt = performance.now();
        const { status } = await connection.exchange(REQUEST);
        latencies[index] = performance.now() - sentAt;
        if (status !== 202) refused += 1;
      }
    }),
  );
  const seconds = (performance.now() - startedAt) / 1000;
  for (const connection of connections) connection.close();
  return {
    perSecond: (total - refused) / seconds,
    p50Ms: percentile(latencies, 0.5),
    p99Ms: percentile(latencies, 0.99),
    maxMs: percentile(latencies, 1),
    refused,
  };
}

interface Round extends Flood {
  readonly usage: Usage;
  readonly residentMb: number;
}

interface Sizes {
  readonly warmUp: number;
  readonly total: number;
}

async function daemonRound(context: BenchContext, sizes: Sizes): Promise<Round> {
  const pool = externalPool('bench', await deadEndpoint(), { queue: { capacity: QUEUE_CAPACITY } });
  await using daemon = await startDaemon(context, [pool]);
  await flood(daemon.url, sizes.warmUp);
  const { value, usage } = await daemon.measure(() => flood(daemon.url, sizes.total));
  return { ...value, usage, residentMb: memory(daemon.pid).residentMb };
}

async function ceilingRound(context: BenchContext, sizes: Sizes): Promise<Round> {
  const dir = context.newDir('ceiling');
  await using server = await startProgram({
    name: 'the ceiling',
    args: [CEILING, join(dir, 'ledger.db')],
    cwd: dir,
    logFile: join(dir, 'ceiling.log'),
  });
  await flood(server.url, sizes.warmUp);
  const { value, usage } = await usageDuring(server.pid, () => flood(server.url, sizes.total));
  return { ...value, usage, residentMb: memory(server.pid).residentMb };
}

export const admissions: Bench = {
  name: 'admissions',
  about: `durable admissions over ${CONNECTIONS} connections, against the bare parts`,
  async run(context) {
    // Warm until the compiler has settled: a daemon runs for weeks, not for its first second.
    const sizes = context.quick ? { warmUp: 200, total: 1_000 } : { warmUp: 40_000, total: 60_000 };
    const daemon: Round[] = [];
    const ceiling: Round[] = [];
    for (let round = 0; round < (context.quick ? 1 : 5); round += 1) {
      ceiling.push(await ceilingRound(context, sizes));
      daemon.push(await daemonRound(context, sizes));
      context.say(`  round ${round + 1}: ${describe(daemon)}; ceiling ${describe(ceiling)}`);
    }
    const row = (
      measure: string,
      unit: string,
      pick: (round: Round) => number,
      target?: Row['target'],
    ): Row => ({
      measure,
      unit,
      value: spread(daemon.map(pick)),
      reference: { name: 'bare parts', value: spread(ceiling.map(pick)) },
      ...(target === undefined ? {} : { target }),
    });
    const perTask = (seconds: (usage: Usage) => number) => (round: Round) =>
      (seconds(round.usage) / sizes.total) * 1e6;
    return [
      row('durable admissions', '1/s', (each) => each.perSecond, {
        bound: 'at least',
        value: 15_000,
      }),
      row('admission latency p50', 'ms', (each) => each.p50Ms),
      row('admission latency p99', 'ms', (each) => each.p99Ms, { bound: 'below', value: 7 }),
      row(
        'CPU per admission, event loop',
        'µs',
        perTask((usage) => usage.mainThreadSeconds),
      ),
      row(
        'CPU per admission, all threads',
        'µs',
        perTask((usage) => usage.cpuSeconds),
      ),
      row('answers other than 202', '', (each) => each.refused),
      row('event loop busy', '%', busyShare),
      row(
        `resident with ${sizes.warmUp + sizes.total} tasks waiting`,
        'MB',
        (each) => each.residentMb,
      ),
    ];
  },
};

/**
 * The same into one ever deeper queue, long enough that snapshots of it are taken: what they cost
 * those who are waiting for an answer meanwhile.
 */
export const deepQueue: Bench = {
  name: 'deep-queue',
  about: 'admissions into an ever deeper queue, snapshots included',
  async run(context) {
    const sizes = context.quick
      ? { warmUp: 200, total: 2_000 }
      : { warmUp: 10_000, total: 150_000 };
    const round = await daemonRound(context, sizes);
    context.say(`  ${describe([round])}`);
    const row = (measure: string, unit: string, value: number): Row => ({
      measure,
      unit,
      value: spread([value]),
    });
    const deep = sizes.warmUp + sizes.total;
    return [
      row(`admissions up to ${deep} waiting`, '1/s', round.perSecond),
      row('latency p99', 'ms', round.p99Ms),
      row('latency max', 'ms', round.maxMs),
      row('answers other than 202', '', round.refused),
      row(`resident with ${deep} waiting`, 'MB', round.residentMb),
    ];
  },
};

function busyShare({ usage }: Round): number {
  return (usage.mainThreadSeconds / usage.wallSeconds) * 100;
}

function describe(rounds: readonly Round[]): string {
  const last = rounds.at(-1);
  if (last === undefined) return '';
  return `${Math.round(last.perSecond)}/s, p99 ${last.p99Ms.toFixed(1)} ms`;
}
