/** Cancel at every moment of a task's life (ORCH-3017, ORCH-3026). */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { LlamaCppSim } from '../engines/llamacpp/sim.ts';
import { startDaemonOverSim, type DaemonOverSim } from '../src/daemon-over-sim.ts';
import type { DaemonProcess } from '../src/daemon-process.ts';
import { taskIdOf, type EventStream } from '../src/event-stream.ts';
import { waitFor } from '../src/wait-for.ts';

/** What the kernel and this process may still hold of bytes sent before the acknowledgement, ms. */
const IN_FLIGHT_MS = 50;

let setUp: DaemonOverSim;
let daemon: DaemonProcess;
let sim: LlamaCppSim;

beforeAll(async () => {
  setUp = await startDaemonOverSim({
    sim: { slots: 4, tokens: 2_000, tokenDelayMs: 2 },
    pool: { slots: 4 },
  });
  ({ daemon, sim } = setUp);
});
afterAll(() => setUp[Symbol.asyncDispose]());

function expectCanceled(stream: EventStream): void {
  const { terminal } = stream;
  expect(terminal).toMatchObject({ event: 'end', data: { finish_reason: 'canceled' } });
}

const freeSlots = () =>
  waitFor('free slots', async () => {
    const { metrics } = await daemon.client.poolHealth();
    return metrics.slots_free === 4 && metrics.running === 0 && sim.stats.busySlots === 0;
  });

test('a running task: readers get no token behind the acknowledgement, and an end', async () => {
  const stream = await daemon.client.postStream({ prompt: 'run' });
  const id = taskIdOf(stream);
  await stream.until('some tokens', () => stream.tokens.length > 5);
  const second = await daemon.client.stream(id);
  await second.until('some tokens', () => second.tokens.length > 5);
  await daemon.client.cancel(id);
  const acknowledgedMs = performance.now();
  for (const reader of [stream, second]) {
    await reader.toEnd();
    expectCanceled(reader);
    const late = reader.tokens.filter((token) => token.atMs > acknowledgedMs + IN_FLIGHT_MS);
    expect(late).toEqual([]);
  }
  const task = await daemon.client.task(id);
  expect(task).toMatchObject({ state: 'canceled', finish_reason: 'canceled' });
  await freeSlots();
});

test('a reader that comes after the acknowledgement gets no token, from wherever it resumes', async () => {
  const stream = await daemon.client.postStream({ prompt: 'late readers' });
  const id = taskIdOf(stream);
  await stream.until('some tokens', () => stream.tokens.length > 20);
  await daemon.client.cancel(id);
  for (const after of [undefined, 0, 1, 5, 15]) {
    const late = await daemon.client.stream(id, after);
    await late.toEnd();
    expect(late.tokens).toEqual([]);
    expectCanceled(late);
  }
  await daemon.kill9();
  await daemon.restart();
  const replay = await daemon.client.stream(id);
  await replay.toEnd();
  expect(replay.tokens).toEqual([]);
  expectCanceled(replay);
  await daemon.client.untilReady(1);
});

test('a queued task is canceled without ever running', async () => {
  const running = await Promise.all(
    Array.from({ length: 4 }, () => daemon.client.postStream({ prompt: 'occupy' })),
  );
  await Promise.all(running.map((each) => each.until('a token', () => each.tokens.length > 0)));
  const queued = await daemon.client.postStream({ prompt: 'wait' });
  const id = taskIdOf(queued);
  expect((await daemon.client.task(id)).state).toBe('queued');
  await daemon.client.cancel(id);
  await queued.toEnd();
  expectCanceled(queued);
  expect(queued.events).toHaveLength(1);
  expect(await daemon.client.task(id)).toMatchObject({ state: 'canceled', attempts: 0 });
  for (const each of running) await daemon.client.cancel(taskIdOf(each));
  await freeSlots();
});

test('an ended task stays as it was, and canceling is idempotent', async () => {
  const done = await daemon.client.run({ prompt: 'short', max_tokens: 3 });
  const id = taskIdOf(done);
  const before = await daemon.client.task(id);
  await daemon.client.cancel(id);
  await daemon.client.cancel(id);
  expect(await daemon.client.task(id)).toEqual(before);

  const running = await daemon.client.postStream({ prompt: 'many cancels' });
  await Promise.all(Array.from({ length: 20 }, () => daemon.client.cancel(taskIdOf(running))));
  await running.toEnd();
  expectCanceled(running);
  await freeSlots();
});

test('cancels that race with the end leave one outcome, the same for everyone', async () => {
  for (let n = 0; n < 40; n += 1) {
    const stream = await daemon.client.postStream({ prompt: `race ${n}`, max_tokens: 2 });
    const id = taskIdOf(stream);
    await stream.until('a first event', () => stream.events.length > n % 3);
    await daemon.client.cancel(id);
    const terminal = await stream.toEnd();
    const task = await daemon.client.untilEnded(id);
    if (terminal.event !== 'end') throw new Error(`ended with ${terminal.data.code}`);
    expect(task.finish_reason).toBe(terminal.data.finish_reason);
    const again = await daemon.client.stream(id, stream.lastId - 1);
    expect((await again.toEnd()).data).toEqual(terminal.data);
  }
  await freeSlots();
});

test('cancel_on_disconnect: leaving cancels the task and frees its slot', async () => {
  const stream = await daemon.client.postStream(
    { prompt: 'leave me' },
    { query: '?cancel_on_disconnect=true' },
  );
  const id = taskIdOf(stream);
  await stream.until('a token', () => stream.tokens.length > 0);
  await stream.cut();
  expect((await daemon.client.untilEnded(id)).state).toBe('canceled');
  await freeSlots();
});

test('cancel_on_disconnect: a client that leaves before the answer leaves nothing running', async () => {
  const attempts = Array.from({ length: 60 }, async (_, n) => {
    const abort = new AbortController();
    const posted = fetch(`${daemon.url}/v1/tasks?cancel_on_disconnect=true`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'text/event-stream' },
      body: JSON.stringify({ prompt: `hasty ${n}` }),
      signal: abort.signal,
    });
    setTimeout(() => abort.abort(), n % 12);
    await posted.catch(() => undefined);
    abort.abort();
  });
  await Promise.all(attempts);
  await waitFor(
    'no live task',
    async () => {
      const [queued, running] = await Promise.all([
        daemon.client.tasks({ state: 'queued', limit: 1 }),
        daemon.client.tasks({ state: 'running', limit: 1 }),
      ]);
      return queued.items.length === 0 && running.items.length === 0;
    },
    3_000,
  );
  await waitFor('no open stream', async () => {
    const { text } = await daemon.client.call('getMetrics');
    return /^sse_streams_open 0$/m.test(text);
  });
});
