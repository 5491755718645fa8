/** Metrics with true values, and logs that tell everything but the text (ORCH-3027, ORCH-3028, OC-CTRL-2041). */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { LlamaCppSim } from '../engines/llamacpp/sim.ts';
import { startDaemonOverSim, type DaemonOverSim } from '../src/daemon-over-sim.ts';
import type { DaemonProcess } from '../src/daemon-process.ts';
import { taskIdOf } from '../src/event-stream.ts';
import { parseMetrics, sumOf, type Scrape } from '../src/metrics-text.ts';
import { waitFor } from '../src/wait-for.ts';

let setUp: DaemonOverSim;
let daemon: DaemonProcess;
let sim: LlamaCppSim;

beforeAll(async () => {
  setUp = await startDaemonOverSim({
    sim: { slots: 2, tokens: 25, tokenDelayMs: 1 },
    pool: { slots: 2, queue: { capacity: 2 }, max_attempts: 1 },
  });
  ({ daemon, sim } = setUp);
});
afterAll(() => setUp[Symbol.asyncDispose]());

const scrape = async (): Promise<Scrape> =>
  parseMetrics((await daemon.client.call('getMetrics')).text);
/** What `/metrics` says once every ended task and left stream has been counted. */
const settled = () =>
  waitFor('no open stream', async () => {
    const now = await scrape();
    return sumOf(now, 'sse_streams_open') === 0 && now;
  });

test('OC-METRICS-7110 counters are equal to what clients saw', async () => {
  const before = await settled();
  const grown = async (name: string, labels = {}) =>
    sumOf(await settled(), name, labels) - sumOf(before, name, labels);

  const completed = [];
  for (let n = 0; n < 6; n += 1) completed.push(await daemon.client.run({ prompt: `count ${n}` }));
  const limited = await daemon.client.run({ prompt: 'short', max_tokens: 5 });
  sim.addFault({ kind: 'cut', after_tokens: 4 });
  const failed = await daemon.client.run({ prompt: 'fails' });
  expect(failed.terminal?.event).toBe('error');
  await daemon.client.untilReady(1);
  const canceled = await waitFor('a cancel in mid-stream', async () => {
    const stream = await daemon.client.postStream({ prompt: 'cancel' });
    await stream.until('a token', () => stream.tokens.length > 0);
    await daemon.client.cancel(taskIdOf(stream));
    await stream.toEnd();
    return (await daemon.client.task(taskIdOf(stream))).state === 'canceled' && stream;
  });
  sim.addFault({ kind: 'slow-first', ms: 1_000 }, 2);
  const burst = await Promise.all(
    Array.from({ length: 10 }, (_, n) =>
      daemon.client.call('createTask', { body: { prompt: `burst ${n}`, priority: 'batch' } }),
    ),
  );
  const taken = burst.filter((answer) => answer.status === 202);
  const refused = burst.filter((answer) => answer.status === 429);
  expect(refused.length).toBeGreaterThan(0);
  expect(sumOf(await scrape(), 'queue_depth', { priority: 'batch' })).toBe(taken.length - 2);
  await daemon.client.call('createTask', { body: { prompt: 1 } });
  for (const { body } of taken)
    await daemon.client.untilEnded((body as { task_id: string }).task_id);

  const canceledTokens = (await daemon.client.task(taskIdOf(canceled))).usage?.tokens_out ?? 0;
  const tokens =
    completed.reduce((sum, each) => sum + each.tokens.length, 0) +
    limited.tokens.length +
    failed.tokens.length +
    canceledTokens +
    taken.length * 25;
  expect(await grown('tokens_out_total')).toBe(tokens);
  expect(await grown('tasks_enqueued_total')).toBe(6 + 3 + taken.length);
  expect(await grown('tasks_completed_total', { finish_reason: 'stop' })).toBe(6 + taken.length);
  expect(await grown('tasks_completed_total', { finish_reason: 'length' })).toBe(1);
  expect(await grown('tasks_failed_total', { code: 'WORKER_RESET' })).toBe(1);
  expect(await grown('tasks_canceled_total', { reason: 'client' })).toBe(1);
  expect(await grown('tasks_rejected_total', { reason: 'ADMISSION_REJECT' })).toBe(refused.length);
  expect(await grown('tasks_rejected_total', { reason: 'INVALID_PARAMS' })).toBe(1);
  expect(await grown('admission_backpressure_events_total', { policy: 'reject' })).toBe(
    refused.length,
  );
  expect(await grown('latency_first_token_ms_count')).toBe(9 + taken.length);
  expect(await grown('queue_time_ms_count')).toBe(9 + taken.length);
  expect(sumOf(await scrape(), 'queue_depth')).toBe(0);
});

