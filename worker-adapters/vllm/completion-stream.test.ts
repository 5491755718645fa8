import { expect, test } from 'vitest';
import type { TokenLogprob } from '../api/types.ts';
import { createVllmReader } from './completion-stream.ts';

/** Lines as vLLM writes them: null keys, a usage chunk without null keys, the end mark. */

const HEAD = '"id":"cmpl-1","object":"text_completion","created":1,"model":"m"';
const chunk = (text: string, logprobs = 'null', finish = 'null') =>
  `{${HEAD},"choices":[{"index":0,"text":${JSON.stringify(text)},"logprobs":${logprobs},"finish_reason":${finish},"stop_reason":null,"prompt_token_ids":null,"token_ids":null}]}`;
const USAGE = `{${HEAD},"choices":[],"usage":{"prompt_tokens":5,"total_tokens":8,"completion_tokens":3,"prompt_tokens_details":{"cached_tokens":4}}}`;

const readAll = (lines: readonly string[], top = 0) => {
  const pieces: string[] = [];
  const logprobs: (readonly TokenLogprob[])[] = [];
  const read = createVllmReader(top);
  const result = lines.map((line) => read(line, pieces, logprobs)).at(-1);
  return { pieces, logprobs, result };
};

test('OC-ADAPT-5023 the counts are those of usage, not of chunks', () => {
  expect(readAll([chunk(' a b'), chunk(' c', 'null', '"stop"'), USAGE, '[DONE]'])).toMatchObject({
    pieces: [' a b', ' c'],
    result: { finishReason: 'stop', tokensIn: 5, tokensOut: 3, cachedTokens: 4 },
  });
});

test('OC-ADAPT-5024 an error object is a failure although the end mark follows', () => {
  const error = '{"error":{"message":"dead","type":"InternalServerError","param":null,"code":500}}';
  expect(() => readAll([chunk(' a'), error, '[DONE]'])).toThrow(
    expect.objectContaining({ engine: 'vllm', fault: 'broken', status: 500 }),
  );
});

test('OC-ADAPT-5018 the token chosen comes besides the alternatives', () => {
  const logprobs =
    '{"text_offset":[0],"token_logprobs":[-3.0],"tokens":[" a"],"top_logprobs":[{" a":-3.0," b":-0.1}]}';
  expect(readAll([chunk(' a', logprobs, '"length"')], 1).logprobs).toEqual([
    [{ token: ' a', logprob: -3, top: [{ token: ' b', logprob: -0.1 }] }],
  ]);
});
