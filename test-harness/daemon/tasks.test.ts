/** The main job on the real embedded engine: post, follow, look up, list, retry. */
import { randomUUID } from 'node:crypto';
import type { AdmissionResponse, TaskRequest } from '@llama-orch/contracts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startDaemon, type DaemonProcess } from '../src/daemon-process.ts';
import { taskIdOf } from '../src/event-stream.ts';
import { checkWholeStream, sha256 } from '../src/stream-check.ts';
import { embeddedPool } from '../src/temp-config.ts';

let daemon: DaemonProcess;

beforeAll(async () => {
  daemon = await startDaemon({ config: { pools: [embeddedPool()] } });
  await daemon.client.untilReady(2);
});
afterAll(async () => {
  await daemon[Symbol.asyncDispose]();
});

describe('ORCH-2001 a task', () => {
  test('of a prompt alone is answered 202, and its stream and its record agree', async () => {
    const admitted = await daemon.client.admit({ prompt: 'Write a haiku about rain.' });
    expect(admitted).toMatchObject({ queue_position: 0, backoff_ms: 0 });
    const stream = await daemon.client.stream(admitted.task_id);
    const end = await stream.toEnd();
    const text = checkWholeStream(stream.events);
    expect(text.length).toBeGreaterThan(10);
    const task = await daemon.client.untilEnded(admitted.task_id);
    expect(task).toMatchObject({
      state: 'completed',
      attempts: 1,
      finish_reason: 'stop',
      result: { text },
      output_sha256: sha256(text),
      usage: { tokens_out: stream.tokens.length },
      proof: { output_sha256: sha256(text), seed: task.seed, engine: 'llamacpp' },
    });
    expect(task.usage).toMatchObject({
      tokens_in: end.event === 'end' ? end.data.tokens_in : -1,
      decode_ms: end.event === 'end' ? end.data.decode_ms : -1,
    });
    expect(task.proof?.model_digest).toMatch(/^sha256:[0-9a-f]{64}$/);
  });

  test('ORCH-3029 of messages starts with the facts of its admission and its replica', async () => {
    const stream = await daemon.client.run({
      messages: [
        { role: 'system', content: 'You answer in haiku.' },
        { role: 'user', content: 'Tell me about queues.' },
      ],
    });
    checkWholeStream(stream.events);
    const health = await daemon.client.poolHealth();
    const replicas = health.replicas.map((replica) => replica.replica_id);
    const [started] = stream.events;
    if (started?.event !== 'started') throw new Error('not started');
    expect(replicas).toContain(started.data.replica_id);
    expect(started.data.model_digest).toBe(health.replicas[0]?.model_digest);
    expect(started.data.engine_version).toBe(health.replicas[0]?.engine_version);
  });

  test('of every field is taken, and gives back what it was given', async () => {
    const request: TaskRequest = {
      task_id: randomUUID(),
      session_id: randomUUID(),
      workload: 'completion',
      model_ref: 'tiny-haiku',
      engine: 'llamacpp',
      ctx: 512,
      priority: 'batch',
      seed: 42,
      determinism: 'best_effort',
      sampler_profile_version: 'v1',
      prompt: 'Write a haiku about snow.',
      prompt_format: 'auto',
      max_tokens: 12,
      deadline_ms: 30_000,
      expected_tokens: 10,
      kv_hint: 'cold',
      temperature: 0.7,
      top_k: 30,
      top_p: 0.9,
      min_p: 0.02,
      stop: ['~~~'],
      logprobs: 0,
      metadata: { trace: 'nightly' },
    };
    const admitted = await daemon.client.admit(request);
    expect(admitted).toMatchObject({
      task_id: request.task_id,
      session_id: request.session_id,
      seed: 42,
    });
    const stream = await daemon.client.stream(admitted.task_id);
    await stream.toEnd();
    checkWholeStream(stream.events);
    const task = await daemon.client.untilEnded(admitted.task_id);
    expect(task).toMatchObject({
      task_id: request.task_id,
      session_id: request.session_id,
      workload: 'completion',
      model_id: 'tiny-haiku',
      priority: 'batch',
      determinism: 'best_effort',
      seed: 42,
      metadata: { trace: 'nightly' },
      proof: { sampler_profile_version: 'v1' },
    });
    expect((task.deadline_at_ms ?? 0) - task.accepted_at_ms).toBe(30_000);
    expect(stream.tokens.length).toBeLessThanOrEqual(12);
  });

  test('max_tokens bounds the output and is named as the reason', async () => {
    const stream = await daemon.client.run({ prompt: 'Write a haiku.', max_tokens: 4 });
    expect(stream.tokens).toHaveLength(4);
    expect(stream.terminal?.data).toMatchObject({ finish_reason: 'length', tokens_out: 4 });
  });

  test('a stop text ends the output and is not part of it', async () => {
    const free = await daemon.client.run({ prompt: 'Write a haiku about wind.', seed: 5 });
    const stop = free.text.trim().split(/\s+/)[2] ?? '';
    const stopped = await daemon.client.run({
      prompt: 'Write a haiku about wind.',
      seed: 5,
      stop: [stop],
    });
    checkWholeStream(stopped.events);
    expect(stopped.text).toBe(free.text.slice(0, free.text.indexOf(stop)));
  });

  test('by digest or by alias of its model is the same task', async () => {
    const digest = (await daemon.client.poolHealth()).replicas[0]?.model_digest ?? '';
    const texts = await Promise.all(
      ['tiny-haiku', digest].map(async (model) => {
        return (await daemon.client.run({ model_ref: model, prompt: 'p', seed: 9 })).text;
      }),
    );
    expect(texts[0]).toBe(texts[1]);
  });

  test('Accept text/event-stream streams over the POST itself', async () => {
    const stream = await daemon.client.postStream({ prompt: 'Write a haiku about tea.' });
    await stream.toEnd();
    checkWholeStream(stream.events);
    expect((await daemon.client.task(taskIdOf(stream))).state).toBe('completed');
  });
});

