import { expect, test } from 'vitest';
import { requestOf } from '../api/conformance-kit.ts';
import type { EngineRequest, Sampling } from '../api/types.ts';
import { toVllmBody } from './completion-request.ts';

const bodyOf = (change: Partial<EngineRequest>, sampling: Partial<Sampling> = {}) => {
  const base = requestOf();
  const request = { ...base, ...change, sampling: { ...base.sampling, ...sampling } };
  return JSON.parse(toVllmBody(request, 12, 'm')) as Record<string, unknown>;
};

test('OC-ADAPT-5021 every value that vLLM would take from elsewhere is named', () => {
  expect(bodyOf({})).toMatchInlineSnapshot(`
    {
      "add_special_tokens": true,
      "echo": false,
      "frequency_penalty": 0,
      "ignore_eos": false,
      "include_stop_str_in_output": false,
      "max_tokens": 12,
      "min_p": 0.05,
      "min_tokens": 0,
      "model": "m",
      "n": 1,
      "presence_penalty": 0,
      "prompt": "Write a haiku about the-quick-brown-secret.",
      "repetition_penalty": 1,
      "seed": 42,
      "skip_special_tokens": true,
      "spaces_between_special_tokens": true,
      "stop": [],
      "stream": true,
      "stream_options": {
        "include_usage": true,
      },
      "temperature": 0.8,
      "top_k": 40,
      "top_p": 0.95,
    }
  `);
});

test('OC-ADAPT-5021 messages are sent for the template of the engine', () => {
  const messages = [{ role: 'user', content: 'why?' }];
  const body = bodyOf({ prompt: messages });
  expect(body).toMatchObject({
    messages,
    max_completion_tokens: 12,
    add_generation_prompt: true,
    add_special_tokens: false,
    repetition_penalty: 1,
  });
  expect(body).not.toHaveProperty('prompt');
});

test('OC-ADAPT-5021 values vLLM refuses are sent as those that mean the same', () => {
  expect(bodyOf({}, { topK: 0, topP: 0 })).toMatchObject({ top_k: -1, top_p: 1e-6 });
  expect(bodyOf({}, { topK: 1, topP: 1, temperature: 0 })).toMatchObject({
    top_k: 1,
    top_p: 1,
    temperature: 0,
  });
});

test('OC-ADAPT-5022 a cold start salts the prefix cache, and nothing else does', () => {
  expect(bodyOf({ reuseKv: false })).toMatchObject({ cache_salt: 'task-1' });
  expect(bodyOf({ reuseKv: true })).not.toHaveProperty('cache_salt');
});

test('a grammar wins over a schema, and only one is sent', () => {
  const schema = { type: 'object' };
  const both = bodyOf({}, { grammar: 'root ::= "a"', jsonSchema: schema });
  expect(both).toMatchObject({ structured_outputs: { grammar: 'root ::= "a"' } });
  expect(both).not.toHaveProperty('response_format');
  const one = bodyOf({}, { jsonSchema: schema });
  expect(one).toMatchObject({
    response_format: { type: 'json_schema', json_schema: { name: 'output', schema } },
  });
  expect(one).not.toHaveProperty('structured_outputs');
});

test('probabilities are of texts, whatever flag the engine was started with', () => {
  expect(bodyOf({}, { logprobs: 3 })).toMatchObject({
    logprobs: 3,
    return_tokens_as_token_ids: false,
  });
});
