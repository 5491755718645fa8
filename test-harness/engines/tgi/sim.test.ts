import { request } from 'undici';
import { expect, test } from 'vitest';
import { countPromptTokens, expectedPieces } from '../kit/vocabulary.ts';
import { violations } from './schema-check.ts';
import type { TgiSchema } from './schema-check.ts';
import { startTgiSim } from './sim.ts';
import type { TgiSim } from './sim.ts';

/** What the conformance suite does not see: the shapes on the wire, held to the engine's own schemas. */

const post = async (sim: TgiSim, path: string, body: object | string) => {
  const answer = await request(`${sim.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  return { status: answer.statusCode, headers: answer.headers, text: await answer.body.text() };
};

const get = async (sim: TgiSim, path: string) => {
  const { statusCode, body } = await request(`${sim.url}${path}`);
  return { status: statusCode, text: await body.text() };
};

type Event = Readonly<Record<string, unknown>>;

const eventsOf = (text: string) =>
  text
    .split('\n\n')
    .filter((event) => event.startsWith('data: ') && event !== 'data: [DONE]')
    .map((event) => JSON.parse(event.slice('data: '.length)) as Event);

const generate = async (sim: TgiSim, parameters: object, inputs = 'p') => {
  const body = { inputs, parameters: { details: true, ...parameters } };
  const answer = await post(sim, '/generate_stream', body);
  return { ...answer, events: eventsOf(answer.text) };
};

const chat = async (sim: TgiSim, change: object) => {
  const messages = [{ role: 'user', content: 'why?' }];
  const answer = await post(sim, '/v1/chat/completions', { messages, stream: true, ...change });
  return { ...answer, events: eventsOf(answer.text) };
};

const expectEach = (schema: TgiSchema, values: readonly unknown[]) => {
  expect(values.length).toBeGreaterThan(0);
  for (const value of values) expect(violations(schema, value)).toEqual([]);
};

test('OC-ADAPT-5055 a native stream is one event for each token, counted from 1, without an end mark', async () => {
  await using sim = await startTgiSim();
  const { status, headers, text, events } = await generate(sim, { max_new_tokens: 3, seed: 1 });
  expect(status).toBe(200);
  expect(headers).toMatchObject({ 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' });
  expectEach('StreamResponse', events);
  const pieces = expectedPieces('p', 1, 3);
  expect(events.map((event) => event['index'])).toEqual([1, 2, 3]);
  expect(events).toMatchObject(pieces.map((piece) => ({ token: { text: piece } })));
  expect(events[0]).toMatchObject({ generated_text: null, details: null });
  expect(events[2]).toMatchObject({
    generated_text: pieces.join(''),
    details: { finish_reason: 'length', generated_tokens: 3, seed: null, input_length: 2 },
  });
  expect(text).not.toContain('[DONE]');
});

test('OC-ADAPT-5055 the end of the model is a token of its own, and no text', async () => {
  await using sim = await startTgiSim({ tokens: 3 });
  const { events } = await generate(sim, { max_new_tokens: 9, seed: 1, do_sample: true });
  expectEach('StreamResponse', events);
  expect(events[2]).toMatchObject({
    token: { text: '</s>', special: true },
    generated_text: expectedPieces('p', 1, 2).join(''),
    details: { finish_reason: 'eos_token', generated_tokens: 3, seed: 1 },
  });
});

test('OC-ADAPT-5055 a stop string ends the text where a token ends with it, and is a part of it', async () => {
  await using sim = await startTgiSim({ tokens: 200 });
  const pieces = expectedPieces('p', 1, 200);
  const at = pieces.indexOf(' another');
  const stopped = async (stop: string, max_new_tokens: number) =>
    (await generate(sim, { max_new_tokens, seed: 1, stop: [stop] })).events.at(-1);
  expect(await stopped('another', 100)).toMatchObject({
    index: at + 1,
    generated_text: pieces.slice(0, at + 1).join(''),
    details: { finish_reason: 'stop_sequence' },
  });
  expect(await stopped('anoth', 100)).toMatchObject({ index: 100 });
  expect(await stopped('another', at + 1)).toMatchObject({ details: { finish_reason: 'length' } });
});

test('OC-ADAPT-5055 a chat has the role in each chunk, the usage when asked for, and an end mark', async () => {
  await using sim = await startTgiSim();
  const body = { max_tokens: 3, seed: 1, stream_options: { include_usage: true } };
  const { text, events } = await chat(sim, body);
  expectEach('ChatCompletionChunk', events);
  const prompt = '<|user|>why?\n<|assistant|>';
  const chunks = expectedPieces(prompt, 1, 3).map((content, at) => ({
    id: '',
    choices: [{ delta: { role: 'assistant', content }, finish_reason: at === 2 ? 'length' : null }],
  }));
  const tokens = countPromptTokens(prompt);
  const usage = { prompt_tokens: tokens, completion_tokens: 3, total_tokens: tokens + 3 };
  expect(events).toMatchObject([...chunks, { choices: [], usage }]);
  expect(text.endsWith('data: [DONE]\n\n')).toBe(true);
  expect((await chat(sim, { max_tokens: 3, seed: 1 })).events).toHaveLength(3);
});

test.each([
  [{ temperature: 0 }, '`temperature` must be strictly positive'],
  [{ top_p: 1 }, '`top_p` must be > 0.0 and < 1.0'],
  [{ typical_p: 1 }, '`typical_p` must be > 0.0 and < 1.0'],
  [{ top_k: 0 }, '`top_k` must be strictly positive'],
  [{ max_new_tokens: 0 }, '`max_new_tokens` must be strictly positive'],
  [{ stop: ['a', 'b', 'c', 'd', 'e'] }, '`stop` supports up to 4 stop sequences. Given: 5'],
  [{ grammar: { type: 'json', value: {} } }, "Grammar must have a 'properties' field"],
  [
    { max_new_tokens: 64 },
    '`inputs` tokens + `max_new_tokens` must be <= 64. Given: 2 `inputs` tokens and 64 `max_new_tokens`',
  ],
])('OC-ADAPT-5055 the router refuses %o in the stream', async (parameters, message) => {
  await using sim = await startTgiSim({ ctx: 64 });
  const { status, events } = await generate(sim, parameters);
  expect(status).toBe(200);
  expectEach('ErrorResponse', events);
  expect(events).toHaveLength(1);
  expect(events[0]).toMatchObject({ error_type: 'validation' });
  expect(events[0]?.['error']).toContain(message);
});

test('OC-ADAPT-5055 a chat is refused in the stream as 422, whatever it is', async () => {
  await using sim = await startTgiSim({ slots: 1, queue: 0 });
  const { status, text, events } = await chat(sim, { top_p: 1 });
  expect({ status, events }).toMatchObject({
    status: 200,
    events: [{ error: { http_status_code: 422 } }],
  });
  expect(text.endsWith('data: [DONE]\n\n')).toBe(true);
});

test('OC-ADAPT-5055 what cannot be read is refused with a status', async () => {
  await using sim = await startTgiSim();
  const template = await chat(sim, { messages: 'why?' });
  expect(template.status).toBe(422);
  const answer: unknown = JSON.parse(template.text);
  expectEach('ErrorResponse', [answer]);
  expect(answer).toMatchObject({ error_type: 'template_error' });
  expect(await post(sim, '/generate_stream', '{')).toMatchObject({ status: 400 });
  expect(await post(sim, '/generate_stream', { inputs: 7 })).toMatchObject({ status: 422 });
  expect(await get(sim, '/no/such/route')).toEqual({ status: 404, text: '' });
});

test('OC-ADAPT-5055 one request more than it takes at once is refused in the stream', async () => {
  await using sim = await startTgiSim({ slots: 1, queue: 1 });
  sim.addFault({ kind: 'slow-first', ms: 100 });
  const parameters = { max_new_tokens: 3, seed: 1 };
  const answers = await Promise.all([1, 2, 3].map(() => generate(sim, parameters)));
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
  const refused = answers.filter(({ events }) => events.length === 1);
  expect(refused).toMatchObject([
    { events: [{ error: 'Model is overloaded', error_type: 'overloaded' }] },
  ]);
  const { text } = await get(sim, '/info');
  expect(JSON.parse(text)).toMatchObject({ max_concurrent_requests: 2 });
});

test('OC-ADAPT-5055 informational answers have the shapes of their schemas', async () => {
  await using sim = await startTgiSim();
  expectEach('Info', [JSON.parse((await get(sim, '/info')).text)]);
  const models = JSON.parse((await get(sim, '/v1/models')).text) as { data: unknown[] };
  expectEach('ModelInfo', models.data);
  const tokens = await post(sim, '/tokenize', { inputs: 'naïve' });
  expectEach('TokenizeResponse', [JSON.parse(tokens.text)]);
  const messages = [{ role: 'user', content: 'why?' }];
  const rendered = await post(sim, '/chat_tokenize', { messages });
  expectEach('ChatTokenizeResponse', [JSON.parse(rendered.text)]);
  expect(await get(sim, '/health')).toEqual({ status: 200, text: '' });
});

test('OC-ADAPT-5055 series of requests appear with the first one', async () => {
  await using sim = await startTgiSim({ slots: 2, ctx: 100 });
  const { text } = await get(sim, '/metrics');
  expect(text).toContain('tgi_batch_max_total_tokens 200\n');
  expect(text).not.toContain('tgi_queue_size');
  await generate(sim, { max_new_tokens: 3 });
  const used = await get(sim, '/metrics');
  for (const name of ['tgi_queue_size', 'tgi_batch_current_size', 'tgi_batch_current_max_tokens']) {
    expect(used.text).toContain(`${name} 0\n`);
  }
});