describe('OC-CTRL-2014 seeds', () => {
  test('the default seed is derived from the task_id and reproduces the output', async () => {
    const first = await daemon.client.postStream({ prompt: 'Write a haiku about salt.' });
    await first.toEnd();
    const { result } = await daemon.client.task(taskIdOf(first));
    const copy = `{"prompt":"Write a haiku about salt.","seed":${seedDigits(
      (await daemon.client.call('getTask', { path: [taskIdOf(first)] })).text,
    )}}`;
    const again = await daemon.client.call('createTask', { rawBody: copy });
    const { task_id: id } = again.body as AdmissionResponse;
    expect((await daemon.client.untilEnded(id)).result).toEqual(result);
  });

  test.each([
    '0',
    '-1',
    '4294967295',
    '4294967296',
    '9007199254740993',
    '-9007199254740993',
    '9223372036854775807',
    '-9223372036854775808',
  ])('seed %s is kept digit for digit', async (seed) => {
    const answer = await daemon.client.call('createTask', {
      rawBody: `{"prompt":"p","max_tokens":2,"seed":${seed}}`,
    });
    expect(answer.status).toBe(202);
    expect(seedDigits(answer.text)).toBe(seed);
    const { task_id: id } = answer.body as AdmissionResponse;
    await daemon.client.untilEnded(id);
    expect(seedDigits((await daemon.client.call('getTask', { path: [id] })).text)).toBe(seed);
  });

  test('two int64 seeds that a double cannot tell apart are two tasks', async () => {
    const id = randomUUID();
    const bodyOf = (seed: string) => `{"task_id":"${id}","prompt":"p","seed":${seed}}`;
    const post = (seed: string) => daemon.client.call('createTask', { rawBody: bodyOf(seed) });
    expect((await post('9007199254740993')).status).toBe(202);
    expect((await post('9007199254740993')).status).toBe(202);
    expect((await post('9007199254740992')).status).toBe(409);
  });
});

