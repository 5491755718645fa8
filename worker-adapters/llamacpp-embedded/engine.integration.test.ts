import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  complete,
  completeStream,
  post,
  startEngine,
  type EngineProcess,
} from './engine-process-fixture.ts';

let engine: EngineProcess;
beforeAll(async () => {
  engine = await startEngine('--slots', '2', '--ctx', '1024');
});
afterAll(async () => {
  await engine[Symbol.asyncDispose]();
});

const RAIN = '<|user|>Write a haiku about rain.<|end|><|assistant|>';

test('a chat is answered with a poem of three lines on its topic, which ends by itself', async () => {
  const messages = [{ role: 'user', content: 'Write a haiku about rain.' }];
  const { prompt } = (await post(engine, '/apply-template', { messages })) as { prompt: string };
  expect(prompt).toBe(RAIN);
  const answer = await complete(engine, { prompt, seed: 1 });
  expect(answer.content.split('\n')).toHaveLength(3);
  expect(answer.content).toContain('rain');
  expect(answer).toMatchObject({ stop_type: 'eos', truncated: false, tokens_evaluated: 9 });
  expect(answer.content).not.toContain('<|');
});

test('OC-EMBED-4123 a stream gives the text of a whole answer, one event per token', async () => {
  const whole = await complete(engine, { prompt: RAIN, seed: 3 });
  const objects = await completeStream(engine, { prompt: RAIN, seed: 3 });
  expect(objects.map((object) => object.content).join('')).toBe(whole.content);
  expect(objects.flatMap((object) => object.tokens)).toEqual(whole.tokens);
  expect(objects.length).toBe(whole.tokens_predicted + 1);
});

test('at temperature 0 the seed has no say', async () => {
  const ask = (seed: number) => complete(engine, { prompt: RAIN, seed, temperature: 0 });
  expect((await ask(1)).content).toBe((await ask(2)).content);
});

test('different seeds give different poems', async () => {
  const seeds = Array.from({ length: 16 }, (_, seed) => seed);
  const poems = await Promise.all(
    seeds.map(async (seed) => (await complete(engine, { prompt: RAIN, seed })).content),
  );
  expect(new Set(poems).size).toBeGreaterThan(8);
});

test('a stop string ends the answer before it', async () => {
  const { content } = await complete(engine, { prompt: RAIN, seed: 1 });
  const stopped = await complete(engine, { prompt: RAIN, seed: 1, stop: ['\n'] });
  expect(stopped.content).toBe(content.split('\n')[0]);
  expect(stopped).toMatchObject({ stop_type: 'word', stopping_word: '\n' });
});

test('a grammar and a JSON schema bind the text', async () => {
  const grammar = 'root ::= "yes" | "no"';
  expect((await complete(engine, { prompt: RAIN, seed: 1, grammar })).content).toMatch(
    /^(yes|no)$/,
  );
  const schema = { type: 'object', properties: { drops: { type: 'integer' } } };
  const answer = await complete(engine, { prompt: RAIN, seed: 1, json_schema: schema });
  expect(answer.stop_type).toBe('eos');
  expect(JSON.parse(answer.content)).toEqual({ drops: expect.any(Number) as number });
});

test('OC-EMBED-4147 a schema binds all of the text, or is refused', async () => {
  const ask = (json_schema: object, seed: number) =>
    complete(engine, { prompt: RAIN, seed, n_predict: 200, json_schema });
  const point = { type: 'object', properties: { x: { type: 'integer' } }, required: ['x'] };
  const schema = {
    $defs: { point },
    type: 'object',
    properties: {
      word: { type: 'string', maxLength: 8 },
      size: { anyOf: [{ $ref: '#/$defs/point' }, { type: 'null' }] },
      tags: { type: 'array', items: { enum: ['wet', 'dry'] }, minItems: 1, maxItems: 2 },
    },
  };
  const fits = new Ajv2020().compile(schema);
  for (let seed = 0; seed < 8; seed += 1) {
    const { content } = await ask(schema, seed);
    expect(fits(JSON.parse(content)), content).toBe(true);
  }
  expect(await ask({ type: 'string', pattern: '^a' }, 1)).toMatchObject({
    error: { code: 400, message: expect.stringContaining('pattern') as string },
  });
});

test('OC-EMBED-4141 a schema that only refers to itself is refused and harms nobody', async () => {
  const schema = { $defs: { a: { $ref: '#/$defs/a' } }, $ref: '#/$defs/a' };
  expect(await post(engine, '/completion', { prompt: RAIN, json_schema: schema })).toMatchObject({
    error: { code: 400 },
  });
  expect((await fetch(`${engine.url}/health`)).status).toBe(200);
});

test('a repetition penalty changes what is said, the same way each time', async () => {
  const body = { prompt: RAIN, seed: 5, temperature: 0 };
  const plain = await complete(engine, body);
  const penalised = await complete(engine, { ...body, repeat_penalty: 1.8 });
  expect(penalised.content).not.toBe(plain.content);
  const again = await complete(engine, { ...body, repeat_penalty: 1.8 });
  expect(again.content).toBe(penalised.content);
});

test('generation fills the context to its end and says so', async () => {
  const answer = await complete(engine, { prompt: RAIN, seed: 1, ignore_eos: true });
  expect(answer).toMatchObject({ stop_type: 'limit', truncated: true });
  expect(answer.tokens_evaluated + answer.tokens_predicted).toBe(1024);
});

test('OC-EMBED-4142 a prompt over the context is refused with both numbers', async () => {
  expect(await post(engine, '/completion', { prompt: RAIN.repeat(200) })).toMatchObject({
    error: { code: 400, type: 'exceed_context_size_error', n_ctx: 1024, n_prompt_tokens: 1800 },
  });
});

test('tokens go back to their text', async () => {
  const content = 'hé 😀 <|end|>';
  const { tokens } = (await post(engine, '/tokenize', { content })) as { tokens: number[] };
  expect(tokens.at(-1)).toBe(3);
  expect(await post(engine, '/detokenize', { tokens })).toEqual({ content });
});

test('OC-EMBED-4144 an abandoned stream frees its slot at once', async () => {
  const abort = new AbortController();
  const response = await fetch(`${engine.url}/completion`, {
    method: 'POST',
    body: JSON.stringify({ prompt: RAIN, seed: 1, ignore_eos: true, stream: true }),
    signal: abort.signal,
  });
  await response.body?.getReader().read();
  abort.abort();
  const slots = async () =>
    (await (await fetch(`${engine.url}/slots`)).json()) as { is_processing: boolean }[];
  while ((await slots()).some((slot) => slot.is_processing));
});

test('props and metrics tell the truth', async () => {
  const props = (await (await fetch(`${engine.url}/props`)).json()) as object;
  expect(props).toMatchObject({
    total_slots: 2,
    model_alias: 'tiny-haiku',
    default_generation_settings: { n_ctx: 1024 },
    llama_orch: { engine: 'llamacpp-embedded', exact_prefix_reuse: true },
    build_info: expect.stringMatching(/^node-llama-cpp-\d+\.\d+\.\d+\/\S+$/) as string,
  });
  const counted = async () => {
    const text = await (await fetch(`${engine.url}/metrics`)).text();
    return Number(/^llamacpp:tokens_predicted_total (\d+)$/m.exec(text)?.[1]);
  };
  const before = await counted();
  const { tokens_predicted: predicted } = await complete(engine, { prompt: RAIN, seed: 9 });
  expect((await counted()) - before).toBe(predicted);
});
