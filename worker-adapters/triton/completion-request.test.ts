import { expect, test } from 'vitest';
import { requestOf } from '../api/conformance-kit.ts';
import type { TextRequest } from '../api/conformance-kit.ts';
import type { Sampling } from '../api/types.ts';
import { toGenerateRequest } from './completion-request.ts';
import type { ModelKind, TritonModel } from './model-config.ts';

const TRTLLM_INPUTS = [
  ...['text_input', 'max_tokens', 'stop_words', 'bad_words', 'stream', 'exclude_input_in_output'],
  ...['temperature', 'top_k', 'top_p', 'seed', 'min_tokens', 'beam_width', 'repetition_penalty'],
  ...['presence_penalty', 'frequency_penalty', 'return_log_probs', 'return_num_input_tokens'],
  ...['return_num_output_tokens', 'guided_decoding_guide_type', 'guided_decoding_guide'],
];
const LLMAPI_SAMPLING = [
  ...[
    'max_tokens',
    'exclude_input_from_output',
    'temperature',
    'top_k',
    'top_p',
    'seed',
    'best_of',
  ],
  ...['presence_penalty', 'frequency_penalty', 'stop'],
];
const INPUTS: Record<ModelKind, readonly string[]> = {
  trtllm: TRTLLM_INPUTS,
  llmapi: [
    ...['text_input', 'streaming', 'return_finish_reason', 'stop'],
    ...LLMAPI_SAMPLING.map((name) => `sampling_param_${name}`),
  ],
  vllm: [
    ...['text_input', 'stream', 'exclude_input_in_output', 'sampling_parameters'],
    ...['return_finish_reason', 'return_num_input_tokens', 'return_num_output_tokens'],
  ],
};

const modelOf = (kind: ModelKind, change: Partial<TritonModel> = {}): TritonModel => ({
  kind,
  inputs: new Set(INPUTS[kind]),
  streams: true,
  textOutput: undefined,
  ctx: undefined,
  parts: [],
  ...change,
});

const bodyOf = (
  kind: ModelKind,
  change: Partial<TextRequest> = {},
  model: Partial<TritonModel> = {},
) => {
  const request = requestOf(change);
  const { body } = toGenerateRequest(request, request.prompt, modelOf(kind, model));
  return JSON.parse(body) as Record<string, unknown>;
};
const sampled = (change: Partial<Sampling>) => ({
  sampling: { ...requestOf().sampling, ...change },
});
const vllmSampling = (change: Partial<TextRequest> = {}) =>
  JSON.parse(String(bodyOf('vllm', change)['sampling_parameters'])) as Record<string, unknown>;

test('OC-ADAPT-5070 TensorRT-LLM is sent every input that shapes the text', () => {
  expect(bodyOf('trtllm')).toMatchInlineSnapshot(`
    {
      "bad_words": "",
      "beam_width": 1,
      "exclude_input_in_output": true,
      "frequency_penalty": 0,
      "max_tokens": 12,
      "min_tokens": 0,
      "presence_penalty": 0,
      "repetition_penalty": 1,
      "return_log_probs": false,
      "return_num_input_tokens": true,
      "return_num_output_tokens": true,
      "seed": 42,
      "stop_words": "",
      "stream": true,
      "temperature": 0.8,
      "text_input": "Write a haiku about the-quick-brown-secret.",
      "top_k": 40,
      "top_p": 0.95,
    }
  `);
});

test('OC-ADAPT-5070 so is the LLM API', () => {
  expect(bodyOf('llmapi')).toMatchInlineSnapshot(`
    {
      "return_finish_reason": true,
      "sampling_param_best_of": 1,
      "sampling_param_exclude_input_from_output": true,
      "sampling_param_frequency_penalty": 0,
      "sampling_param_max_tokens": 12,
      "sampling_param_presence_penalty": 0,
      "sampling_param_seed": 42,
      "sampling_param_temperature": 0.8,
      "sampling_param_top_k": 40,
      "sampling_param_top_p": 0.95,
      "streaming": true,
      "text_input": "Write a haiku about the-quick-brown-secret.",
    }
  `);
});

