import { readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import { request } from 'undici';
import { expect, test } from 'vitest';
import { openTriton } from '@llama-orch/worker-adapters';
import { expectedPieces } from '../kit/vocabulary.ts';
import { BACKENDS, MODEL } from './models.ts';
import { startTritonSim } from './sim.ts';
import type { TritonSim } from './sim.ts';

/** What the conformance suite does not see: the shapes on the wire, and what the adapter sends. */

const schema = (name: string) =>
  JSON.parse(readFileSync(new URL(`schemas/${name}.json`, import.meta.url), 'utf8')) as object;
const ajv = new Ajv({ allErrors: true });
const expectValid = (name: string, value: unknown) => {
  const validate = ajv.compile(schema(name));
  validate(value);
  expect(validate.errors ?? []).toEqual([]);
};

const get = async (sim: TritonSim, path: string) => {
  const { statusCode, body } = await request(`${sim.url}${path}`);
  const text = await body.text();
  return {
    status: statusCode,
    text,
    json: text === '' ? undefined : (JSON.parse(text) as unknown),
  };
};
const post = async (sim: TritonSim, path: string, body: object) => {
  const answer = await request(`${sim.url}${path}`, { method: 'POST', body: JSON.stringify(body) });
  return {
    status: answer.statusCode,
    type: String(answer.headers['content-type']),
    text: await answer.body.text(),
  };
};
const stream = (sim: TritonSim, body: object) =>
  post(sim, `/v2/models/${MODEL}/generate_stream`, body);

const events = (text: string) =>
  text
    .split('\n\n')
    .filter((event) => event.startsWith('data: '))
    .map((event) => JSON.parse(event.slice('data: '.length)) as Record<string, unknown>);

/** The same generation, as each kind is asked for it. */
const BODIES = {
  trtllm: {
    text_input: 'p',
    max_tokens: 3,
    seed: 1,
    stream: true,
    return_num_input_tokens: true,
    return_num_output_tokens: true,
  },
  llmapi: {
    text_input: 'p',
    sampling_param_max_tokens: 3,
    sampling_param_seed: 1,
    streaming: true,
    return_finish_reason: true,
  },
  vllm: {
    text_input: 'p',
    stream: true,
    sampling_parameters: '{"max_tokens":3,"seed":1}',
    return_finish_reason: true,
    return_num_output_tokens: true,
  },
} as const;

test.each(BACKENDS)(
  '%s: what it tells of itself and its model has the published shape',
  async (backend) => {
    await using sim = await startTritonSim({ backend });
    expectValid('server-metadata', (await get(sim, '/v2')).json);
    expectValid('model-metadata', (await get(sim, `/v2/models/${MODEL}`)).json);
    expectValid('model-config', (await get(sim, `/v2/models/${MODEL}/config`)).json);
    expectValid('error', (await get(sim, '/v2/models/other')).json);
    expect(await get(sim, '/v2/health/ready')).toMatchObject({ status: 200, text: '' });
  },
);

test.each(BACKENDS)(
  '%s: a stream is one object for each response, and no end mark',
  async (backend) => {
    await using sim = await startTritonSim({ backend });
    const { status, type, text } = await stream(sim, BODIES[backend]);
    expect(status).toBe(200);
    expect(type).toBe('text/event-stream; charset=utf-8');
    const all = events(text);
    for (const event of all) expectValid('generate-response', event);
    const pieces = expectedPieces('p', 1, 3);
    const texts =
      backend === 'llmapi' ? pieces.map((_piece, at) => pieces.slice(0, at + 1).join('')) : pieces;
    expect(all.map(({ text_output }) => text_output)).toEqual(texts);
    expect(text).not.toContain('[DONE]');
  },
);

test('only what was asked for is told, and the finish reason is "None" until the end', async () => {
  await using sim = await startTritonSim({ backend: 'vllm' });
  const told = events((await stream(sim, BODIES.vllm)).text);
  expect(told.map(({ finish_reason }) => finish_reason)).toEqual(['None', 'None', 'length']);
  const { text_input, stream: streams, sampling_parameters } = BODIES.vllm;
  const bare = { text_input, stream: streams, sampling_parameters };
  expect(events((await stream(sim, bare)).text)[0]).not.toHaveProperty('finish_reason');
});

test('the LLM API takes a stop string back, TensorRT-LLM keeps it, vLLM never sends it', async () => {
  const pieces = expectedPieces('p', 1, 10);
  const stop = pieces.slice(1, 3).join('');
  const before = pieces.join('').slice(0, pieces.join('').indexOf(stop));
  const textsOf = async (backend: (typeof BACKENDS)[number], body: object) => {
    await using sim = await startTritonSim({ backend });
    const all = events((await stream(sim, { ...BODIES[backend], ...body })).text);
    return all.map(({ text_output }) => String(text_output));
  };
  const kept = await textsOf('trtllm', { max_tokens: 10, stop_words: [stop] });
  expect(kept.join('')).toBe(before + stop);
  const taken = await textsOf('llmapi', {
    sampling_param_max_tokens: 10,
    sampling_param_stop: [stop],
  });
  expect(taken.at(-1)).toBe(before);
  expect(taken.at(-2)?.length).toBeGreaterThan(before.length);
  const removed = await textsOf('vllm', {
    sampling_parameters: JSON.stringify({ max_tokens: 10, seed: 1, stop: [stop] }),
  });
  expect(removed.join('')).toBe(before);
});

test.each(BACKENDS)(
  '%s: without a stream there is one response, with the prompt unless excluded',
  async (backend) => {
    await using sim = await startTritonSim({ backend });
    const {
      stream: _stream,
      streaming: _streaming,
      ...body
    } = BODIES[backend] as Record<string, unknown>;
    const { type, text } = await post(sim, `/v2/models/${MODEL}/generate`, body);
    expect(type).toBe('application/json');
    const answer = JSON.parse(text) as Record<string, unknown>;
    expectValid('generate-response', answer);
    expect(answer['text_output']).toBe(`p${expectedPieces('p', 1, 3).join('')}`);
    const excludes =
      backend === 'llmapi' ? 'sampling_param_exclude_input_from_output' : 'exclude_input_in_output';
    const one = events((await stream(sim, { ...body, [excludes]: true })).text);
    expect(one.map(({ text_output }) => text_output)).toEqual([expectedPieces('p', 1, 3).join('')]);
  },
);

test.each([
  [{ max_tokens: 3 }, "missing required input(s) ['text_input']"],
  [{ text_input: 'p' }, "missing required input(s) ['max_tokens']"],
  [{ text_input: 7, max_tokens: 3 }, 'non-string'],
  [{ text_input: 'p', max_tokens: 3, stream: 'true' }, 'non-boolean'],
  [{ text_input: 'p', max_tokens: 3, unknown: ['x'] }, "parameter 'unknown' has invalid type"],
])('what the front end refuses is a JSON body under 400: %j', async (body, message) => {
  await using sim = await startTritonSim();
  const { status, type, text } = await stream(sim, body);
  expect(status).toBe(400);
  expect(type).toContain('application/json');
  expectValid('error', JSON.parse(text));
  expect(text.toLowerCase()).toContain(message);
});

test.each(BACKENDS)('%s: what the backend refuses is an event under 500', async (backend) => {
  await using sim = await startTritonSim({ backend, ctx: 16 });
  const body = { ...BODIES[backend], text_input: 'p'.repeat(20) };
  const { status, type, text } = await stream(sim, body);
  expect(status).toBe(500);
  expect(type).toContain('text/event-stream');
  expectValid('error', events(text)[0]);
});

const TIMEOUTS = { connectMs: 10_000, controlMs: 10_000, headersMs: 10_000, bodyMs: 10_000 };
const open = (sim: TritonSim) =>
  openTriton({ url: sim.url, timeouts: TIMEOUTS, maxStreams: 1, model: MODEL });
const SINK = { started() {}, tokens() {} };
const REQUEST = {
  taskId: 'task-1',
  correlationId: 'correlation-1',
  prompt: 'p',
  maxTokens: 3,
  seed: 1,
  deterministic: false,
  reuseKv: true,
  sampling: {
    temperature: 0,
    topK: 1,
    topP: 1,
    minP: 0,
    stop: ['§'],
    grammar: undefined,
    jsonSchema: undefined,
    logprobs: 0,
  },
};
const never = new AbortController().signal;

test('OC-ADAPT-5068 a model that is unloaded over the API is loading, not down', async () => {
  await using sim = await startTritonSim();
  await using adapter = open(sim);
  await adapter.submit(REQUEST, SINK, never);
  await post(sim, `/v2/repository/models/${MODEL}/unload`, {});
  expect(await adapter.health()).toEqual({ state: 'loading' });
  await expect(adapter.submit(REQUEST, SINK, never)).rejects.toMatchObject({ fault: 'not-ready' });
  await post(sim, `/v2/repository/models/${MODEL}/load`, {});
  expect(await adapter.health()).toEqual({ state: 'ready' });
  await adapter.submit(REQUEST, SINK, never);
});

test.each(BACKENDS)(
  'OC-ADAPT-5062 %s: the adapter sends inputs of the model only',
  async (backend) => {
    await using sim = await startTritonSim({ backend });
    await using adapter = open(sim);
    await adapter.submit(REQUEST, SINK, never);
    const { json } = await get(sim, `/v2/models/${MODEL}`);
    const { inputs } = json as { inputs: readonly { name: string }[] };
    const names = inputs.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(Object.keys(sim.lastCompletion ?? {})));
  },
);

