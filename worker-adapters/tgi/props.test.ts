import { expect, test } from 'vitest';
import { readInfo } from './props.ts';

const INFO = {
  model_id: 'bigscience/bloom-560m',
  model_sha: 'e985a63cdc139290c5f700ff1929f0b5942cced2',
  model_pipeline_tag: null,
  max_concurrent_requests: 128,
  max_best_of: 2,
  max_stop_sequences: 6,
  max_input_tokens: 4095,
  max_total_tokens: 4096,
  validation_workers: 2,
  max_client_batch_size: 4,
  router: 'text-generation-router',
  version: '3.3.6',
  sha: 'db931fcf',
  docker_label: 'sha-db931fc',
};

test('OC-ADAPT-5048 info is read as TGI gives it', () => {
  expect(readInfo(INFO, 2048)).toEqual({
    props: {
      engineVersion: '3.3.6-db931fcf',
      modelAlias: 'bigscience/bloom-560m',
      modelPath: undefined,
      modelDigest: undefined,
      slots: 128,
      ctx: 4096,
      kvTokens: 2048,
      chunkTokens: undefined,
      chat: 'engine',
      chatTemplate: undefined,
      exactPrefixReuse: false,
    },
    limits: { stopStrings: 6 },
  });
});

test('OC-ADAPT-5048 a model from a folder is known by its path', () => {
  expect(readInfo({ ...INFO, model_id: '/models/m' }, undefined).props).toMatchObject({
    modelAlias: '/models/m',
    modelPath: '/models/m',
    kvTokens: undefined,
  });
});

test('OC-ADAPT-5048 what may be missing', () => {
  expect(readInfo({ max_total_tokens: 64 }, undefined)).toMatchObject({
    props: { engineVersion: 'unknown', modelAlias: '', slots: undefined, ctx: 64 },
    limits: { stopStrings: 4 },
  });
  expect(readInfo({ ...INFO, sha: null }, undefined).props.engineVersion).toBe('3.3.6');
});

test.each([null, {}, [], { ...INFO, max_total_tokens: '4096' }])(
  'OC-ADAPT-5048 without a context it is garbage: %j',
  (value) => {
    expect(() => readInfo(value, undefined)).toThrow(expect.objectContaining({ fault: 'garbage' }));
  },
);
