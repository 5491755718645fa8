import { expect, test } from 'vitest';
import type { TritonModel } from './model-config.ts';
import { toProps } from './props.ts';

const MODEL: TritonModel = {
  kind: 'vllm',
  inputs: new Set(['text_input']),
  streams: true,
  textOutput: 'delta',
  ctx: 4096,
  parts: ['m'],
};

test('OC-ADAPT-5011 the version is the server’s', () => {
  const server = { name: 'triton', version: '2.73.0', extensions: [] };
  expect(toProps(server, MODEL, 'm', undefined)).toEqual({
    engineVersion: '2.73.0',
    modelAlias: 'm',
    modelPath: undefined,
    modelDigest: undefined,
    slots: undefined,
    ctx: 4096,
    kvTokens: undefined,
    chunkTokens: undefined,
    chat: 'none',
    chatTemplate: undefined,
    exactPrefixReuse: false,
  });
  expect(toProps({}, MODEL, 'm', undefined).engineVersion).toBe('unknown');
});

test('OC-ADAPT-5071 chat is by the operator’s template', () => {
  expect(toProps({}, MODEL, 'm', '{{ x }}')).toMatchObject({
    chat: 'template',
    chatTemplate: '{{ x }}',
  });
});
