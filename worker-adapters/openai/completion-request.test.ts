import { expect, test } from 'vitest';
import { requestOf } from '../api/conformance-kit.ts';
import type { EngineRequest, Sampling } from '../api/types.ts';
import { toCompletionBody } from './completion-request.ts';
import type { Flavor } from './flavor.ts';

const FLAVORS: readonly Flavor[] = ['generic', 'sglang', 'ollama', 'lmstudio'];
const MESSAGES = [{ role: 'user', content: 'why?' }];

const bodyOf = (change: Partial<EngineRequest> = {}, flavor: Flavor = 'generic') =>
  JSON.parse(toCompletionBody({ ...requestOf(), ...change }, { flavor, model: 'm' })) as Record<
    string,
    unknown
  >;
const sampled = (change: Partial<Sampling>): Partial<EngineRequest> => ({
  sampling: { ...requestOf().sampling, ...change },
});

const OPENAI_FIELDS = [
  ...['echo', 'frequency_penalty', 'max_tokens', 'model', 'n', 'presence_penalty', 'prompt'],
  ...['seed', 'stream', 'stream_options', 'temperature', 'top_p'],
];

test.each(['generic', 'ollama'] as const)(
  'OC-ADAPT-5083 %s gets OpenAI’s own fields, all of them with a value',
  (flavor) => {
    const body = bodyOf({}, flavor);
    expect(Object.keys(body).sort()).toEqual(OPENAI_FIELDS);
    expect(body).toMatchObject({
      model: 'm',
      temperature: 0.8,
      top_p: 0.95,
      seed: 42,
      max_tokens: 12,
      presence_penalty: 0,
      frequency_penalty: 0,
      stream: true,
      stream_options: { include_usage: true },
    });
  },
);

test('OC-ADAPT-5083 SGLang gets its sampling fields as well', () => {
  expect(bodyOf({}, 'sglang')).toMatchObject({
    top_k: 40,
    min_p: 0.05,
    repetition_penalty: 1,
    min_tokens: 0,
    ignore_eos: false,
    skip_special_tokens: true,
    no_stop_trim: false,
  });
  expect(bodyOf(sampled({ topK: 0 }), 'sglang')['top_k']).toBe(-1);
});

test('OC-ADAPT-5083 LM Studio gets two fields more', () => {
  expect(bodyOf({}, 'lmstudio')).toMatchObject({ top_k: 40, repeat_penalty: 1 });
});

test('messages stand where the text would', () => {
  const body = bodyOf({ prompt: MESSAGES });
  expect(body['messages']).toEqual(MESSAGES);
  expect(body).not.toHaveProperty('prompt');
  expect(body).not.toHaveProperty('echo');
});

test('stop strings are sent where there are any', () => {
  expect(bodyOf()).not.toHaveProperty('stop');
  expect(bodyOf(sampled({ stop: ['\n', '\ud800'] }))['stop']).toEqual(['\n', '\ufffd']);
});

test('OC-ADAPT-5084 text without a bound is given one where the server stops early', () => {
  const bounds = (prompt: EngineRequest['prompt']) =>
    FLAVORS.map((flavor) => bodyOf({ prompt, maxTokens: undefined }, flavor)['max_tokens']);
  expect(bounds('p')).toEqual([1024, 1024, undefined, undefined]);
  expect(bounds(MESSAGES)).toEqual([undefined, undefined, undefined, undefined]);
});

test('OC-ADAPT-5018 probabilities are asked for within what the server takes', () => {
  const asked = (prompt: EngineRequest['prompt'], flavor: Flavor) => {
    const { logprobs, top_logprobs } = bodyOf({ ...sampled({ logprobs: 20 }), prompt }, flavor);
    return [logprobs, top_logprobs];
  };
  expect(FLAVORS.map((flavor) => asked('p', flavor)[0])).toEqual([5, 20, 5, undefined]);
  expect(asked(MESSAGES, 'generic')).toEqual([true, 20]);
  expect(asked(MESSAGES, 'lmstudio')).toEqual([undefined, undefined]);
  expect(bodyOf()).not.toHaveProperty('logprobs');
});

const SCHEMA = { type: 'object' };
const FORMAT = { type: 'json_schema', json_schema: { schema: SCHEMA } };

test('OC-ADAPT-5090 a schema goes with messages, and with text to SGLang', () => {
  const schema = sampled({ jsonSchema: SCHEMA });
  for (const flavor of FLAVORS) {
    const body = bodyOf({ ...schema, prompt: MESSAGES }, flavor);
    expect(body['response_format']).toMatchObject(FORMAT);
  }
  expect(bodyOf(schema, 'sglang')['response_format']).toMatchObject(FORMAT);
});

test('OC-ADAPT-5090 a grammar goes to SGLang, and wins over a schema', () => {
  const body = bodyOf(sampled({ grammar: 'root ::= "a"', jsonSchema: SCHEMA }), 'sglang');
  expect(body['ebnf']).toBe('root ::= "a"');
  expect(body).not.toHaveProperty('response_format');
});

test.each(['generic', 'ollama', 'lmstudio'] as const)(
  'OC-ADAPT-5090 %s is sent nothing that it would drop without a word',
  (flavor) => {
    const permanent = expect.objectContaining({ fault: 'permanent' }) as Error;
    expect(() => bodyOf(sampled({ grammar: 'root ::= "a"' }), flavor)).toThrow(permanent);
    const grammar = { ...sampled({ grammar: 'root ::= "a"' }), prompt: MESSAGES };
    expect(() => bodyOf(grammar, flavor)).toThrow(permanent);
    expect(() => bodyOf(sampled({ jsonSchema: SCHEMA }), flavor)).toThrow(permanent);
  },
);