test('sse_streams_open counts readers of every kind and comes back to zero', async () => {
  const open = await waitFor('two readers', async () => {
    const first = await daemon.client.postStream({ prompt: 'readers' });
    const second = await daemon.client.stream(taskIdOf(first));
    const count = sumOf(await scrape(), 'sse_streams_open');
    await Promise.all([first.cut(), second.ended]);
    return count === 2;
  });
  expect(open).toBe(true);
  await settled();
});

describe('OC-CTRL-2041 logs', () => {
  const nonce = 'plugh-4711';

  test('never hold a prompt, an output or a metadata value, not even when an engine quotes it', async () => {
    const { text } = await daemon.client.run({
      prompt: nonce,
      stop: [`${nonce} stop`],
      metadata: { key: `${nonce} metadata` },
    });
    await daemon.client.run({ messages: [{ role: 'user', content: nonce }] });
    await daemon.client.call('createTask', { body: { prompt: nonce, [nonce]: 1 } });
    await daemon.client.call('createTask', { rawBody: `{"prompt":"${nonce}` });
    await daemon.client.send('GET', `/v1/tasks?${nonce}=1`);
    sim.addFault({ kind: 'http', status: 500, message: `parse error; last read: '${nonce}'` });
    await daemon.client.run({ prompt: nonce });
    await daemon.client.untilReady(1);
    sim.addFault({
      kind: 'http',
      status: 400,
      type: 'invalid_request_error',
      message: `bad '${nonce}'`,
    });
    await daemon.client.run({ prompt: nonce });
    await daemon.client.run({ prompt: 'flush', max_tokens: 1 }, { 'x-correlation-id': 'flush' });
    await untilLogged('flush');
    const output = JSON.stringify(text).slice(1, -1);
    for (const line of daemon.stderr.split('\n')) {
      expect(line).not.toContain(nonce);
      expect(line).not.toContain(output);
    }
    const { text: events } = await daemon.client.call('listEvents', { query: { limit: 1_000 } });
    expect(events).not.toContain(nonce);
  });

  test('ORCH-3027 OC-CTRL-2052 every line about a task carries the correlation id of its request', async () => {
    const headers = { 'x-correlation-id': 'who-was-it' };
    const done = await daemon.client.run({ prompt: 'log me' }, headers);
    sim.addFault({ kind: 'slow-first', ms: 500 }, 2);
    await Promise.all(
      Array.from({ length: 8 }, () =>
        daemon.client.call('createTask', { body: { prompt: 'full' }, headers }),
      ),
    );
    await waitFor('an idle pool', async () => {
      const { metrics } = await daemon.client.poolHealth();
      return metrics.running === 0 && metrics.queue_depth === 0;
    });
    await untilLogged('who-was-it');
    const id = taskIdOf(done);
    const lines = daemon.logs().filter((line) => line['job_id'] === id);
    expect(lines.map((line) => line['msg'])).toEqual(['task accepted', 'task completed']);
    expect(lines[0]).toMatchObject({
      queue_position: 0,
      predicted_start_ms: 0,
      priority: 'interactive',
    });
    expect(lines[1]).toMatchObject({
      engine: 'llamacpp',
      pool_id: 'default',
      replica_id: 'default-0',
      model_id: 'sim',
      tokens_out: done.tokens.length,
      tenant_id: 'default',
    });
    const without = daemon
      .logs()
      .filter((line) => line['job_id'] !== undefined && line['correlation_id'] === undefined);
    expect(without).toEqual([]);
  });

  test('every line has a time and a level, and nothing is an error', () => {
    for (const line of daemon.logs()) {
      expect(line).toMatchObject({
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT/) as string,
        level: expect.stringMatching(/^(info|warn)$/) as string,
        msg: expect.any(String) as string,
      });
    }
  });

  async function untilLogged(correlationId: string): Promise<void> {
    await waitFor('the last lines', () => {
      return (
        daemon.stderr.includes(`"correlation_id":"${correlationId}"`) &&
        daemon.stderr.endsWith('\n')
      );
    });
  }
});
