import { once } from 'node:events';
import { connect, type AddressInfo } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { createEngineContext, type EngineContext } from './engine-context.ts';
import { parseEngineArgs } from './engine-options.ts';
import { createFakeModel, type FakeModelOptions } from './fake-token-model.ts';
import { createEngineServer } from './server.ts';

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(closers.splice(0).map((close) => close()));
});

interface Running {
  readonly url: string;
  readonly port: number;
  readonly engine: EngineContext;
  readonly faults: unknown[];
  readonly stop: () => Promise<void>;
  readonly post: (
    path: string,
    body: unknown,
  ) => Promise<{ status: number; json: Record<string, unknown> }>;
}

async function start(options: FakeModelOptions = {}, loaded = true): Promise<Running> {
  const faults: unknown[] = [];
  const { server, ready, stop } = createEngineServer(Date.now(), (error) => faults.push(error));
  const engine = createEngineContext(
    parseEngineArgs(['--model', 'fake.gguf', '--prefill-chunk', '4']),
    createFakeModel(options),
  );
  if (loaded) ready(engine);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(async () => {
    await stop();
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  const post = async (path: string, body: unknown) => {
    const raw =
      typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body);
    const response = await fetch(url + path, { method: 'POST', body: raw });
    return { status: response.status, json: (await response.json()) as Record<string, unknown> };
  };
  return { url, port, engine, faults, stop, post };
}

/** Waits for a condition over real sockets, bounded by the test's own time limit. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
}

/** A gate that holds every decode until it is opened. */
function gate() {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { open: resolve, beforeDecode: () => promise };
}

const errorOf = (json: Record<string, unknown>) => json['error'] as Record<string, unknown>;

test('OC-EMBED-4101 until the model is loaded every route answers 503 Loading model', async () => {
  const { url } = await start({}, false);
  for (const [method, path] of [
    ['GET', '/health'],
    ['GET', '/props'],
    ['POST', '/completion'],
    ['GET', '/nowhere'],
  ] as const) {
    const response = await fetch(url + path, { method });
    expect(response.status).toBe(503);
    expect(await response.json()).toEqual({
      error: { code: 503, message: 'Loading model', type: 'unavailable_error' },
    });
  }
});

test('OC-EMBED-4123 a stream is one event per token and a last object without [DONE]', async () => {
  const { url } = await start({ script: [...Buffer.from('ok')] });
  const response = await fetch(`${url}/completion`, {
    method: 'POST',
    body: JSON.stringify({ prompt: 'p', stream: true }),
  });
  expect(response.headers.get('content-type')).toBe('text/event-stream');
  const events = (await response.text()).trim().split('\n\n');
  expect(events.every((event) => event.startsWith('data: {'))).toBe(true);
  const objects = events.map((event) => JSON.parse(event.slice(6)) as Record<string, unknown>);
  expect(objects.slice(0, 2)).toEqual([
    {
      index: 0,
      content: 'o',
      tokens: [111],
      stop: false,
      id_slot: -1,
      tokens_predicted: 1,
      tokens_evaluated: 1,
    },
    {
      index: 0,
      content: 'k',
      tokens: [107],
      stop: false,
      id_slot: -1,
      tokens_predicted: 2,
      tokens_evaluated: 1,
    },
  ]);
  expect(objects.at(-1)).toMatchObject({
    content: '',
    stop: true,
    stop_type: 'eos',
    id_slot: 0,
    tokens_predicted: 3,
    timings: { cache_n: 0, prompt_n: 1, predicted_n: 3 },
  });
});

test('a whole answer carries the text, and the token ids when asked', async () => {
  const { post } = await start({ script: [...Buffer.from('ok')] });
  const { json } = await post('/completion', { prompt: 'p', return_tokens: true, seed: 5 });
  expect(json).toMatchObject({
    content: 'ok',
    tokens: [111, 107, 256],
    stop: true,
    prompt: 'p',
    tokens_cached: 3,
    generation_settings: { seed: 5 },
  });
});

test('an empty prompt is answered at once without a token', async () => {
  const { post } = await start();
  const { json } = await post('/completion', { prompt: '' });
  expect(json).toMatchObject({ content: '', stop: true, stop_type: 'none', tokens_predicted: 0 });
});

test('OC-EMBED-4141 no bad input is more than a typed refusal', async () => {
  const { url, post, faults } = await start();
  const deep = '['.repeat(100_000);
  const cases: [unknown, number][] = [
    ['{', 400],
    ['', 400],
    [deep, 400],
    [`{"prompt":${deep}${']'.repeat(100_000)}}`, 400],
    ['[]', 400],
    ['"text"', 400],
    ['null', 400],
    [new Uint8Array([0x7b, 0xff, 0xfe, 0x7d]), 400],
    [{ prompt: 'x', temperature: {} }, 400],
    [`{"prompt":"x","temperature":1e999}`, 400],
    [{ prompt: 'x'.repeat(256) }, 400],
    [{ prompt: 'x'.repeat(3 * 1024 * 1024) }, 413],
    [{ prompt: 'x', mirostat: 2 }, 501],
    [{ prompt: 'x', grammar: 'root ::= (' }, 400],
  ];
  for (const [body, status] of cases) {
    const answer = await post('/completion', body);
    expect(answer.status).toBe(status);
    expect(errorOf(answer.json)['code']).toBe(status);
  }
  for (const path of ['/tokenize', '/detokenize', '/apply-template']) {
    expect((await post(path, { content: 5, tokens: 'x', messages: 5 })).status).toBe(400);
  }
  expect(faults).toEqual([]);
  expect((await fetch(`${url}/health`)).status).toBe(200);
});

test('OC-EMBED-4140 an unknown route or method is 404 File Not Found', async () => {
  const { url, post } = await start();
  expect((await fetch(`${url}/completion`)).status).toBe(404);
  const { status, json } = await post('/v1/embeddings', {});
  expect(status).toBe(404);
  expect(errorOf(json)).toEqual({ code: 404, message: 'File Not Found', type: 'not_found_error' });
});

test('OC-EMBED-4144 a client that leaves frees its slot, whether its request streams, waits or does neither', async () => {
  const hold = gate();
  const { url, engine } = await start(hold);
  const abort = new AbortController();
  const ask = (stream: boolean) =>
    fetch(`${url}/completion`, {
      method: 'POST',
      body: JSON.stringify({ prompt: 'p', stream }),
      signal: abort.signal,
    }).then((response) => response.text());
  const asked = [ask(true), ask(false), ask(true)];
  await until(() => engine.board.busyCount === 1 && engine.board.deferredCount === 2);
  abort.abort();
  await Promise.allSettled(asked);
  await until(() => engine.board.deferredCount === 0);
  hold.open();
  await until(() => engine.board.busyCount === 0);
});

test('OC-EMBED-4145 a reader that stops reading stops generation, and reads all once it goes on', async () => {
  const tokens = 200_000;
  const { port, engine } = await start({
    ctx: tokens * 2,
    // As the real engine does, let the event loop turn between tokens.
    beforeDecode: () => setImmediate(),
    script: Array.from({ length: tokens }, () => 97),
  });
  const body = JSON.stringify({ prompt: 'p', stream: true, n_predict: tokens });
  const socket = connect(port, '127.0.0.1');
  socket.pause();
  socket.write(
    `POST /completion HTTP/1.1\r\nhost: engine\r\nconnection: close\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  );
  const decoded = () => engine.board.slots[0]?.task?.decodedTokens ?? 0;
  let seen = -1;
  // Still when 50 ms bring no further token, 1,000 times the time one takes here.
  while (decoded() === 0 || decoded() !== seen) {
    seen = decoded();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  expect(seen).toBeLessThan(tokens);
  let tail = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => (tail = (tail + chunk).slice(-2000)));
  socket.resume();
  await once(socket, 'close');
  expect(tail).toContain(`"tokens_predicted":${tokens},`);
  expect(tail).toContain('"stop_type":"limit"');
});

test('OC-EMBED-4102 slots tell what runs, and fail_on_no_slot refuses when none is free', async () => {
  const hold = gate();
  const { url, post, engine } = await start(hold);
  const get = async (path: string) => {
    const response = await fetch(url + path);
    return { status: response.status, json: await response.json() };
  };
  expect((await get('/slots')).json).toEqual([
    { id: 0, n_ctx: 256, speculative: false, is_processing: false },
  ]);
  const asked = post('/completion', { prompt: 'p', n_predict: 4 });
  await until(() => engine.board.busyCount === 1);
  expect((await get('/slots')).json).toMatchObject([{ id_task: 1, is_processing: true }]);
  expect((await get('/slots?fail_on_no_slot=1')).status).toBe(503);
  hold.open();
  await asked;
  expect((await get('/slots')).json).toMatchObject([
    { is_processing: false, next_token: [{ has_next_token: false, n_decoded: 4 }] },
  ]);
});

test('erase empties a slot once it is free; slot files and unknown slots are refused', async () => {
  const { post, engine } = await start();
  await post('/completion', { prompt: 'a long enough prompt', n_predict: 2 });
  expect((await post('/slots/0?action=erase', '')).json).toEqual({ id_slot: 0, n_erased: 21 });
  expect(engine.board.slots[0]).toMatchObject({ canonical: [], busy: false });
  expect((await post('/slots/0?action=save', {})).status).toBe(501);
  expect((await post('/slots/0?action=polish', '')).status).toBe(400);
  expect((await post('/slots/9?action=erase', '')).status).toBe(400);
});

test('OC-EMBED-4150 stopping ends open streams with an error and refuses what waits', async () => {
  const hold = gate();
  const { url, engine, stop } = await start(hold);
  const ask = () =>
    fetch(`${url}/completion`, {
      method: 'POST',
      body: JSON.stringify({ prompt: 'p', stream: true }),
    });
  const streaming = await ask();
  const waiting = ask();
  await until(() => engine.board.deferredCount === 1);
  const stopped = stop();
  hold.open();
  await stopped;
  expect(await streaming.text()).toContain('data: {"error":{"code":503');
  expect((await waiting).status).toBe(503);
});

test('a failing engine is a server_error, told to the log, and the next request is served', async () => {
  let failing = true;
  const { post, faults } = await start({
    beforeDecode: () => {
      if (failing) throw new Error('decode failed');
    },
  });
  const { status, json } = await post('/completion', { prompt: 'p' });
  expect(status).toBe(500);
  expect(errorOf(json)['type']).toBe('server_error');
  expect(faults).toHaveLength(1);
  failing = false;
  expect((await post('/completion', { prompt: 'p', n_predict: 1 })).status).toBe(200);
});
