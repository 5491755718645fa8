/** Embeddings and rankings end to end: tasks like any other, answered whole instead of in tokens. */
import type { TaskRequest } from '@llama-orch/contracts';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { countTokensOf, embeddingOf, rankingOf } from '../engines/kit/pooling.ts';
import { startLlamaCppSim, type LlamaCppSim } from '../engines/llamacpp/sim.ts';
import { startDaemon, type DaemonProcess } from '../src/daemon-process.ts';
import { taskIdOf, type EventStream } from '../src/event-stream.ts';
import { sha256 } from '../src/stream-check.ts';
import { externalPool } from '../src/temp-config.ts';
import { waitFor } from '../src/wait-for.ts';

const WALL_MS = 2_000;
const COMPUTE_MS = 300;
const TIMEOUTS = { wall_ms: WALL_MS, idle_ms: 50, control_ms: 1_000, connect_ms: 500 };
const INPUTS = ['first text', 'a second, longer text', 'ü 文 🦙'];
const EMBED: TaskRequest = { workload: 'embedding', inputs: INPUTS };

let sims: LlamaCppSim[];
let daemon: DaemonProcess;

beforeAll(async () => {
  const options = { slots: 1, ctx: 256, computeMs: COMPUTE_MS };
  sims = await Promise.all([0, 1].map(() => startLlamaCppSim(options)));
  daemon = await startDaemon({
    config: {
      pools: [
        externalPool(
          sims.map((sim) => sim.url),
          { ctx: 256, workloads: ['completion', 'embedding', 'rerank'], timeouts: TIMEOUTS },
        ),
      ],
    },
  });
});
afterAll(async () => {
  await daemon[Symbol.asyncDispose]();
  await Promise.all(sims.map((sim) => sim[Symbol.asyncDispose]()));
});
afterEach(async () => {
  for (const sim of sims) sim.dropFaults();
  await daemon.client.untilReady(2);
});

/** The stream of a task that was answered whole: how it began and how it ended. */
function checkStream({ events }: EventStream): void {
  expect(events.map(({ event }) => event)).toEqual(['started', 'end']);
}
const embeddingsOf = (texts: readonly string[]) => ({ embeddings: texts.map(embeddingOf) });
/** Both simulators keep the next request until its client leaves. */
const hang = (): void => sims.forEach((sim) => sim.addFault({ kind: 'hang' }));
/** The simulator that works on a task now. */
const busy = (): Promise<LlamaCppSim> =>
  waitFor('a busy simulator', () => sims.find((sim) => sim.stats.busySlots > 0));
