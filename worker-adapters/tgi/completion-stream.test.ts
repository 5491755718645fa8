import { expect, test } from 'vitest';
import { createChatReader, endsGeneration, readTokenEvent } from './completion-stream.ts';

const read = (event: unknown) => {
  const pieces: string[] = [];
  const data = typeof event === 'string' ? event : JSON.stringify(event);
  const result = readTokenEvent(data, pieces);
  return { pieces, result };
};

const token = (text: string, special = false) => ({ id: 5, text, logprob: -0.3, special });
const partial = (text: string) => ({
  index: 1,
  token: token(text),
  generated_text: null,
  details: null,
});
const details = { finish_reason: 'length', generated_tokens: 4, seed: 42, input_length: 3 };
const last = { index: 4, token: token(' end'), generated_text: 'the whole end', details };

test.each([' a', '\n', '"quoted\\"', '古🐸', '","generated_text":"'])(
  'an event gives the text of its token: %j',
  (text) => {
    expect(read(partial(text))).toEqual({ pieces: [text], result: undefined });
  },
);

test('OC-ADAPT-5045 the last event gives the counts, and text of its own token only', () => {
  expect(read(last)).toEqual({
    pieces: [' end'],
    result: {
      finishReason: 'length',
      tokensIn: 3,
      tokensOut: 4,
      cachedTokens: 0,
      decodeMs: undefined,
      slotId: undefined,
    },
  });
});

test('OC-ADAPT-5045 control tokens and tokens inside a code point have no text', () => {
  expect(read({ ...partial('<s>'), token: token('<s>', true) }).pieces).toEqual([]);
  expect(read(partial('')).pieces).toEqual([]);
  expect(read({ ...last, token: token('</s>', true), generated_text: '' })).toMatchObject({
    pieces: [],
    result: { tokensOut: 4 },
  });
});

test('OC-ADAPT-5045 a seed above 2^53 in an event does no harm', () => {
  const data = JSON.stringify(last).replace('"seed":42', '"seed":18446744073709551615');
  expect(read(data).result).toMatchObject({ tokensOut: 4 });
});

test.each([
  ['length', 'length'],
  ['eos_token', 'stop'],
  ['stop_sequence', 'stop'],
])('OC-ADAPT-5045 finish_reason %s is %s', (finish_reason, finishReason) => {
  const event = { ...last, details: { ...details, finish_reason } };
  expect(read(event).result).toMatchObject({ finishReason });
});

test.each([
  ['no JSON', '{"index":1,'],
  ['no object', 'null'],
  ['the end mark of another route', '[DONE]'],
  ['a token without text', { ...partial(''), token: { id: 5 } }],
  ['an end without details', { ...last, details: null }],
  ['an end for no known reason', { ...last, details: { ...details, finish_reason: 'bored' } }],
])('OC-ADAPT-5004 %s is garbage', (_name, event) => {
  expect(() => read(event)).toThrow(expect.objectContaining({ fault: 'garbage' }));
});

test.each([
  ['overloaded', 'Model is overloaded', 'busy', 429],
  ['validation', 'Input validation error: `top_p` must be > 0.0 and < 1.0', 'permanent', 422],
  ['generation', 'Request failed during generation: Server error', 'broken', 424],
  ['incomplete_generation', 'Incomplete generation', 'broken', 500],
  ['never_heard_of', 'x', 'broken', 500],
])('OC-ADAPT-5046 a stream of text that fails as %s', (error_type, error, fault, status) => {
  expect(() => read({ error, error_type })).toThrow(expect.objectContaining({ fault, status }));
});

const chunk = (content: string, finish_reason: string | null = null) => ({
  object: 'chat.completion.chunk',
  id: '',
  created: 1,
  model: 'm',
  system_fingerprint: '3.3.6-native',
  choices: [{ index: 0, delta: { role: 'assistant', content }, logprobs: null, finish_reason }],
  usage: null,
});
const usage = { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 };

const readChat = (events: readonly unknown[]) => {
  const readEvent = createChatReader();
  const pieces: string[] = [];
  for (const event of events) {
    const data = typeof event === 'string' ? event : JSON.stringify(event);
    const result = readEvent(data, pieces, []);
    if (result !== undefined) return { pieces, result };
  }
  return { pieces, result: undefined };
};

test.each([
  ['length', 'length'],
  ['stop', 'stop'],
  ['eos_token', 'stop'],
  ['stop_sequence', 'stop'],
])('OC-ADAPT-5045 a chat that ends as %s is %s', (reason, finishReason) => {
  const counted = { ...chunk(''), choices: [], usage };
  expect(readChat([chunk('a'), chunk('b', reason), counted, '[DONE]'])).toMatchObject({
    pieces: ['a', 'b'],
    result: { finishReason, tokensIn: 3, tokensOut: 2 },
  });
});

test('OC-ADAPT-5003 an end mark before the end of the chat is broken', () => {
  expect(() => readChat([chunk('a'), '[DONE]'])).toThrow(
    expect.objectContaining({ fault: 'broken' }),
  );
});

test.each([
  ['Model is overloaded', 'busy', 429],
  ['Input validation error: `inputs` cannot be empty', 'permanent', 422],
  ['Request failed during generation: Server error', 'broken', 424],
  ['Incomplete generation', 'broken', 500],
  ['x', 'permanent', 422],
])('OC-ADAPT-5046 a chat that fails with "%s"', (message, fault, status) => {
  expect(() => readChat([{ error: { message, http_status_code: 422 } }])).toThrow(
    expect.objectContaining({ fault, status }),
  );
});

test('OC-ADAPT-5044 the last event of a generation is known on either route', () => {
  expect(
    [last, chunk('b', 'length')].map((event) => endsGeneration(JSON.stringify(event))),
  ).toEqual([true, true]);
  const others = [partial('a'), chunk('a'), { ...chunk(''), choices: [], usage }, null];
  expect(others.map((event) => endsGeneration(JSON.stringify(event)))).not.toContain(true);
});
