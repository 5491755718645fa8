/** `verifyTask`: a finished strict task runs again on another replica of its set (ORCH-3045). */
import { randomUUID } from 'node:crypto';
import type { TaskVerification } from '@llama-orch/contracts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { expectedPieces } from '../engines/kit/vocabulary.ts';
import { startLlamaCppSim, type LlamaCppSim } from '../engines/llamacpp/sim.ts';
import { startDaemon, type DaemonProcess } from '../src/daemon-process.ts';
import { taskIdOf } from '../src/event-stream.ts';
import { parseMetrics, sumOf } from '../src/metrics-text.ts';
import { sha256 } from '../src/stream-check.ts';
import { externalPool } from '../src/temp-config.ts';
import { waitFor } from '../src/wait-for.ts';

const TOKENS = 12;
/** For this seed the second replica says another token, at this place. */
const DRIFT = { seed: 13, token: 5 } as const;

let sims: LlamaCppSim[];
let daemon: DaemonProcess;

beforeAll(async () => {
  const slow = { slots: 1, tokens: 200, tokenDelayMs: 20 };
  sims = await Promise.all([
    startLlamaCppSim({ slots: 2, tokens: TOKENS }),
    startLlamaCppSim({ slots: 2, tokens: TOKENS, drift: DRIFT }),
    startLlamaCppSim({ slots: 1, tokens: TOKENS }),
    startLlamaCppSim(slow),
    startLlamaCppSim(slow),
  ]);
  const urls = sims.map(({ url }) => url);
  const two = { slots: 2, determinism: 'exact' } as const;
  daemon = await startDaemon({
    config: {
      pools: [
        externalPool(urls.slice(0, 2), {
          ...two,
          replica_labels: [{ ordinal: '0' }, { ordinal: '1' }],
        }),
        externalPool(urls.slice(2, 3), { id: 'single', model: { id: 'single' } }),
        externalPool(urls.slice(3), { id: 'slow', model: { id: 'slow' } }),
      ],
    },
  });
  await daemon.client.untilReady(2);
  await daemon.client.untilReady(1, 'single');
  await daemon.client.untilReady(2, 'slow');
});
afterAll(async () => {
  await daemon[Symbol.asyncDispose]();
  await Promise.all(sims.map((sim) => sim[Symbol.asyncDispose]()));
});

const verify = (taskId: string) => daemon.client.call('verifyTask', { path: [taskId] });

async function refused(taskId: string, status: number): Promise<string> {
  return (await daemon.client.refused('POST', `/v1/tasks/${taskId}/verify`, status)).message;
}

/** @param ordinal of the replica that it runs on */
async function finished(seed: number, ordinal = '0', prompt = 'compare'): Promise<string> {
  const placement = { labels: { ordinal } };
  return taskIdOf(await daemon.client.run({ prompt, prompt_format: 'raw', seed, placement }));
}

test('OC-CTRL-2140 a sound replica gives the same bytes, and the answer names where they came from', async () => {
  const taskId = await finished(7);
  const { status, body } = await verify(taskId);
  expect(status).toBe(200);
  const answer = body as TaskVerification;
  const output = sha256(expectedPieces('compare', 7, TOKENS).join(''));
  const task = await daemon.client.task(taskId);
  expect(answer).toEqual({
    task_id: taskId,
    verified_by_task_id: expect.any(String) as string,
    match: true,
    replica_id: task.replica?.replica_id,
    verified_on_replica_id: expect.any(String) as string,
    replica_set_id: task.proof?.replica_set_id,
    tokens_compared: task.usage?.tokens_out,
    output_sha256: output,
    verified_sha256: output,
  });
  expect(answer.verified_on_replica_id).not.toBe(answer.replica_id);
});

test.each(['0', '1'])(
  'OC-CTRL-2140 one changed token is told with its index and both texts, wherever it ran first (%s)',
  async (ordinal) => {
    const right = expectedPieces('compare', DRIFT.seed, TOKENS)[DRIFT.token];
    const { body } = await verify(await finished(DRIFT.seed, ordinal));
    const {
      match,
      first_difference: difference,
      tokens_compared: compared,
    } = body as TaskVerification;
    expect(match).toBe(false);
    expect(compared).toBe(DRIFT.token + 1);
    expect(difference?.index).toBe(DRIFT.token);
    expect(ordinal === '0' ? difference?.expected : difference?.actual).toBe(right);
    expect(ordinal === '0' ? difference?.actual : difference?.expected).not.toBe(right);
  },
);

test('OC-CTRL-2141 the second run is a batch task of its own, and its tokens are counted', async () => {
  const taskId = await finished(8);
  const tokensOut = async () => {
    const { text } = await daemon.client.call('getMetrics');
    return sumOf(parseMetrics(text), 'tokens_out_total', { pool_id: 'default' });
  };
  const before = await tokensOut();
  const answer = (await verify(taskId)).body as TaskVerification;
  const again = await daemon.client.task(answer.verified_by_task_id);
  expect(again).toMatchObject({
    state: 'completed',
    priority: 'batch',
    determinism: 'strict',
    seed: 8,
    metadata: { verifies: taskId },
  });
  expect((await tokensOut()) - before).toBe(again.usage?.tokens_out);
});

test('OC-CTRL-2140 chat and an int64 seed run again as they were', async () => {
  const body = '{"messages":[{"role":"user","content":"hi"}],"seed":9223372036854775807}';
  const admitted = await daemon.client.call('createTask', { rawBody: body });
  const { task_id: taskId } = admitted.body as { task_id: string };
  await daemon.client.untilEnded(taskId);
  expect((await verify(taskId)).body).toMatchObject({ match: true });
});

test('OC-CTRL-2142 what cannot be verified is refused, each for its reason', async () => {
  await refused(randomUUID(), 404);
  const loose = await daemon.client.run({ prompt: 'loose', determinism: 'best_effort' });
  expect(await refused(taskIdOf(loose), 409)).toMatch(/strict/);
  const lonely = await daemon.client.run({ prompt: 'alone', model_ref: 'single' });
  expect(await refused(taskIdOf(lonely), 409)).toMatch(/no other replica/);
  const running = await daemon.client.postStream({ prompt: 'slow', model_ref: 'slow' });
  await running.until('a token', () => running.tokens.length > 0);
  expect(await refused(taskIdOf(running), 409)).toMatch(/not ended/);
  await daemon.client.cancel(taskIdOf(running));
  await running.toEnd();
  expect(await refused(taskIdOf(running), 409)).toMatch(/not complete/);
});

test('OC-CTRL-2141 the second run is canceled when its caller leaves', async () => {
  const done = await daemon.client.run({ prompt: 'leave', model_ref: 'slow', max_tokens: 60 });
  const taskId = taskIdOf(done);
  const leave = new AbortController();
  const left = fetch(`${daemon.url}/v1/tasks/${taskId}/verify`, {
    method: 'POST',
    signal: leave.signal,
  }).then(
    () => 'answered',
    () => 'left',
  );
  const again = await waitFor('the second run', async () => {
    const { items } = await daemon.client.tasks({ state: 'running' });
    return items.find(({ metadata }) => metadata?.['verifies'] === taskId);
  });
  leave.abort();
  expect(await left).toBe('left');
  expect((await daemon.client.untilEnded(again.task_id)).state).toBe('canceled');
});
