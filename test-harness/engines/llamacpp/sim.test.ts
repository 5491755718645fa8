import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { request } from 'undici';
import { expect, onTestFinished, test } from 'vitest';
import { openLlamaCpp } from '@llama-orch/worker-adapters';
import { startLlamaCppSim } from './sim.ts';
import type { LlamaCppSim } from './sim.ts';
import { expectedPieces } from '../kit/vocabulary.ts';

/** What the conformance suite does not see: the shapes on the wire, and what the adapter sends. */

const post = async (sim: LlamaCppSim, path: string, body: object, headers = {}) => {
  const answer = await request(`${sim.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
  return { status: answer.statusCode, headers: answer.headers, text: await answer.body.text() };
};

const events = (text: string) =>
  text
    .split('\n\n')
    .filter((event) => event.startsWith('data: '))
    .map((event) => JSON.parse(event.slice('data: '.length)) as Record<string, unknown>);

test('a stream is partial objects and one last object, without an end mark', async () => {
  await using sim = await startLlamaCppSim();
  const body = { prompt: 'p', seed: 1, n_predict: 3, stream: true };
  const { status, headers, text } = await post(sim, '/completion', body);
  expect(status).toBe(200);
  expect(headers['content-type']).toBe('text/event-stream');
  const all = events(text);
  expect(all.slice(0, -1).map(({ content }) => content)).toEqual(expectedPieces('p', 1, 3));
  expect(all[0]).toMatchObject({ stop: false, id_slot: -1, tokens_predicted: 1 });
  expect(all.at(-1)).toMatchObject({
    stop: true,
    stop_type: 'limit',
    id_slot: 0,
    tokens_predicted: 3,
    tokens_evaluated: 2,
    truncated: false,
  });
  expect(text).not.toContain('[DONE]');
});

test('a completion that is not streamed has the same text', async () => {
  await using sim = await startLlamaCppSim();
  const { text } = await post(sim, '/completion', { prompt: 'p', seed: 1, n_predict: 3 });
  expect(JSON.parse(text)).toMatchObject({ content: expectedPieces('p', 1, 3).join('') });
});

test('a prefix held by a slot is counted as cached, unless the request or an erase forbids it', async () => {
  await using sim = await startLlamaCppSim({ slots: 2 });
  const cached = async (prompt: string, cache_prompt: boolean) => {
    const body = { prompt, seed: 1, n_predict: 1, stream: true, cache_prompt };
    const { text } = await post(sim, '/completion', body);
    const { timings, id_slot } = events(text).at(-1) as {
      timings: { cache_n: number };
      id_slot: number;
    };
    return { cacheN: timings.cache_n, slot: id_slot };
  };
  const first = await cached('0123456789', true);
  expect(first.cacheN).toBe(0);
  expect(await cached('0123456789abc', true)).toEqual({ cacheN: 10, slot: first.slot });
  expect((await cached('0123456789abc', false)).cacheN).toBe(0);
  await post(sim, `/slots/${first.slot}?action=erase`, {});
  expect((await cached('0123456789abc', true)).cacheN).toBe(0);
});

test('with a folder for slots, what one process saved is warm in another', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'llama-orch-slots-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const body = { prompt: '0123456789', seed: 1, n_predict: 1, cache_prompt: true };
  const file = { filename: 'a.bin' };
  {
    await using first = await startLlamaCppSim({ slots: 1, slotSavePath: folder });
    await post(first, '/completion', body);
    const saved = await post(first, '/slots/0?action=save', file);
    expect(JSON.parse(saved.text)).toMatchObject({ ...file, n_saved: 12 });
  }
  await using second = await startLlamaCppSim({ slots: 2, slotSavePath: folder });
  const restored = await post(second, '/slots/1?action=restore', file);
  expect(JSON.parse(restored.text)).toMatchObject({ id_slot: 1, n_restored: 12 });
  const { text } = await post(second, '/completion', body);
  expect(JSON.parse(text)).toMatchObject({ id_slot: 1, timings: { cache_n: 10 } });
  writeFileSync(join(folder, 'damaged.bin'), '{');
  for (const filename of ['damaged.bin', 'never-saved.bin', '../a.bin', '..']) {
    expect((await post(second, '/slots/0?action=restore', { filename })).status).toBe(400);
  }
});

test('a request for a busy slot waits for it although another is free', async () => {
  await using sim = await startLlamaCppSim({ slots: 2 });
  sim.addFault({ kind: 'slow-first', ms: 100 });
  const body = { prompt: 'p', seed: 1, n_predict: 1, stream: true, id_slot: 1 };
  const both = await Promise.all([
    post(sim, '/completion', body),
    post(sim, '/completion', { ...body, id_slot: 3 }),
  ]);
  expect(both.map(({ text }) => events(text).at(-1)?.['id_slot'])).toEqual([1, 1]);
});

test.each([
  [{ seed: 1 }, 400, 'invalid_request_error'],
  [{ prompt: 'p', temperature: 'hot' }, 400, 'invalid_request_error'],
  [{ prompt: 'p'.repeat(5000) }, 400, 'exceed_context_size_error'],
])('a bad body is refused as the engine does it', async (body, status, type) => {
  await using sim = await startLlamaCppSim();
  const answer = await post(sim, '/completion', body);
  expect(answer.status).toBe(status);
  expect(JSON.parse(answer.text)).toMatchObject({ error: { code: status, type } });
});

test('tokens are detokenized to the text they came from', async () => {
  await using sim = await startLlamaCppSim();
  const { text } = await post(sim, '/tokenize', { content: 'naïve 🐸' });
  const { tokens } = JSON.parse(text) as { tokens: number[] };
  const back = await post(sim, '/detokenize', { tokens });
  expect(JSON.parse(back.text)).toEqual({ content: 'naïve 🐸' });
});

test('faults are set over HTTP, for a number of completions or for one request', async () => {
  await using sim = await startLlamaCppSim();
  const body = { prompt: 'p', seed: 1, n_predict: 2, stream: true };
  await post(sim, '/__sim/fault', { kind: 'http', status: 503, times: 2 });
  const statuses = [];
  for (let i = 0; i < 3; i++) statuses.push((await post(sim, '/completion', body)).status);
  expect(statuses).toEqual([503, 503, 200]);
  const marker = { 'x-sim-fault': '{"kind":"eof","after_tokens":1}' };
  const { text } = await post(sim, '/completion', body, marker);
  expect(events(text)).toHaveLength(1);
  const wrong = await post(sim, '/__sim/fault', { kind: 'no such fault' });
  expect(wrong.status).toBe(400);
});

const TIMEOUTS = { connectMs: 10_000, controlMs: 10_000, headersMs: 10_000, bodyMs: 10_000 };

test('OC-ADAPT-5017 erasing a slot is true where it is done and false where it cannot be', async () => {
  for (const slotActions of [true, false]) {
    await using sim = await startLlamaCppSim({ slotActions });
    await using adapter = openLlamaCpp({ url: sim.url, timeouts: TIMEOUTS, maxStreams: 1 });
    expect(await adapter.slots?.erase(0)).toBe(slotActions);
  }
});

test('OC-ADAPT-5017 a slot that was saved with nothing in it restores nothing', async () => {
  await using sim = await startLlamaCppSim();
  await using adapter = openLlamaCpp({ url: sim.url, timeouts: TIMEOUTS, maxStreams: 1 });
  expect(await adapter.slots?.save(0, 'empty.bin')).toBe(true);
  expect(await adapter.slots?.restore(1, 'empty.bin')).toBe(false);
});

test('OC-ADAPT-5001 without --metrics the adapter says so', async () => {
  await using sim = await startLlamaCppSim({ metrics: false });
  await using adapter = openLlamaCpp({ url: sim.url, timeouts: TIMEOUTS, maxStreams: 1 });
  await expect(adapter.metrics()).rejects.toMatchObject({ fault: 'permanent', status: 501 });
});

test('OC-ADAPT-5014 prefix reuse of strict tasks follows what props declare', async () => {
  for (const exact_prefix_reuse of [true, false]) {
    await using sim = await startLlamaCppSim({
      extraProps: { llama_orch: { exact_prefix_reuse } },
    });
    await using adapter = openLlamaCpp({ url: sim.url, timeouts: TIMEOUTS, maxStreams: 1 });
    const submit = () =>
      adapter.submit(
        {
          taskId: 'task-1',
          correlationId: 'correlation-1',
          prompt: 'p',
          maxTokens: 1,
          seed: 1,
          deterministic: true,
          reuseKv: true,
          sampling: {
            temperature: 0,
            topK: 1,
            topP: 1,
            minP: 0,
            stop: [],
            grammar: undefined,
            jsonSchema: undefined,
            logprobs: 0,
          },
        },
        { started() {}, tokens() {} },
        new AbortController().signal,
      );
    await submit();
    expect(sim.lastCompletion?.['cache_prompt']).toBe(false);
    await adapter.props();
    await submit();
    expect(sim.lastCompletion?.['cache_prompt']).toBe(exact_prefix_reuse);
  }
});
