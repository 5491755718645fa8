import { expect, test } from 'vitest';
import type { TokenLogprob } from '../api/types.ts';
import { createLogprobReader, readCompletionEvent } from './completion-stream.ts';

const read = (event: unknown) => {
  const pieces: string[] = [];
  const data = typeof event === 'string' ? event : JSON.stringify(event);
  const result = readCompletionEvent(data, pieces);
  return { pieces, result };
};

const partial = (content: string) => ({
  index: 0,
  content,
  tokens: [3699],
  stop: false,
  id_slot: -1,
  tokens_predicted: 1,
  tokens_evaluated: 3,
});

const last = {
  index: 0,
  content: '',
  tokens: [],
  id_slot: 2,
  stop: true,
  model: 'tiny',
  tokens_predicted: 4,
  tokens_evaluated: 3,
  truncated: false,
  stop_type: 'limit',
  stopping_word: '',
  tokens_cached: 6,
  timings: { cache_n: 2, prompt_n: 1, predicted_n: 4, predicted_ms: 1.5 },
};

test.each([' house', '\n', '"quoted\\"', '古🐸', '","tokens":[1],"stop":true'])(
  'a partial object gives its text: %j',
  (content) => {
    expect(read(partial(content))).toEqual({ pieces: [content], result: undefined });
  },
);

test('an object without text gives none', () => {
  expect(read(partial('')).pieces).toEqual([]);
  const progress = { total: 3, cache: 2, processed: 2, time_ms: 0 };
  expect(read({ ...partial(''), tokens: [0], prompt_progress: progress }).pieces).toEqual([]);
});

test('OC-ADAPT-5015 the last object gives the counts, and may carry text', () => {
  expect(read({ ...last, content: ' end' })).toEqual({
    pieces: [' end'],
    result: {
      finishReason: 'length',
      tokensIn: 3,
      tokensOut: 4,
      cachedTokens: 2,
      decodeMs: 1.5,
      slotId: 2,
    },
  });
});

test.each([
  ['eos', false, 'stop'],
  ['word', false, 'stop'],
  ['limit', false, 'length'],
  ['limit', true, 'length'],
])('stop_type %s with truncated %s is %s', (stop_type, truncated, finishReason) => {
  expect(read({ ...last, stop_type, truncated }).result).toMatchObject({ finishReason });
});

test('timings and slot may be missing', () => {
  expect(read({ ...last, timings: null, id_slot: -1 }).result).toMatchObject({
    cachedTokens: 0,
    decodeMs: undefined,
    slotId: undefined,
  });
});

test.each([
  ['no JSON', '{"index":0,'],
  ['no object', 'null'],
  ['the end mark of another protocol', '[DONE]'],
  ['text of another type', { ...partial(''), content: 7 }],
  ['no stop flag', { content: 'a' }],
  ['an end for no known reason', { ...last, stop_type: 'none' }],
])('OC-ADAPT-5004 %s is garbage', (_name, event) => {
  expect(() => read(event)).toThrow(expect.objectContaining({ fault: 'garbage' }));
});

test('OC-ADAPT-5003 an error object is the failure it names', () => {
  const full = 'Context size has been exceeded.';
  const error = (code: number, message: string) => ({ error: { code, message, type: 'x' } });
  expect(() => read(error(500, 'decode failed'))).toThrow(
    expect.objectContaining({ fault: 'broken', status: 500 }),
  );
  expect(() => read(error(500, full))).toThrow(expect.objectContaining({ fault: 'busy' }));
});

const prob = (token: unknown, logprob: unknown, top: readonly unknown[] = []) => ({
  id: 7,
  token,
  bytes: [],
  logprob,
  top_logprobs: top,
});

/** Reads the events of one stream: its pieces, and the probabilities given with each. */
const readAll = (events: readonly object[], top = 2) => {
  const pieces: string[] = [];
  const logprobs: (readonly TokenLogprob[])[] = [];
  const readEvent = createLogprobReader(top);
  for (const event of events) readEvent(JSON.stringify(event), pieces, logprobs);
  return { pieces, logprobs };
};

test('OC-ADAPT-5018 probabilities of withheld text come with the piece that gives it out', () => {
  const of = (content: string, token: string) => ({
    ...partial(content),
    completion_probabilities: [prob(token, -0.5)],
  });
  expect(readAll([of('a', 'a'), of('', '#'), of('#b', 'b'), of('', ''), last])).toEqual({
    pieces: ['a', '#b'],
    logprobs: [
      [{ token: 'a', logprob: -0.5, top: [] }],
      [
        { token: '#', logprob: -0.5, top: [] },
        { token: 'b', logprob: -0.5, top: [] },
      ],
    ],
  });
});

test('OC-ADAPT-5018 no more alternatives than asked for, and no logarithm above 0', () => {
  const top = ['x', 'y', 'z'].map((token, at) => ({ id: at, token, logprob: 1e-7 - at }));
  const event = { ...partial('x'), completion_probabilities: [prob('x', 1e-7, top)] };
  expect(readAll([event]).logprobs).toEqual([
    [
      {
        token: 'x',
        logprob: 0,
        top: [
          { token: 'x', logprob: 0 },
          { token: 'y', logprob: 1e-7 - 1 },
        ],
      },
    ],
  ]);
});

test.each([
  [undefined],
  [null],
  [{}],
  [[null, 3, 'x']],
  [[prob(3, -1)]],
  [[prob('x', null)]],
  [[{ id: 1, token: 'x', prob: 0.5, top_probs: [] }]],
])('OC-ADAPT-5018 probabilities of another shape cost no text: %j', (completion_probabilities) => {
  const event = { ...partial('x'), completion_probabilities };
  expect(readAll([event])).toEqual({ pieces: ['x'], logprobs: [[]] });
});