describe('OC-CTRL-2090 an embedding', () => {
  test('gives a vector for each input, and the hash of them all', async () => {
    const stream = await daemon.client.run(EMBED);
    checkStream(stream);
    const result = embeddingsOf(INPUTS);
    const output_sha256 = sha256(JSON.stringify(result));
    const tokens_in = countTokensOf(INPUTS);
    expect(stream.terminal?.data).toMatchObject({
      tokens_out: 0,
      tokens_in,
      decode_ms: 0,
      finish_reason: 'stop',
      output_sha256,
    });
    const task = await daemon.client.untilEnded(taskIdOf(stream));
    expect(task).toMatchObject({
      state: 'completed',
      workload: 'embedding',
      attempts: 1,
      result,
      output_sha256,
      usage: { tokens_in, tokens_out: 0 },
      proof: { output_sha256, engine: 'llamacpp' },
    });
    expect(task.result).toEqual(result);
  });

  test('of a prompt is one of that text alone, in no template', async () => {
    const stream = await daemon.client.run({ workload: 'embedding', prompt: 'a prompt' });
    const task = await daemon.client.untilEnded(taskIdOf(stream));
    expect(task.result).toEqual(embeddingsOf(['a prompt']));
  });

  test('is listed without its vectors, counted and explained', async () => {
    const stream = await daemon.client.run(EMBED);
    const id = taskIdOf(stream);
    const { items } = await daemon.client.tasks();
    expect(items.find((task) => task.task_id === id)).not.toHaveProperty('result');
    const explained = await daemon.client.call('explainTask', { path: [id] });
    const { entries } = explained.body as { entries: { kind: string; summary: string }[] };
    expect(entries.map(({ kind }) => kind)).toEqual(['accepted', 'dispatched', 'ended']);
    expect(entries[1]?.summary).toMatch(/, answer expected within /);
  });

  test('whose inputs do not fit one context together is taken', async () => {
    const inputs = Array.from({ length: 8 }, () => 'x'.repeat(100));
    const stream = await daemon.client.run({ workload: 'embedding', inputs });
    checkStream(stream);
  });

  test('OC-CTRL-2091 with an input longer than the context is refused with its path', async () => {
    const inputs = ['fits', 'x'.repeat(2_000), 'fits', 'y'.repeat(2_000)];
    const answer = await daemon.client.call('createTask', { body: { ...EMBED, inputs } });
    expect(answer.status).toBe(400);
    const { details } = answer.body as { details: { path: string }[] };
    expect(details.map(({ path }) => path)).toEqual(['/inputs/1', '/inputs/3']);
  });

  test('OC-CTRL-2092 may be silent for longer than idle_ms', async () => {
    const before = sims.map((sim) => sim.stats.canceled);
    const stream = await daemon.client.run(EMBED);
    checkStream(stream);
    expect((await daemon.client.untilEnded(taskIdOf(stream))).attempts).toBe(1);
    expect(sims.map((sim) => sim.stats.canceled)).toEqual(before);
  });

  test('OC-CTRL-2092 that takes longer than wall_ms ends with DECODE_TIMEOUT', async () => {
    hang();
    const stream = await daemon.client.run(EMBED);
    expect(stream.terminal).toMatchObject({ event: 'error', data: { code: 'DECODE_TIMEOUT' } });
  });

  test('ORCH-3017 that is canceled leaves the engine at once', async () => {
    hang();
    const stream = await daemon.client.postStream(EMBED);
    const sim = await busy();
    const { canceled } = sim.stats;
    await daemon.client.cancel(taskIdOf(stream));
    expect(await stream.toEnd()).toMatchObject({ data: { finish_reason: 'canceled' } });
    await waitFor('the slot to be free', () => sim.stats.busySlots === 0);
    expect(sim.stats.canceled).toBe(canceled + 1);
  });

  test('moves to another replica when its own is lost', async () => {
    hang();
    const stream = await daemon.client.postStream({ ...EMBED, determinism: 'best_effort' });
    const lost = await busy();
    // The other one is sound again before the first goes.
    for (const sim of sims) if (sim !== lost) sim.dropFaults();
    await lost.close();
    await stream.toEnd();
    checkStream(stream);
    expect(await daemon.client.untilEnded(taskIdOf(stream))).toMatchObject({
      state: 'completed',
      attempts: 2,
      result: embeddingsOf(INPUTS),
    });
    await lost.listen();
  });
});

describe('OC-CTRL-2090 a ranking', () => {
  const documents = ['a dry day', 'a wet day in the rain', 'rain'];
  const RANK: TaskRequest = { workload: 'rerank', query: 'rain', documents };

  test.each([1, undefined])('holds the best documents, at most top_n: %s', async (top_n) => {
    const request = { ...RANK, ...(top_n === undefined ? {} : { top_n }) };
    const stream = await daemon.client.run(request);
    checkStream(stream);
    const result = { ranking: rankingOf('rain', documents, top_n ?? 3) };
    const task = await daemon.client.untilEnded(taskIdOf(stream));
    expect(task).toMatchObject({ state: 'completed', workload: 'rerank' });
    expect(task.result).toEqual(result);
    expect(task.output_sha256).toBe(sha256(JSON.stringify(result)));
  });

  test('OC-CTRL-2091 with a document that does not fit beside the query is refused', async () => {
    const long = 'x'.repeat(1_000);
    const body = { ...RANK, documents: ['fits', long] };
    const answer = await daemon.client.call('createTask', { body });
    expect(answer.status).toBe(400);
    expect(answer.body).toMatchObject({ details: [{ path: '/documents/1' }] });
  });
});

test('OC-CTRL-2090 what was embedded survives kill -9, and what was not is embedded again', async () => {
  const done = await daemon.client.untilEnded(taskIdOf(await daemon.client.run(EMBED)));
  hang();
  const { task_id: running } = await daemon.client.admit({ ...EMBED, priority: 'batch' });
  await busy();
  await daemon.kill9();
  for (const sim of sims) sim.dropFaults();
  await daemon.restart();
  expect(await daemon.client.task(done.task_id)).toEqual(done);
  expect(await daemon.client.untilEnded(running)).toMatchObject({
    state: 'completed',
    result: done.result,
    output_sha256: done.output_sha256,
  });
});

test('a drain with a deadline sends what computes back to the queue', async () => {
  await daemon.client.untilReady(2);
  hang();
  const { task_id: id } = await daemon.client.admit(EMBED);
  await busy();
  for (const sim of sims) sim.dropFaults();
  await daemon.client.call('drainPool', { path: ['default'], body: { deadline_ms: 0 } });
  await waitFor('the task to wait again', async () => {
    return (await daemon.client.task(id)).state === 'queued';
  });
  await daemon.client.call('undrainPool', { path: ['default'] });
  expect(await daemon.client.untilEnded(id)).toMatchObject({ state: 'completed', attempts: 2 });
});
