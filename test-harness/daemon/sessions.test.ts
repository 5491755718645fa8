/** Sessions: turns, time to live, warmth, deletion (ORCH-2004, ORCH-2005, ORCH-3021). */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startDaemon, type DaemonProcess } from '../src/daemon-process.ts';
import type { EventStream } from '../src/event-stream.ts';
import { embeddedPool } from '../src/temp-config.ts';
import { waitFor } from '../src/wait-for.ts';

const TTL_MS = 60_000;
const MAX_TURNS = 3;

let daemon: DaemonProcess;

beforeAll(async () => {
  daemon = await startDaemon({
    config: { sessions: { ttl_ms: TTL_MS, max_turns: MAX_TURNS }, pools: [embeddedPool()] },
  });
  await daemon.client.untilReady(2);
});
afterAll(async () => {
  await daemon[Symbol.asyncDispose]();
});

const turn = (session: string, prompt = 'Write a haiku about rain.') =>
  daemon.client.run({ session_id: session, prompt, max_tokens: 8 });

function startedOf(stream: EventStream) {
  const [first] = stream.events;
  if (first?.event !== 'started') throw new Error('not started');
  return first.data;
}

test('ORCH-2004 ORCH-3009 a second turn runs warm, on the replica of the first', async () => {
  const id = randomUUID();
  const first = startedOf(await turn(id));
  expect(first.kv_warmth).toBe(false);
  const info = await daemon.client.session(id);
  expect(info).toMatchObject({
    session_id: id,
    turns: 1,
    max_turns: MAX_TURNS,
    kv_warmth: true,
    replica_id: first.replica_id,
  });
  expect(info.kv_bytes).toBeGreaterThan(0);
  expect(info.tokens_total).toBeGreaterThan(8);
  expect(info.ttl_ms_remaining).toBeLessThanOrEqual(TTL_MS);

  const second = await turn(id);
  expect(startedOf(second)).toMatchObject({ kv_warmth: true, replica_id: first.replica_id });
  expect(second.terminal?.data).toMatchObject({ cached_tokens: expect.any(Number) as number });
  const after = await daemon.client.session(id);
  expect(after.turns).toBe(2);
  expect(after.tokens_total).toBeGreaterThan(info.tokens_total);
});

test('kv_hint cold runs cold and gives the same bytes', async () => {
  const id = randomUUID();
  const task = { session_id: id, prompt: 'Write a haiku about fog.', seed: 11 };
  const texts: string[] = [];
  for (const kvHint of ['reuse', 'reuse', 'cold'] as const) {
    const stream = await daemon.client.run({ ...task, kv_hint: kvHint });
    texts.push(stream.text);
    if (kvHint === 'cold') expect(startedOf(stream).kv_warmth).toBe(false);
  }
  expect(new Set(texts).size).toBe(1);
});

test('ORCH-3021 a turn beyond the last starts the session afresh', async () => {
  const id = randomUUID();
  for (let n = 0; n < MAX_TURNS; n += 1) await turn(id);
  expect((await daemon.client.session(id)).turns).toBe(MAX_TURNS);
  const fresh = await turn(id);
  expect(startedOf(fresh).kv_warmth).toBe(false);
  expect((await daemon.client.session(id)).turns).toBe(1);
});

test('ORCH-3021 a session is gone when its time is over', async () => {
  const ttl_ms = 1_500;
  await using brief = await startDaemon({
    config: { sessions: { ttl_ms }, pools: [embeddedPool({ replicas: 1 })] },
  });
  const { client } = brief;
  await client.untilReady(1);
  const id = randomUUID();
  const task = { session_id: id, prompt: 'Write a haiku about rain.', max_tokens: 8 };
  await client.run(task);
  await waitFor(
    'the end of the session',
    async () => (await client.call('getSession', { path: [id] })).status === 404,
    10 * ttl_ms,
  );
  expect(startedOf(await client.run(task)).kv_warmth).toBe(false);
});

test('ORCH-2005 a deleted session answers 204 once and 404 from then on', async () => {
  const id = randomUUID();
  const stream = await turn(id);
  const first = await daemon.client.call('deleteSession', { path: [id] });
  expect(first.status).toBe(204);
  expect((await daemon.client.call('deleteSession', { path: [id] })).status).toBe(404);
  expect((await daemon.client.call('getSession', { path: [id] })).status).toBe(404);
  const again = await turn(id);
  expect(startedOf(again).kv_warmth).toBe(false);
  expect(again.terminal?.data).toMatchObject({ cached_tokens: 0 });
  expect(stream.terminal?.event).toBe('end');
});

test('a session that is deleted while its task runs lets the task finish', async () => {
  const id = randomUUID();
  const stream = await daemon.client.postStream({ session_id: id, prompt: 'Write a haiku.' });
  expect((await daemon.client.call('deleteSession', { path: [id] })).status).toBe(204);
  expect((await stream.toEnd()).event).toBe('end');
});

test('ORCH-3009 ORCH-3023 a session whose engine died goes on cold', async () => {
  const id = randomUUID();
  await turn(id);
  const engines = daemon.children().filter(({ command }) => command.includes('tiny-haiku'));
  expect(engines).toHaveLength(2);
  for (const { pid } of engines) process.kill(pid, 'SIGKILL');
  await waitFor('the loss of the engines', async () => {
    return !(await daemon.client.session(id)).kv_warmth;
  });
  const next = await turn(id);
  expect(startedOf(next).kv_warmth).toBe(false);
  expect(await daemon.client.session(id)).toMatchObject({ turns: 2, kv_warmth: true });
  await daemon.client.untilReady(2);
});

test('sessions survive a restart, without their warmth', async () => {
  const id = randomUUID();
  await turn(id);
  await turn(id);
  await daemon.kill9();
  await daemon.restart();
  expect(await daemon.client.session(id)).toMatchObject({ turns: 2, kv_warmth: false });
  await daemon.client.untilReady(2);
});
