import { request } from 'undici';
import { describe, expect, test } from 'vitest';
import { renderChat } from '../kit/chat.ts';
import { expectedPieces } from '../kit/vocabulary.ts';
import { SIM_FLAVORS } from './flavors.ts';
import { SIM_MODEL } from './parse-request.ts';
import { violations } from './published-schemas.ts';
import { startOpenAiSim } from './sim.ts';
import type { OpenAiSim, OpenAiSimOptions } from './sim.ts';

/** What the conformance suite does not see: the shapes on the wire. */

const call = async (sim: OpenAiSim, method: 'GET' | 'POST', path: string, body?: object) => {
  const answer = await request(sim.url + path, {
    method,
    headers: { 'content-type': 'application/json' },
    body: body === undefined ? null : JSON.stringify(body),
  });
  const text = await answer.body.text();
  return { status: answer.statusCode, headers: answer.headers, text };
};

const json = async (sim: OpenAiSim, method: 'GET' | 'POST', path: string, body?: object) =>
  JSON.parse((await call(sim, method, path, body)).text) as Record<string, unknown>;

/** The data of each event before `[DONE]`. */
const chunksOf = (text: string) =>
  text
    .split('\n\n')
    .filter((event) => event.startsWith('data: {'))
    .map((event) => JSON.parse(event.slice('data: '.length)) as Record<string, unknown>);

const MESSAGES = [{ role: 'user', content: 'naïve 古池?' }];
const ASKED = {
  model: SIM_MODEL,
  seed: 1,
  max_tokens: 3,
  stream: true,
  stream_options: { include_usage: true },
};

describe.each(SIM_FLAVORS)('%s', (flavor) => {
  test('streams have the published shapes and end with [DONE]', async () => {
    await using sim = await startOpenAiSim({ flavor });
    const text = await call(sim, 'POST', '/v1/completions', { ...ASKED, prompt: 'p' });
    expect(text.headers['content-type']).toBe('text/event-stream');
    const texts = chunksOf(text.text);
    const chat = await call(sim, 'POST', '/v1/chat/completions', { ...ASKED, messages: MESSAGES });
    const chats = chunksOf(chat.text);
    for (const chunk of texts) {
      expect(violations('openai#CreateCompletionResponse', chunk)).toBeUndefined();
      if (flavor === 'sglang') {
        expect(violations('sglang#CompletionStreamResponse', chunk)).toBeUndefined();
      }
    }
    for (const chunk of chats) {
      expect(violations('openai#CreateChatCompletionStreamResponse', chunk)).toBeUndefined();
    }
    expect(texts.length).toBeGreaterThan(2);
    expect(chats.length).toBeGreaterThan(2);
    for (const stream of [text, chat]) expect(stream.text).toMatch(/\ndata: \[DONE\]\n\n$/);
  });

  test('answers to requests without a stream have the same text', async () => {
    await using sim = await startOpenAiSim({ flavor });
    const body = { model: SIM_MODEL, seed: 1, max_tokens: 3 };
    const text = await json(sim, 'POST', '/v1/completions', { ...body, prompt: 'p' });
    expect(violations('openai#CreateCompletionResponse', text)).toBeUndefined();
    expect(text).toMatchObject({ choices: [{ text: expectedPieces('p', 1, 3).join('') }] });
    const chat = await json(sim, 'POST', '/v1/chat/completions', { ...body, messages: MESSAGES });
    const content = expectedPieces(renderChat(MESSAGES), 1, 3).join('');
    expect(chat).toMatchObject({ choices: [{ message: { content } }] });
  });

  test('models and embeddings have the published shapes', async () => {
    await using sim = await startOpenAiSim({ flavor });
    const models = await json(sim, 'GET', '/v1/models');
    expect(violations('openai#ListModelsResponse', models)).toBeUndefined();
    const input = ['rain', 'snow'];
    const vectors = await json(sim, 'POST', '/v1/embeddings', { model: SIM_MODEL, input });
    expect(violations('openai#CreateEmbeddingResponse', vectors)).toBeUndefined();
  });

  test('a model that is not there is 404 on every route that names one', async () => {
    await using sim = await startOpenAiSim({ flavor });
    const body = { model: 'other', prompt: 'p', messages: MESSAGES, input: 'p' };
    for (const route of ['completions', 'chat/completions', 'embeddings']) {
      const { model, prompt, messages, input } = body;
      const fields = { completions: { prompt }, 'chat/completions': { messages } }[route];
      const answer = await call(sim, 'POST', `/v1/${route}`, { model, ...(fields ?? { input }) });
      expect(answer.status).toBe(404);
    }
  });
});

test('refusals have the form of each server', async () => {
  const refusal = async (flavor: OpenAiSimOptions['flavor']) => {
    await using sim = await startOpenAiSim({ flavor });
    return await json(sim, 'POST', '/v1/completions', { model: SIM_MODEL, prompt: 7 });
  };
  expect(violations('openai#ErrorResponse', await refusal('generic'))).toBeUndefined();
  expect(violations('openai#ErrorResponse', await refusal('ollama'))).toBeUndefined();
  expect(violations('sglang#ErrorResponse', await refusal('sglang'))).toBeUndefined();
  expect(await refusal('lmstudio')).toEqual({ error: "Invalid type for 'prompt'." });
});

test('a route that is not there has the form of each server', async () => {
  const answers = await Promise.all(
    SIM_FLAVORS.map(async (flavor) => {
      await using sim = await startOpenAiSim({ flavor });
      const { status, text } = await call(sim, 'GET', '/nowhere');
      return [flavor, status, text];
    }),
  );
  expect(answers).toEqual([
    ['generic', 404, expect.stringContaining('"code":"unknown_url"')],
    ['sglang', 404, '{"detail":"Not Found"}'],
    ['ollama', 404, '404 page not found'],
    ['lmstudio', 200, '{"error":"Unexpected endpoint or method. (GET /nowhere)"}'],
  ]);
});

test('the own routes of SGLang and Ollama have the published shapes', async () => {
  await using sglang = await startOpenAiSim({ flavor: 'sglang' });
  const info = await json(sglang, 'GET', '/get_server_info');
  expect(violations('sglang#ServerInfo', info)).toBeUndefined();
  expect(violations('sglang#ModelList', await json(sglang, 'GET', '/v1/models'))).toBeUndefined();
  const asked = { query: 'rain', documents: ['snow', 'rain in spring'] };
  const ranking = await json(sglang, 'POST', '/v1/rerank', asked);
  expect(violations('sglang#RerankResponse', ranking)).toBeUndefined();
  await using ollama = await startOpenAiSim({ flavor: 'ollama' });
  for (const [path, schema] of [
    ['/api/version', 'ollama#VersionResponse'],
    ['/api/tags', 'ollama#ListResponse'],
    ['/api/ps', 'ollama#PsResponse'],
  ] as const) {
    expect(violations(schema, await json(ollama, 'GET', path))).toBeUndefined();
  }
});

test('Ollama ends a stream without [DONE] when its runner fails, and SGLang with one', async () => {
  for (const [flavor, isDone] of [
    ['ollama', false],
    ['sglang', true],
  ] as const) {
    await using sim = await startOpenAiSim({ flavor });
    sim.addFault({ kind: 'error-in-stream', after_tokens: 1 });
    const { text } = await call(sim, 'POST', '/v1/completions', { ...ASKED, prompt: 'p' });
    expect(text.includes('[DONE]')).toBe(isDone);
    expect(text.includes('"error"')).toBe(isDone);
  }
});
