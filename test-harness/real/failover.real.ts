/** Real llama-servers that are killed under load: no strict task loses or changes a byte. */
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import type { TaskExplanation, TaskRequest } from '@llama-orch/contracts';
import { realPool } from '../llama-server/launch.ts';
import { startDaemon, type DaemonProcess } from '../src/daemon-process.ts';
import { taskIdOf, type EventStream } from '../src/event-stream.ts';
import { checkWholeStream } from '../src/stream-check.ts';
import { waitFor } from '../src/wait-for.ts';
import { longText } from './completion.ts';

const TASKS = 50;
const REPLICAS = ['default-0', 'default-1'];
const SLOTS = 4;
const CHARS = 800;
const END_MS = 180_000;

const binary = inject('llamaServer');
let daemon: DaemonProcess;

beforeAll(async () => {
  const pool = realPool(binary, {
    slots: SLOTS,
    queue: { capacity: 1_000 },
    // A busy machine is no fault of a replica's.
    timeouts: { wall_ms: 300_000, idle_ms: 60_000 },
  });
  daemon = await startDaemon({ config: { pools: [pool] } });
  await daemon.client.untilReady(2);
});
afterAll(async () => {
  await daemon[Symbol.asyncDispose]();
});

const taskOf = (n: number): TaskRequest => ({
  prompt: `Write a long poem about the number ${n}.`,
  seed: n * 7_919,
  grammar: longText(CHARS),
});

const replicaOf = (stream: EventStream): string | undefined => {
  const [first] = stream.events;
  return first?.event === 'started' ? first.data.replica_id : undefined;
};

const isInMidstream = ({ text }: EventStream): boolean => text !== '' && text.length < CHARS / 2;

const serversOf = () => daemon.children().filter(({ command }) => command.startsWith(binary));

/** Whether it had sent a token when it was dispatched once more. */
async function wasCut(stream: EventStream): Promise<boolean> {
  const { body } = await daemon.client.call('explainTask', { path: [taskIdOf(stream)] });
  const kinds = (body as TaskExplanation).entries.map(({ kind }) => kind);
  const firstToken = kinds.indexOf('first-token');
  return firstToken >= 0 && kinds.lastIndexOf('dispatched') > firstToken;
}

test('ORCH-3051 OC-TEST-7002 kill -9 of a replica under 50 strict tasks: every stream ends with the bytes of an undisturbed run', async () => {
  const tasks = Array.from({ length: TASKS }, (_, n) => taskOf(n));
  const expected: string[] = [];
  for (const task of tasks) {
    const stream = await daemon.client.run(task);
    expected.push(checkWholeStream(stream.events));
  }
  expect(new Set(expected).size).toBe(TASKS);

  const [victim, survivor] = serversOf();
  const streams = await Promise.all(tasks.map((task) => daemon.client.postStream(task)));
  await waitFor('both replicas to be in the middle of their streams', () => {
    const flowing = streams.filter(isInMidstream).map(replicaOf);
    if (!REPLICAS.every((replica) => flowing.includes(replica))) return false;
    // At once: on a quick machine a stream is over in a moment.
    process.kill(victim?.pid ?? 0, 'SIGKILL');
    return true;
  });

  await Promise.all(streams.map((stream) => stream.toEnd(END_MS)));
  expect(streams.map((stream) => checkWholeStream(stream.events))).toEqual(expected);
  expect(streams.map(({ terminal }) => terminal?.event)).toEqual(tasks.map(() => 'end'));

  await daemon.client.untilReady(2);
  const { replicas } = await daemon.client.poolHealth();
  expect(replicas.map(({ restarts }) => restarts).toSorted()).toEqual([0, 1]);
  const cut = await Promise.all(streams.map(wasCut));
  expect(cut.filter(Boolean).length).toBeGreaterThan(0);
  const pids = serversOf().map(({ pid }) => pid);
  expect(pids).toHaveLength(2);
  expect(pids).not.toContain(victim?.pid);
  expect(pids).toContain(survivor?.pid);
}, 300_000);
