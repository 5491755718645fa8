import { expect, test } from 'vitest';
import { readProps } from './props.ts';

const PROPS = {
  default_generation_settings: { params: {}, n_ctx: 256 },
  total_slots: 2,
  model_alias: 'tiny',
  model_path: '/models/tiny.gguf',
  build_info: 'b1-de3ff81',
  chat_template: '{{ messages }}',
};

test('OC-ADAPT-5011 props are read as llama-server gives them', () => {
  expect(readProps(PROPS)).toEqual({
    engineVersion: 'b1-de3ff81',
    modelAlias: 'tiny',
    modelPath: '/models/tiny.gguf',
    slots: 2,
    ctx: 256,
    chatTemplate: '{{ messages }}',
    modelDigest: undefined,
    kvTokens: undefined,
    chunkTokens: undefined,
    chat: 'template',
    exactPrefixReuse: false,
  });
});

test('OC-ADAPT-5014 only a declared exact prefix reuse counts', () => {
  const declared = (value: unknown) =>
    readProps({ ...PROPS, llama_orch: { exact_prefix_reuse: value } }).exactPrefixReuse;
  expect([true, false, 'true', null].map(declared)).toEqual([true, false, false, false]);
});

test.each([
  null,
  {},
  { ...PROPS, total_slots: null },
  { ...PROPS, default_generation_settings: 1 },
])('without slots or context it is garbage: %j', (value) => {
  expect(() => readProps(value)).toThrow(expect.objectContaining({ fault: 'garbage' }));
});
