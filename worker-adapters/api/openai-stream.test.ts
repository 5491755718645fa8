import { expect, test } from 'vitest';
import { toOpenAiFailure } from './openai-errors.ts';
import { createOpenAiReader } from './openai-stream.ts';
import type { TokenLogprob } from './types.ts';

const reader = (logprobs = 0) =>
  createOpenAiReader({
    engine: 'vllm',
    logprobs,
    toFailure: (error) => toOpenAiFailure('vllm', 'vLLM', error),
  });

/** Reads the events of one stream. */
const readAll = (events: readonly (object | string)[], top = 0) => {
  const pieces: string[] = [];
  const logprobs: (readonly TokenLogprob[])[] = [];
  const read = reader(top);
  const results = events.map((event) =>
    read(typeof event === 'string' ? event : JSON.stringify(event), pieces, logprobs),
  );
  return { pieces, logprobs, result: results.at(-1) };
};

const text = (content: string, finish_reason: string | null = null, logprobs: unknown = null) => ({
  object: 'text_completion',
  choices: [{ index: 0, text: content, logprobs, finish_reason, stop_reason: null }],
});
const delta = (change: object, finish_reason: string | null = null) => ({
  object: 'chat.completion.chunk',
  choices: [{ index: 0, delta: change, logprobs: null, finish_reason }],
});
const USAGE = {
  choices: [],
  usage: {
    prompt_tokens: 5,
    completion_tokens: 9,
    total_tokens: 14,
    prompt_tokens_details: { cached_tokens: 4 },
  },
};

test('a completion stream is its texts, the reason of its end and its usage', () => {
  expect(readAll([text(' a'), text(''), text(' b', 'length'), USAGE, '[DONE]'])).toEqual({
    pieces: [' a', ' b'],
    logprobs: [],
    result: {
      finishReason: 'length',
      tokensIn: 5,
      tokensOut: 9,
      cachedTokens: 4,
      decodeMs: undefined,
      slotId: undefined,
    },
  });
});

test('a chat stream is the contents of its deltas, without role and reasoning', () => {
  const events = [
    delta({ role: 'assistant', content: '' }),
    delta({ reasoning: 'hm' }),
    delta({ reasoning_content: 'hm' }),
    delta({ content: ' a' }),
    delta({ role: 'assistant', content: ' b' }),
    delta({ content: null }, 'stop'),
    USAGE,
    '[DONE]',
  ];
  expect(readAll(events)).toMatchObject({
    pieces: [' a', ' b'],
    result: { finishReason: 'stop', tokensOut: 9 },
  });
});

test('without usage the chunks with text are counted', () => {
  const { result } = readAll([text(' a'), text(''), text(' b', 'stop'), '[DONE]']);
  expect(result).toMatchObject({ tokensIn: 0, tokensOut: 2, cachedTokens: 0 });
});

test('without usage the chunks of reasoning are counted too, and told', () => {
  const told: string[] = [];
  const read = createOpenAiReader({
    engine: 'openai',
    logprobs: 0,
    toFailure: (error) => toOpenAiFailure('openai', 'the server', error),
    onReasoning: () => void told.push('reasoning'),
  });
  const pieces: string[] = [];
  const events = [delta({ reasoning: 'hm' }), delta({ content: ' a' }), delta({}, 'stop')];
  for (const event of events) read(JSON.stringify(event), pieces, []);
  expect(read('[DONE]', pieces, [])).toMatchObject({ tokensOut: 2 });
  expect(pieces).toEqual([' a']);
  expect(told).toEqual(['reasoning']);
});

test('usage may come on any chunk, and the last one counts', () => {
  const events = [
    { ...text(' a'), usage: { prompt_tokens: 0, completion_tokens: 0 } },
    { ...text(' b', 'stop'), usage: { prompt_tokens: 3, completion_tokens: 4 } },
    { ...text(''), usage: null },
    '[DONE]',
  ];
  expect(readAll(events).result).toMatchObject({ tokensIn: 3, tokensOut: 4 });
});

test.each([
  ['stop', 'stop'],
  ['eos_token', 'stop'],
  ['stop_sequence', 'stop'],
  ['tool_calls', 'stop'],
  ['length', 'length'],
])('finish_reason %s is %s', (reason, finishReason) => {
  expect(readAll([text('a', reason), '[DONE]']).result).toMatchObject({ finishReason });
});

test.each([
  ['abort', 'broken'],
  ['error', 'broken'],
  ['content_filter', 'permanent'],
  ['because', 'garbage'],
])('OC-ADAPT-5004 finish_reason %s is %s', (reason, fault) => {
  expect(() => readAll([text('a', reason)])).toThrow(expect.objectContaining({ fault }));
});

test('OC-ADAPT-5003 an end mark before the reason of the end is broken', () => {
  expect(() => readAll([text(' a'), text('', ''), '[DONE]'])).toThrow(
    expect.objectContaining({ fault: 'broken' }),
  );
});

test.each([
  ['no JSON', '{"choices":[{"te'],
  ['no object', 'null'],
  ['no chunk', '{"content":"a"}'],
])('OC-ADAPT-5004 %s is garbage', (_name, event) => {
  expect(() => readAll([event])).toThrow(expect.objectContaining({ fault: 'garbage' }));
});

test('OC-ADAPT-5003 an error object is the failure it names, after the text before it', () => {
  const pieces: string[] = [];
  const read = reader();
  read(JSON.stringify(text(' a')), pieces, []);
  const error = { message: 'no room', type: 'Service Unavailable', param: null, code: 503 };
  expect(() => read(JSON.stringify({ error }), pieces, [])).toThrow(
    expect.objectContaining({ fault: 'busy', status: 503 }),
  );
  expect(pieces).toEqual([' a']);
});

const logprobs = (...tokens: string[]) => ({
  tokens,
  token_logprobs: tokens.map(() => -1),
  top_logprobs: tokens.map((token) => ({ [token]: -1 })),
});
const of = (token: string) => ({ token, logprob: -1, top: [{ token, logprob: -1 }] });

test('OC-ADAPT-5018 probabilities of withheld text come with the piece that gives it out', () => {
  const events = [
    text(' a', null, logprobs(' a')),
    text('', null, logprobs(' #')),
    text(' # b', null, logprobs(' b')),
    text(' c d', 'stop', logprobs(' c', ' d')),
    '[DONE]',
  ];
  expect(readAll(events, 1)).toMatchObject({
    pieces: [' a', ' # b', ' c d'],
    logprobs: [[of(' a')], [of(' #'), of(' b')], [of(' c'), of(' d')]],
  });
});

test('OC-ADAPT-5018 probabilities of reasoning are none of the text', () => {
  const content = (token: string) => ({ content: [{ token, logprob: -1, top_logprobs: [] }] });
  const chunk = (change: object, token: string) => ({
    choices: [{ index: 0, delta: change, logprobs: content(token), finish_reason: null }],
  });
  const events = [chunk({ reasoning: 'hm' }, 'hm'), chunk({ content: 'a' }, 'a')];
  expect(readAll(events, 1).logprobs).toEqual([[{ token: 'a', logprob: -1, top: [] }]]);
});