test('OC-ADAPT-5062 a model of one response gives its text all the same', async () => {
  const extraConfig = { model_transaction_policy: { decoupled: false } };
  await using sim = await startTritonSim({ backend: 'llmapi', extraConfig });
  await using adapter = open(sim);
  const pieces: string[] = [];
  const sink = { started() {}, tokens: (more: readonly string[]) => void pieces.push(...more) };
  const result = await adapter.submit(REQUEST, sink, never);
  expect(sim.lastCompletion?.['streaming']).toBe(false);
  expect(pieces).toEqual([expectedPieces('p', 1, 3).join('')]);
  expect(result).toMatchObject({ finishReason: 'length' });
});

test('OC-ADAPT-5063 a model that calls another may repeat its text', async () => {
  const extraConfig = { platform: '', model_transaction_policy: { decoupled: true } };
  await using sim = await startTritonSim({ extraConfig, tokens: 50 });
  await using adapter = open(sim);
  const pieces: string[] = [];
  const sink = { started() {}, tokens: (more: readonly string[]) => void pieces.push(...more) };
  await adapter.submit({ ...REQUEST, maxTokens: 50 }, sink, never);
  expect(pieces.join('')).toBe(expectedPieces('p', 1, 50).join(''));
});

test('OC-ADAPT-5072 props tell the context where the configuration does', async () => {
  const extraConfig = { parameters: { max_seq_len: { string_value: '4096' } } };
  await using sim = await startTritonSim({ extraConfig });
  await using adapter = open(sim);
  expect(await adapter.props()).toMatchObject({ ctx: 4096, engineVersion: '2.73.0', chat: 'none' });
});
