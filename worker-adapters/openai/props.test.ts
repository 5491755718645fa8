import { expect, test } from 'vitest';
import { findModel, readProps } from './props.ts';

const list = (...models: object[]) => ({ object: 'list', data: models });
const M = { id: 'm', object: 'model', created: 1, owned_by: 'x' };
const MODELS = list(M);
const GENERIC = { flavor: 'generic', info: undefined } as const;
const HEX = 'ab'.repeat(32);

test('OC-ADAPT-5085 an unknown server tells nothing but its model', () => {
  expect(readProps({ identity: GENERIC, models: MODELS }, 'm')).toEqual({
    engineVersion: 'unknown',
    modelAlias: 'm',
    modelPath: undefined,
    modelDigest: undefined,
    slots: undefined,
    ctx: undefined,
    kvTokens: undefined,
    chunkTokens: undefined,
    chat: 'engine',
    chatTemplate: undefined,
    exactPrefixReuse: false,
  });
});

test('OC-ADAPT-5085 SGLang tells its sizes', () => {
  const info = {
    version: '0.5.4',
    model_path: '/models/m',
    max_running_requests: 16,
    max_total_num_tokens: 100_000,
    chunked_prefill_size: 8192,
  };
  const models = list({ ...M, id: 'other', max_model_len: 1 }, { ...M, max_model_len: 8192 });
  expect(readProps({ identity: { flavor: 'sglang', info }, models }, 'm')).toMatchObject({
    engineVersion: 'sglang 0.5.4',
    modelPath: '/models/m',
    slots: 16,
    ctx: 8192,
    kvTokens: 100_000,
    chunkTokens: 8192,
  });
});

test.each([null, -1, 0, 'many'])('OC-ADAPT-5085 %j of a server is no size', (size) => {
  const info = {
    version: '1',
    model_path: '/m',
    max_running_requests: size,
    chunked_prefill_size: size,
  };
  const models = list({ ...M, max_model_len: size });
  const props = readProps({ identity: { flavor: 'sglang', info }, models }, 'm');
  expect(props).toMatchObject({ slots: undefined, ctx: undefined, chunkTokens: undefined });
});

test.each([
  [HEX, `sha256:${HEX}`],
  [`sha256:${HEX}`, `sha256:${HEX}`],
  ['', undefined],
  ['abc', undefined],
  [undefined, undefined],
])('OC-ADAPT-5085 Ollama’s digest %j is %j', (digest, modelDigest) => {
  const identity = { flavor: 'ollama', info: { version: '0.12.0' } } as const;
  const tags = {
    models: [
      { name: 'other:1b', digest: 'x' },
      { name: 'm:latest', digest },
    ],
  };
  const running = { models: [{ name: 'm:latest', context_length: 4096 }] };
  expect(readProps({ identity, models: MODELS, tags, running }, 'm')).toMatchObject({
    engineVersion: 'ollama 0.12.0',
    modelDigest,
    ctx: 4096,
  });
});

test.each([
  ['v0, loaded', list({ id: 'm', max_context_length: 9, loaded_context_length: 4 }), 4],
  ['v0, not loaded', list({ id: 'm', max_context_length: 9 }), undefined],
  [
    'v1, loaded',
    { models: [{ key: 'm', loaded_instances: [{ id: 'm', config: { context_length: 4 } }] }] },
    4,
  ],
  ['v1, not loaded', { models: [{ key: 'm', loaded_instances: [] }] }, undefined],
])('OC-ADAPT-5085 LM Studio’s context: %s', (_name, info, ctx) => {
  const identity = { flavor: 'lmstudio', info } as const;
  expect(readProps({ identity, models: MODELS }, 'm').ctx).toBe(ctx);
});

test('OC-ADAPT-5082 the model is the one configured, or the only one', () => {
  expect(findModel(list({ id: 'a' }, { id: 'b' }), 'b').id).toBe('b');
  expect(findModel(list({ id: 'a:latest' }, { id: 'a:7b' }), 'a').id).toBe('a:latest');
  expect(findModel(list({ id: 'a' }), undefined).id).toBe('a');
});

test.each([
  ['not listed', list({ id: 'a' }), 'b', 'permanent', 'the server does not list b'],
  ['one of several', list({ id: 'a' }, { id: 'b' }), undefined, 'permanent', /2 models: name one/],
  ['one of none', list(), undefined, 'permanent', /0 models/],
  ['in no list', { error: 'x' }, 'a', 'garbage', /no list of models/],
])('OC-ADAPT-5082 a model that is %s', (_name, models, configured, fault, message) => {
  expect(() => findModel(models, configured)).toThrow(expect.objectContaining({ fault }));
  expect(() => findModel(models, configured)).toThrow(message);
});
