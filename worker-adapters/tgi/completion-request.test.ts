import { expect, test } from 'vitest';
import { requestOf } from '../api/conformance-kit.ts';
import type { TextRequest } from '../api/conformance-kit.ts';
import type { Sampling } from '../api/types.ts';
import { toChatBody, toGenerateBody } from './completion-request.ts';

type Body = Readonly<Record<string, unknown>>;

const LIMITS = { stopStrings: 4 };
const MESSAGES = [{ role: 'user', content: 'why?' }];

const bodyOf = (change: Partial<TextRequest> = {}) => {
  const request = requestOf(change);
  return JSON.parse(toGenerateBody(request, request.prompt, LIMITS)) as Body;
};
const chatBodyOf = (change: Partial<TextRequest> = {}, messages = MESSAGES) =>
  JSON.parse(toChatBody(requestOf(change), messages, 12, LIMITS)) as Body;
const sampled = (change: Partial<Sampling>): Partial<TextRequest> => ({
  sampling: { ...requestOf().sampling, ...change },
});
const parametersOf = (change: Partial<TextRequest>) => bodyOf(change)['parameters'] as Body;

test('ORCH-3058 OC-ADAPT-5010 text: every field that shapes the output is named', () => {
  expect(bodyOf()).toMatchInlineSnapshot(`
    {
      "inputs": "Write a haiku about the-quick-brown-secret.",
      "parameters": {
        "decoder_input_details": false,
        "details": true,
        "do_sample": true,
        "frequency_penalty": 0,
        "max_new_tokens": 12,
        "repetition_penalty": 1,
        "return_full_text": false,
        "seed": 42,
        "stop": [],
        "temperature": 0.8,
        "top_k": 40,
        "top_p": 0.95,
        "watermark": false,
      },
    }
  `);
});

test('OC-ADAPT-5010 OC-ADAPT-5041 messages: every field that shapes the output is named', () => {
  expect(chatBodyOf()).toMatchInlineSnapshot(`
    {
      "frequency_penalty": 0,
      "logprobs": false,
      "max_tokens": 12,
      "messages": [
        {
          "content": "why?",
          "role": "user",
        },
      ],
      "model": "tgi",
      "seed": 42,
      "stop": [],
      "stream": true,
      "stream_options": {
        "include_usage": true,
      },
      "temperature": 0.8,
      "top_p": 0.95,
    }
  `);
});

test.each([{ temperature: 0 }, { temperature: 1e-50 }, { topK: 1 }, { topP: 0 }])(
  'OC-ADAPT-5042 samplers that leave one token are sent as greedy, and no sampler beside: %o',
  (change) => {
    const parameters = parametersOf(sampled(change));
    expect(parameters).toMatchObject({ do_sample: false });
    for (const sampler of ['temperature', 'top_k', 'top_p', 'typical_p']) {
      expect(parameters).not.toHaveProperty(sampler);
    }
    const chat = chatBodyOf(sampled(change));
    expect(chat).toMatchObject({ temperature: 0 });
    expect(chat).not.toHaveProperty('top_p');
  },
);

test('OC-ADAPT-5042 samplers that are off are left out', () => {
  const off = sampled({ temperature: 1, topK: 0, topP: 1 });
  const parameters = parametersOf(off);
  expect(parameters).toMatchObject({ do_sample: true, temperature: 1 });
  expect(parameters).not.toHaveProperty('top_k');
  expect(parameters).not.toHaveProperty('top_p');
  expect(chatBodyOf(off)).not.toHaveProperty('top_p');
  expect(parametersOf(sampled({ topP: 0.999_999_999 }))).not.toHaveProperty('top_p');
});

test('OC-ADAPT-5043 no field of another engine is sent', () => {
  for (const body of [parametersOf({}), chatBodyOf()]) expect(body).not.toHaveProperty('min_p');
  for (const field of ['top_k', 'presence_penalty']) expect(chatBodyOf()).not.toHaveProperty(field);
});

test('OC-ADAPT-5043 a schema becomes a grammar of type json, a GBNF grammar is permanent', () => {
  const schema = { type: 'object', properties: {} };
  const grammar = { type: 'json', value: schema };
  expect(parametersOf(sampled({ jsonSchema: schema }))).toMatchObject({ grammar });
  expect(chatBodyOf(sampled({ jsonSchema: schema }))).toMatchObject({ response_format: grammar });
  for (const send of [bodyOf, chatBodyOf]) {
    expect(() => send(sampled({ grammar: 'root ::= "a"' }))).toThrow(
      expect.objectContaining({ fault: 'permanent' }),
    );
  }
});

test('OC-ADAPT-5053 no bound on tokens leaves max_new_tokens out', () => {
  expect(parametersOf({ maxTokens: undefined })).not.toHaveProperty('max_new_tokens');
});

test('OC-ADAPT-5044 no more stop strings are sent than the engine takes', () => {
  const stop = ['a', 'b', 'c', 'd', 'e'];
  expect(parametersOf(sampled({ stop }))).toMatchObject({ stop: ['a', 'b', 'c', 'd'] });
  expect(chatBodyOf(sampled({ stop }))).toMatchObject({ stop: ['a', 'b', 'c', 'd'] });
});

test('a lone surrogate becomes the replacement character', () => {
  const change = { prompt: 'a\ud800', ...sampled({ stop: ['\udc00'] }) };
  expect(bodyOf(change)).toMatchObject({ inputs: 'a\ufffd', parameters: { stop: ['\ufffd'] } });
  const messages = [{ role: 'user', content: '\ud800' }];
  expect(chatBodyOf(change, messages)).toMatchObject({
    messages: [{ role: 'user', content: '\ufffd' }],
    stop: ['\ufffd'],
  });
});
