import { expect, test } from 'vitest';
import { createGenerateReader } from './completion-stream.ts';
import type { StreamSettings } from './completion-stream.ts';
import type { ModelKind, TritonModel } from './model-config.ts';

const modelOf = (kind: ModelKind, change: Partial<TritonModel> = {}): TritonModel => ({
  kind,
  inputs: new Set(kind === 'trtllm' ? ['text_input'] : ['text_input', 'return_finish_reason']),
  streams: true,
  textOutput: kind === 'llmapi' ? 'cumulative' : 'delta',
  ctx: undefined,
  parts: [],
  ...change,
});

/** Reads the responses of one stream and its clean end. */
const readAll = (
  model: TritonModel,
  responses: readonly unknown[],
  settings: Partial<StreamSettings> = {},
) => {
  const reader = createGenerateReader({
    model,
    textOutput: undefined,
    maxTokens: 10,
    stop: [],
    ...settings,
  });
  const pieces: string[] = [];
  for (const response of responses) {
    const data = typeof response === 'string' ? response : JSON.stringify(response);
    const result = reader.read(data, pieces);
    if (result !== undefined) return { pieces, result, isEarly: true };
  }
  return { pieces, result: reader.readEnd(pieces), isEarly: false };
};

const vllm = (text_output: string, finish_reason = 'None', num_output_tokens = 1) => ({
  model_name: 'm',
  model_version: '1',
  text_output,
  finish_reason,
  num_input_tokens: 7,
  num_output_tokens,
});
const plain = (text_output: string) => ({ model_name: 'm', model_version: '1', text_output });

test('OC-ADAPT-5066 counts are the sums of what the responses say', () => {
  const { pieces, result } = readAll(modelOf('vllm'), [
    vllm('a'),
    vllm(' b', 'None', 3),
    vllm('', 'stop', 0),
  ]);
  expect(pieces).toEqual(['a', ' b']);
  expect(result).toEqual({
    finishReason: 'stop',
    tokensIn: 7,
    tokensOut: 4,
    cachedTokens: 0,
    decodeMs: undefined,
    slotId: undefined,
  });
});

test('OC-ADAPT-5066 else responses that add text are counted', () => {
  const { result } = readAll(modelOf('trtllm'), [plain('a'), plain(''), plain('b')]);
  expect(result).toMatchObject({ tokensIn: 0, tokensOut: 2, finishReason: 'stop' });
});

test.each([
  ['stop', 'stop'],
  ['length', 'length'],
])('OC-ADAPT-5064 a told finish reason is taken: %s', (told, finishReason) => {
  expect(readAll(modelOf('vllm'), [vllm('a', told)]).result).toMatchObject({ finishReason });
});

test.each(['abort', 'cancelled', 'timeout', 'error'])(
  'OC-ADAPT-5064 a model that ends by "%s" is broken',
  (told) => {
    expect(() => readAll(modelOf('llmapi'), [{ ...plain('a'), finish_reason: told }])).toThrow(
      expect.objectContaining({ fault: 'broken' }),
    );
  },
);

test('OC-ADAPT-5064 an end before a promised finish reason, or before any response, is none', () => {
  expect(readAll(modelOf('vllm'), [vllm('a')]).result).toBeUndefined();
  expect(readAll(modelOf('trtllm'), []).result).toBeUndefined();
  expect(readAll(modelOf('trtllm'), [plain('a')]).result).toBeDefined();
});

test('OC-ADAPT-5064 without a finish reason the counts tell a length', () => {
  const counted = (num_output_tokens: number) => ({
    ...plain('a'),
    num_input_tokens: 90,
    num_output_tokens,
  });
  const finishOf = (tokens: number, ctx?: number) =>
    readAll(modelOf('trtllm', { ctx }), [counted(tokens)]).result?.finishReason;
  expect(finishOf(9)).toBe('stop');
  expect(finishOf(10)).toBe('length');
  expect(finishOf(9, 99)).toBe('length');
  expect(finishOf(8, 99)).toBe('stop');
});

test('OC-ADAPT-5065 the text ends before a stop string that the model keeps or goes on after', () => {
  const responses = [plain('one'), plain(' tw'), plain('o three'), plain(' four')];
  const { pieces, result, isEarly } = readAll(modelOf('trtllm'), responses, { stop: ['two'] });
  expect(pieces.join('')).toBe('one ');
  expect(result).toMatchObject({ finishReason: 'stop' });
  expect(isEarly).toBe(true);
});

test('OC-ADAPT-5065 what is taken back with the last response is not given out', () => {
  const all = (text_output: string, finish_reason = 'None') => ({
    ...plain(text_output),
    finish_reason,
  });
  const stop = ['\nEND'];
  const model = modelOf('llmapi');
  const taken = readAll(model, [all('a'), all('a\nE'), all('a', 'stop')], { stop });
  expect(taken.pieces).toEqual(['a']);
  const kept = readAll(model, [all('a'), all('a\nE'), all('a\nEx', 'length')], { stop });
  expect(kept.pieces.join('')).toBe('a\nEx');
  expect(() => readAll(model, [all('abc'), all('a', 'stop')], { stop })).toThrow(
    expect.objectContaining({ fault: 'garbage' }),
  );
});

test('OC-ADAPT-5063 the operator’s word about the text goes before the configuration', () => {
  const model = modelOf('trtllm');
  const responses = [plain('a'), plain('ab')];
  expect(readAll(model, responses).pieces).toEqual(['a', 'ab']);
  expect(readAll(model, responses, { textOutput: 'cumulative' }).pieces).toEqual(['a', 'b']);
});

test('OC-ADAPT-5067 an error object is the failure that its text names', () => {
  expect(() => readAll(modelOf('vllm'), [{ error: 'Exceeds maximum queue size' }])).toThrow(
    expect.objectContaining({ fault: 'busy' }),
  );
});

test.each([
  ['no JSON', '{"text_output":"'],
  ['the end mark of another protocol', '[DONE]'],
  ['no text', { model_name: 'm' }],
  ['several texts', { text_output: ['a', 'b'] }],
])('OC-ADAPT-5004 %s is garbage', (_name, response) => {
  expect(() => readAll(modelOf('vllm'), [response])).toThrow(
    expect.objectContaining({ fault: 'garbage' }),
  );
});
