import { expect, test } from 'vitest';
import { readProps } from './props.ts';

const MODELS = {
  object: 'list',
  data: [
    {
      id: 'm',
      object: 'model',
      owned_by: 'vllm',
      root: '/models/m',
      parent: null,
      max_model_len: 8192,
    },
    {
      id: 'lora',
      object: 'model',
      owned_by: 'vllm',
      root: '/loras/a',
      parent: 'm',
      max_model_len: 4096,
    },
  ],
};
const ANSWERS = {
  version: { version: '0.29.0' },
  models: MODELS,
  exposition: 'vllm:cache_config_info{block_size="16",num_gpu_blocks="1000"} 1.0\n',
};

test('OC-ADAPT-5020 props are gathered from version, models and metrics', () => {
  expect(readProps(ANSWERS, undefined)).toEqual({
    engineVersion: '0.29.0',
    modelAlias: 'm',
    modelPath: '/models/m',
    modelDigest: undefined,
    slots: undefined,
    ctx: 8192,
    kvTokens: 16_000,
    chunkTokens: undefined,
    chat: 'engine',
    chatTemplate: undefined,
    exactPrefixReuse: false,
  });
});

test('OC-ADAPT-5020 they are of the model that is asked for', () => {
  expect(readProps(ANSWERS, 'lora')).toMatchObject({ modelAlias: 'lora', ctx: 4096 });
});

test('OC-ADAPT-5020 without metrics only the size of the KV cache is unknown', () => {
  const props = readProps({ ...ANSWERS, exposition: undefined }, undefined);
  expect(props).toMatchObject({ modelAlias: 'm', kvTokens: undefined });
});

test.each([
  [null, undefined],
  [{}, undefined],
  [{ data: [] }, undefined],
  [{ data: [{ id: 'm' }] }, undefined],
  [MODELS, 'other'],
])('OC-ADAPT-5020 without the model it is garbage: %j, %s', (models, model) => {
  expect(() => readProps({ ...ANSWERS, models }, model)).toThrow(
    expect.objectContaining({ fault: 'garbage' }),
  );
});
