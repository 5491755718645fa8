/**
 * Memory per open stream: resident size before and after a thousand streams that have begun and then
 * fall silent, because the engine stalls; and a thousand more readers of one of them.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Bench, BenchContext, Row } from './bench.ts';
import { Connection, encodeRequest, fetchOnce } from './connection.ts';
import { startDaemon, type Daemon } from './daemon.ts';
import { externalPool, startSimulator } from './engines.ts';
import { memory } from './process-usage.ts';
import { spread } from './statistics.ts';

const TOKENS_BEFORE_STALL = 4;
/** Garbage of the opening is collected, and buffers settle, ms. */
const SETTLE_MS = 2_000;
const WARM_UP_STREAMS = 200;
const HOUR_MS = 3_600_000;

const EVENT_STREAM = 'text/event-stream';
const TOKEN = 'event: token';
const TASK = encodeRequest({
  method: 'POST',
  path: '/v1/tasks',
  body: JSON.stringify({ prompt: 'Write a haiku about rain.', max_tokens: 16, seed: 7 }),
  accept: EVENT_STREAM,
});

interface Round {
  /** KiB per stream: a task that runs, its connection to the engine, and its reader. */
  readonly perTaskKib: number;
  /** KiB per further reader of a task. */
  readonly perReaderKib: number;
}

async function measure(context: BenchContext, streams: number): Promise<Round> {
  const slots = Math.max(streams, WARM_UP_STREAMS);
  await using engine = await startSimulator(context, ['--slots', String(slots)]);
  const timeouts = { wall_ms: HOUR_MS, idle_ms: HOUR_MS };
  await using daemon = await startDaemon(context, [
    externalPool('bench', engine.url, {
      slots,
      determinism: 'exact',
      queue: { capacity: slots },
      timeouts,
    }),
  ]);
  await daemon.untilReady('bench');
  await Promise.all(Array.from({ length: WARM_UP_STREAMS }, () => runToEnd(daemon.url)));
  const stall = { kind: 'stall', after_tokens: TOKENS_BEFORE_STALL, times: streams };
  await fetchOnce(engine.url, {
    method: 'POST',
    path: '/__sim/fault',
    body: JSON.stringify(stall),
  });

  const before = await settledMb(daemon);
  const tasks = await openAll(daemon.url, streams, TASK);
  const running = await settledMb(daemon);
  const readers = await openAll(daemon.url, streams, await readerOf(daemon.url));
  const read = await settledMb(daemon);
  for (const connection of [...tasks, ...readers]) connection.close();
  const kibPerStream = (megabytes: number): number => (megabytes * 1e6) / 1024 / streams;
  return {
    perTaskKib: kibPerStream(running - before),
    perReaderKib: kibPerStream(read - running),
  };
}

async function runToEnd(url: string): Promise<void> {
  const connection = await Connection.open(url);
  await connection.stream(TASK, TOKEN, false);
  connection.close();
}

async function openAll(url: string, count: number, request: Buffer): Promise<Connection[]> {
  return Promise.all(
    Array.from({ length: count }, async () => {
      const connection = await Connection.open(url);
      await connection.open(request, TOKEN);
      return connection;
    }),
  );
}

/** The request that reads along with a task that runs. */
async function readerOf(url: string): Promise<Buffer> {
  const page = await fetchOnce(url, { method: 'GET', path: '/v1/tasks?state=running&limit=1' });
  const task = (JSON.parse(page) as { items: { task_id: string }[] }).items[0];
  if (task === undefined) throw new Error('no task is running');
  const path = `/v1/tasks/${task.task_id}/stream`;
  return encodeRequest({ method: 'GET', path, accept: EVENT_STREAM });
}

async function settledMb(daemon: Daemon): Promise<number> {
  await sleep(SETTLE_MS);
  return memory(daemon.pid).residentMb;
}

export const streamMemory: Bench = {
  name: 'stream-memory',
  about: 'memory per open stream of a stalled engine',
  async run(context) {
    const streams = context.quick ? 50 : 1_000;
    const rounds: Round[] = [];
    for (let index = 0; index < (context.quick ? 1 : 3); index += 1) {
      rounds.push(await measure(context, streams));
    }
    const row = (measure: string, pick: (round: Round) => number): Row => ({
      measure,
      unit: 'KiB',
      value: spread(rounds.map(pick)),
    });
    return [
      row(`per running task with its reader, of ${streams}`, (each) => each.perTaskKib),
      row(`per further reader, of ${streams}`, (each) => each.perReaderKib),
    ];
  },
};