test('OC-ADAPT-5070 vLLM is sent its sampling as JSON in JSON', () => {
  expect(bodyOf('vllm')).toMatchInlineSnapshot(`
    {
      "exclude_input_in_output": true,
      "return_finish_reason": true,
      "return_num_input_tokens": true,
      "return_num_output_tokens": true,
      "sampling_parameters": "{"n":1,"max_tokens":12,"min_tokens":0,"temperature":0.8,"top_k":40,"top_p":0.95,"min_p":0.05,"seed":42,"stop":[],"include_stop_str_in_output":false,"ignore_eos":false,"skip_special_tokens":true,"repetition_penalty":1,"presence_penalty":0,"frequency_penalty":0}",
      "stream": true,
      "text_input": "Write a haiku about the-quick-brown-secret.",
    }
  `);
});

test('OC-ADAPT-5062 inputs that the model does not have are left out', () => {
  const inputs = new Set(['text_input', 'max_tokens']);
  expect(Object.keys(bodyOf('trtllm', {}, { inputs })).sort()).toEqual([
    'max_tokens',
    'text_input',
  ]);
});

test.each([
  ['trtllm', 'stream'],
  ['llmapi', 'streaming'],
] as const)('OC-ADAPT-5062 %s of one response is not asked for a stream', (kind, name) => {
  expect(bodyOf(kind, {}, { streams: false })[name]).toBe(false);
  expect(bodyOf(kind)[name]).toBe(true);
});

test.each([{ temperature: 0 }, { topP: 0 }])('OC-ADAPT-5070 %o is greedy', (change) => {
  expect(bodyOf('trtllm', sampled(change))).toMatchObject({ temperature: 1, top_k: 1, top_p: 1 });
  expect(bodyOf('llmapi', sampled(change))).toMatchObject({
    sampling_param_temperature: 1,
    sampling_param_top_k: 1,
    sampling_param_top_p: 1,
  });
  const { temperature, top_p } = vllmSampling(sampled(change));
  expect(temperature).toBe(0);
  expect(top_p).toBeGreaterThan(0);
});

test('OC-ADAPT-5070 top_k is off in the way of each', () => {
  expect(bodyOf('trtllm', sampled({ topK: 0 }))['top_k']).toBe(0);
  expect(vllmSampling(sampled({ topK: 0 }))['top_k']).toBe(-1);
});

test('OC-ADAPT-5070 without a bound TensorRT-LLM is given one', () => {
  expect(bodyOf('trtllm', { maxTokens: undefined })['max_tokens']).toBe(1024);
  expect(bodyOf('llmapi', { maxTokens: undefined })['sampling_param_max_tokens']).toBe(1024);
  expect(vllmSampling({ maxTokens: undefined })['max_tokens']).toBe(2 ** 20);
});

test('OC-ADAPT-5065 stop strings are sent as each takes them', () => {
  const stop = ['\n\n', 'END\udc00'];
  const sent = ['\n\n', 'END\ufffd'];
  expect(bodyOf('trtllm', sampled({ stop }))['stop_words']).toEqual(sent);
  expect(bodyOf('llmapi', sampled({ stop }))['sampling_param_stop']).toEqual(sent);
  expect(vllmSampling(sampled({ stop }))['stop']).toEqual(sent);
});

test('OC-ADAPT-5070 a grammar or a schema is sent as each takes it', () => {
  const grammar = 'root ::= "a"';
  const jsonSchema = { type: 'object' };
  expect(bodyOf('trtllm', sampled({ grammar, jsonSchema }))).toMatchObject({
    guided_decoding_guide_type: 'ebnf_grammar',
    guided_decoding_guide: grammar,
  });
  expect(bodyOf('trtllm', sampled({ jsonSchema }))).toMatchObject({
    guided_decoding_guide_type: 'json_schema',
    guided_decoding_guide: JSON.stringify(jsonSchema),
  });
  const structured = (change: Partial<Sampling>) =>
    JSON.parse(String(vllmSampling(sampled(change))['structured_outputs'])) as unknown;
  expect(structured({ grammar, jsonSchema })).toEqual({ grammar });
  expect(structured({ jsonSchema })).toEqual({ json: jsonSchema });
});

test.each(['trtllm', 'llmapi'] as const)(
  'OC-ADAPT-5070 a grammar that %s has no input for is refused, not dropped',
  (kind) => {
    const inputs = new Set(INPUTS[kind].filter((name) => !name.startsWith('guided')));
    expect(() => bodyOf(kind, sampled({ grammar: 'root ::= "a"' }), { inputs })).toThrow(
      expect.objectContaining({ fault: 'permanent' }),
    );
  },
);

test('a lone surrogate becomes the replacement character', () => {
  expect(bodyOf('vllm', { prompt: 'a\ud800' })['text_input']).toBe('a\ufffd');
});
