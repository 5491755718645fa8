import { expect, test } from 'vitest';
import { readModelConfig } from './model-config.ts';

const inputs = (...names: readonly string[]) =>
  names.map((name) => ({ name, data_type: 'TYPE_STRING', dims: [1] }));
const parameter = (name: string, string_value: string) => ({
  parameters: { [name]: { string_value } },
});

const BLS = {
  name: 'tensorrt_llm_bls',
  platform: '',
  backend: 'python',
  model_transaction_policy: { decoupled: true },
  input: inputs('text_input', 'max_tokens', 'stream'),
};
const ENSEMBLE = {
  name: 'ensemble',
  platform: 'ensemble',
  input: inputs('text_input', 'max_tokens', 'stop_words'),
  ensemble_scheduling: {
    step: [{ model_name: 'preprocessing' }, { model_name: 'tensorrt_llm' }, {}],
  },
};
const LLMAPI = { name: 'tensorrt_llm', input: inputs('text_input', 'sampling_param_max_tokens') };
const VLLM = {
  name: 'vllm',
  backend: 'vllm',
  model_transaction_policy: { decoupled: true },
  input: inputs('text_input', 'sampling_parameters'),
};

test.each([
  ['ensemble', ENSEMBLE, 'trtllm', 'delta', true],
  ['tensorrt_llm_bls', BLS, 'trtllm', undefined, true],
  ['llmapi', LLMAPI, 'llmapi', 'cumulative', false],
  ['vllm', VLLM, 'vllm', 'delta', true],
])(
  'OC-ADAPT-5061 a configuration of %s is told by its inputs',
  (_name, config, kind, textOutput, streams) => {
    expect(readModelConfig(config)).toMatchObject({ kind, textOutput, streams, ctx: undefined });
  },
);

test.each([
  ['true', 'cumulative'],
  ['True', 'cumulative'],
  ['1', 'cumulative'],
  ['false', 'delta'],
  ['', undefined],
  ['${accumulate_tokens}', undefined],
])('OC-ADAPT-5063 accumulate_tokens "%s" means %s', (value, textOutput) => {
  const config = { ...BLS, ...parameter('accumulate_tokens', value) };
  expect(readModelConfig(config).textOutput).toBe(textOutput);
});

test('OC-ADAPT-5069 the metrics of an ensemble are those of its models too', () => {
  expect(readModelConfig(ENSEMBLE).parts).toEqual(['ensemble', 'preprocessing', 'tensorrt_llm']);
  const bls = { ...BLS, ...parameter('tensorrt_llm_model_name', 'engine') };
  expect(readModelConfig(bls).parts).toEqual(['tensorrt_llm_bls', 'engine']);
});

test.each([
  ['max_seq_len', '8192', 8192],
  ['max_model_len', '4096', 4096],
  ['max_seq_len', '${max_seq_len}', undefined],
  ['max_seq_len', '-1', undefined],
  ['max_tokens_in_paged_kv_cache', '8192', undefined],
])('OC-ADAPT-5072 a parameter %s of "%s" means a context of %s', (name, value, ctx) => {
  expect(readModelConfig({ ...VLLM, ...parameter(name, value) }).ctx).toBe(ctx);
});

test.each([
  ['no object', null],
  ['no inputs', { name: 'x' }],
  ['an image classifier', { name: 'resnet', input: inputs('image') }],
  ['token ids instead of text', { name: 'tensorrt_llm', input: inputs('input_ids', 'max_tokens') }],
])('OC-ADAPT-5061 %s is garbage', (_name, config) => {
  expect(() => readModelConfig(config)).toThrow(expect.objectContaining({ fault: 'garbage' }));
});