describe('ORCH-3024 retries', () => {
  test('the same task_id and body get the same answer, before and after the end, and after a restart', async () => {
    const task = { task_id: randomUUID(), prompt: 'Write a haiku about stone.', seed: 1 };
    const first = await daemon.client.call('createTask', { body: task });
    expect(first.status).toBe(202);
    expect((await daemon.client.call('createTask', { body: task })).text).toBe(first.text);
    const done = await daemon.client.untilEnded(task.task_id);
    expect((await daemon.client.call('createTask', { body: task })).text).toBe(first.text);
    // Field order is not part of a body's meaning.
    const reordered = { seed: 1, prompt: task.prompt, task_id: task.task_id };
    expect((await daemon.client.call('createTask', { body: reordered })).text).toBe(first.text);
    expect((await daemon.client.call('createTask', { body: { ...task, seed: 2 } })).status).toBe(
      409,
    );

    await daemon.terminate();
    await daemon.restart();
    expect((await daemon.client.call('createTask', { body: task })).text).toBe(first.text);
    expect((await daemon.client.call('createTask', { body: { ...task, seed: 2 } })).status).toBe(
      409,
    );
    expect(await daemon.client.task(task.task_id)).toEqual(done);
    const replayed = await daemon.client.postStream(task);
    await replayed.toEnd();
    expect(checkWholeStream(replayed.events)).toBe(done.result?.text);
    await daemon.client.untilReady(2);
  });

  test('concurrent duplicates run once', async () => {
    const task = { task_id: randomUUID(), prompt: 'Write a haiku about glass.' };
    const answers = await Promise.all(
      Array.from({ length: 30 }, () => daemon.client.call('createTask', { body: task })),
    );
    expect(new Set(answers.map((answer) => `${answer.status} ${answer.text}`)).size).toBe(1);
    expect(answers[0]?.status).toBe(202);
    expect((await daemon.client.untilEnded(task.task_id)).attempts).toBe(1);
    expect(await acceptancesOf(task.task_id)).toBe(1);
  });

  test('concurrent duplicates whose prompt has to be counted first run once', async () => {
    // Near the context's end the daemon asks the engine how many tokens a prompt has.
    const prompt = 'the quiet water and the old stone '.repeat(28);
    const task = { task_id: randomUUID(), prompt, max_tokens: 200 };
    const answers = await Promise.all(
      Array.from({ length: 30 }, async (_, n) => {
        for (let turn = 0; turn < n; turn += 1) await new Promise(setImmediate);
        return daemon.client.call('createTask', { body: task });
      }),
    );
    expect(new Set(answers.map((answer) => `${answer.status} ${answer.text}`)).size).toBe(1);
    expect(answers[0]?.status).toBe(202);
    await daemon.client.untilEnded(task.task_id);
    expect(await acceptancesOf(task.task_id)).toBe(1);
  });

  test('Idempotency-Key does the same for bodies without a task_id', async () => {
    const headers = { 'idempotency-key': `key-${randomUUID()}` };
    const post = (body: TaskRequest) => daemon.client.call('createTask', { body, headers });
    const answers = await Promise.all([post({ prompt: 'once' }), post({ prompt: 'once' })]);
    expect(answers[0]?.status).toBe(202);
    expect(answers[1]?.text).toBe(answers[0]?.text);
    expect((await post({ prompt: 'twice' })).status).toBe(409);
    const { task_id: id } = answers[0]?.body as AdmissionResponse;
    await daemon.client.untilEnded(id);
    expect((await post({ prompt: 'once' })).text).toBe(answers[0]?.text);
    const other = await daemon.client.admit({ prompt: 'once' }, { 'idempotency-key': 'another' });
    expect(other.task_id).not.toBe(id);
  });

  test('a task_id that was refused is free', async () => {
    const id = randomUUID();
    const refused = await daemon.client.call('createTask', {
      body: { task_id: id, prompt: 'p', ctx: 1_000_000 },
    });
    expect(refused.status).toBe(400);
    expect((await daemon.client.admit({ task_id: id, prompt: 'p' })).task_id).toBe(id);
  });
});

async function acceptancesOf(taskId: string): Promise<number> {
  let count = 0;
  for (let after = 0; ;) {
    const { body } = await daemon.client.call('listEvents', { query: { after, limit: 1_000 } });
    const { items, next_after: next } = body as {
      items: { type: string; task_id?: string }[];
      next_after: number;
    };
    count += items.filter(
      (each) => each.type === 'task.accepted' && each.task_id === taskId,
    ).length;
    if (items.length === 0) return count;
    after = next;
  }
}

/** JSON.parse would round them. */
function seedDigits(json: string): string {
  return /"seed":(-?\d+)/.exec(json)?.[1] ?? '';
}

describe('listing', () => {
  test('pages run from the newest to the oldest, each task once, whatever is added meanwhile', async () => {
    const session = randomUUID();
    const ids: string[] = [];
    for (let n = 0; n < 8; n += 1) {
      const priority = n % 2 === 0 ? 'interactive' : 'batch';
      const admitted = await daemon.client.admit({
        prompt: `list ${n}`,
        session_id: session,
        priority,
        max_tokens: 2,
      });
      ids.unshift(admitted.task_id);
    }
    const listed: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await daemon.client.tasks({
        session_id: session,
        limit: 3,
        ...(cursor === undefined ? {} : { cursor }),
      });
      listed.push(...page.items.map((item) => item.task_id));
      cursor = page.next_cursor;
      await daemon.client.admit({ prompt: 'meanwhile', session_id: randomUUID(), max_tokens: 2 });
    } while (cursor !== undefined);
    expect(listed).toEqual(ids);

    const batch = await daemon.client.tasks({ session_id: session, priority: 'batch' });
    expect(batch.items.map((item) => item.task_id)).toEqual(ids.filter((_, n) => n % 2 === 0));
    await Promise.all(ids.map((id) => daemon.client.untilEnded(id)));
    const completed = await daemon.client.tasks({ session_id: session, state: 'completed' });
    expect(completed.items).toHaveLength(8);
    expect((await daemon.client.tasks({ session_id: session, state: 'failed' })).items).toEqual([]);
    expect((await daemon.client.tasks({ session_id: randomUUID() })).items).toEqual([]);
  });

  test('a list leaves out results and proofs, as its contract says', async () => {
    await daemon.client.run({ prompt: 'listed', max_tokens: 3 });
    const { items } = await daemon.client.tasks({ limit: 5 });
    for (const item of items) {
      expect(item.result).toBeUndefined();
      expect(item.proof).toBeUndefined();
    }
  });
});
