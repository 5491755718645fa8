import { request } from 'undici';
import { expect, test } from 'vitest';
import { renderChat } from '../kit/chat.ts';
import { expectedPieces } from '../kit/vocabulary.ts';
import { violation } from './schemas.ts';
import { startVllmSim } from './sim.ts';
import type { VllmSim } from './sim.ts';

/** The shapes on the wire. */

const send = async (sim: VllmSim, path: string, body?: object, headers = {}) => {
  const answer = await request(`${sim.url}${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: answer.statusCode, headers: answer.headers, text: await answer.body.text() };
};

const dataOf = (text: string) =>
  text
    .split('\n\n')
    .filter((event) => event.startsWith('data: '))
    .map((event) => event.slice('data: '.length));

interface Chunk {
  readonly choices: readonly {
    readonly text?: string;
    readonly delta?: { readonly role?: string; readonly content?: string };
    readonly finish_reason: string | null;
    readonly stop_reason?: string | null;
  }[];
  readonly usage?: object;
}

/** The chunks of a stream that ended as it must. */
const chunksOf = (text: string): Chunk[] => {
  const data = dataOf(text);
  expect(data.at(-1)).toBe('[DONE]');
  return data.slice(0, -1).map((event) => JSON.parse(event) as Chunk);
};

const MESSAGES = [{ role: 'user', content: 'naïve 古池?' }];
const STREAM = { stream: true, stream_options: { include_usage: true }, seed: 1 };
const TEXT = { ...STREAM, prompt: 'p', max_tokens: 3 };
const CHAT = { ...STREAM, messages: MESSAGES, max_completion_tokens: 3 };

test('a text stream is chunks, the reason of the end on the last one, usage and the end mark', async () => {
  await using sim = await startVllmSim();
  const { status, headers, text } = await send(sim, '/v1/completions', { ...TEXT, logprobs: 2 });
  expect([status, headers['content-type']]).toEqual([200, 'text/event-stream']);
  const chunks = chunksOf(text);
  for (const chunk of chunks) expect(violation('completion-chunk', chunk)).toBeUndefined();
  expect(chunks.map(({ choices }) => choices[0]?.text)).toEqual([
    ...expectedPieces('p', 1, 3),
    undefined,
  ]);
  expect(chunks[2]?.choices[0]).toMatchObject({ finish_reason: 'length', stop_reason: null });
  expect(chunks[3]?.usage).toMatchObject({ prompt_tokens: 2, completion_tokens: 3 });
});

test('a chat stream begins with the role, and its prompt is what the template renders', async () => {
  await using sim = await startVllmSim();
  const body = { ...CHAT, logprobs: true, top_logprobs: 2 };
  const chunks = chunksOf((await send(sim, '/v1/chat/completions', body)).text);
  for (const chunk of chunks) expect(violation('chat-completion-chunk', chunk)).toBeUndefined();
  const deltas = chunks.slice(0, -1).map(({ choices }) => choices[0]?.delta);
  expect(deltas[0]).toEqual({ role: 'assistant', content: '' });
  const pieces = expectedPieces(renderChat(MESSAGES), 1, 3);
  expect(deltas.slice(1)).toEqual(pieces.map((content) => ({ content })));
});

test('a stop string is named in the last chunk, and its tokens come without text', async () => {
  await using sim = await startVllmSim({ tokens: 100 });
  const stop = expectedPieces('p', 1, 5)[4] ?? '';
  const body = { ...TEXT, max_tokens: 50, stop: [stop] };
  const chunks = chunksOf((await send(sim, '/v1/completions', body)).text);
  expect(chunks.at(-2)?.choices[0]).toMatchObject({
    text: '',
    finish_reason: 'stop',
    stop_reason: stop,
  });
});

test('without include_usage there is no usage, without a bound a text has 16 tokens', async () => {
  await using sim = await startVllmSim({ tokens: 100 });
  const body = { prompt: 'p', seed: 1, stream: true, max_tokens: null };
  const chunks = chunksOf((await send(sim, '/v1/completions', body)).text);
  expect(chunks).toHaveLength(16);
  expect(chunks.every(({ usage }) => usage === undefined)).toBe(true);
});

test('an answer that is not streamed has the same text', async () => {
  await using sim = await startVllmSim();
  const plain = { seed: 1, stream: false, max_tokens: 3, max_completion_tokens: 3 };
  const text = await send(sim, '/v1/completions', { ...plain, prompt: 'p' });
  expect(JSON.parse(text.text)).toMatchObject({
    object: 'text_completion',
    choices: [{ text: expectedPieces('p', 1, 3).join(''), finish_reason: 'length' }],
    usage: { completion_tokens: 3 },
  });
  const chat = await send(sim, '/v1/chat/completions', { ...plain, messages: MESSAGES });
  const content = expectedPieces(renderChat(MESSAGES), 1, 3).join('');
  expect(JSON.parse(chat.text)).toMatchObject({ choices: [{ message: { content } }] });
});

test.each<[string, object, number, string | null]>([
  ['no prompt', { prompt: '' }, 400, 'prompt'],
  ['a prompt of another type', { prompt: 7 }, 400, 'body.prompt'],
  ['top_p 0', { top_p: 0 }, 400, 'top_p'],
  ['a negative temperature', { temperature: -1 }, 400, 'temperature'],
  ['a number in words', { temperature: 'hot' }, 400, 'body.temperature'],
  ['an empty stop string', { stop: [''] }, 400, 'stop'],
  ['an empty salt', { cache_salt: '' }, 400, 'cache_salt'],
  ['too many alternatives', { logprobs: 21 }, 400, 'logprobs'],
  ['stream options alone', { stream: false }, 400, 'stream_options'],
  ['another model', { model: 'other' }, 404, 'model'],
  ['more than the context', { max_tokens: 5000 }, 400, 'input_tokens'],
])('%s is refused as vLLM does it', async (_name, change, status, param) => {
  await using sim = await startVllmSim();
  const answer = await send(sim, '/v1/completions', { ...TEXT, ...change });
  const body = JSON.parse(answer.text) as { error: object };
  expect(answer.status).toBe(status);
  expect(violation('error', body)).toBeUndefined();
  expect(body.error).toMatchObject({ code: status, param });
});

test('control and pooling answers have the shapes of vLLM', async () => {
  await using sim = await startVllmSim();
  const read = async (path: string, body?: object) =>
    JSON.parse((await send(sim, path, body)).text) as unknown;
  expect(violation('models', await read('/v1/models'))).toBeUndefined();
  expect(violation('tokenize', await read('/tokenize', { prompt: 'a' }))).toBeUndefined();
  const embeddings = await read('/v1/embeddings', { input: ['a', 'b'] });
  expect(violation('embeddings', embeddings)).toBeUndefined();
  const ranking = await read('/v1/rerank', { query: 'a', documents: ['b', 'c'], top_n: 1 });
  expect(violation('rerank', ranking)).toBeUndefined();
  expect((await send(sim, '/health')).text).toBe('');
});

test('tokens are detokenized to the text they came from', async () => {
  await using sim = await startVllmSim();
  const { tokens } = JSON.parse((await send(sim, '/tokenize', { prompt: 'naïve 🐸' })).text) as {
    tokens: number[];
  };
  const back = await send(sim, '/detokenize', { tokens });
  expect(JSON.parse(back.text)).toEqual({ prompt: 'naïve 🐸' });
});

test('the status of a stream is sent while the request still waits', async () => {
  await using sim = await startVllmSim({ slots: 1 });
  const abort = new AbortController();
  const stream = async (fault: object) => {
    const { statusCode, body } = await request(`${sim.url}/v1/completions`, {
      method: 'POST',
      headers: { 'x-sim-fault': JSON.stringify(fault) },
      body: JSON.stringify(TEXT),
      signal: abort.signal,
    });
    body.on('error', () => {});
    return statusCode;
  };
  expect(await stream({ kind: 'stall', after_tokens: 1 })).toBe(200);
  expect(await stream({ kind: 'stall', after_tokens: 1 })).toBe(200);
  expect(sim.stats).toMatchObject({ busySlots: 1, deferred: 1 });
  abort.abort();
});
