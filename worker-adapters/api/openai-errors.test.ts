import { expect, test } from 'vitest';
import { openAiErrorOf, openAiFault, parseOpenAiError, toOpenAiFailure } from './openai-errors.ts';

const NESTED = { message: 'bad top_p', type: 'BadRequestError', param: 'top_p', code: 400 };
const READ = { status: 400, type: 'BadRequestError', message: 'bad top_p', param: 'top_p' };

test.each<[string, unknown, object | undefined]>([
  ['an error object', { error: NESTED }, READ],
  ['a flat error object', { object: 'error', ...NESTED }, READ],
  ['a code in digits', { error: { ...NESTED, code: '400' } }, READ],
  ['a code in words', { error: { ...NESTED, code: 'too_long' } }, { ...READ, status: 500 }],
  ['TGI in a stream', { error: { message: 'x', http_status_code: 422 } }, { status: 422 }],
  ['a text', { error: 'Unauthorized' }, { status: 500, message: 'Unauthorized' }],
  ['message and code', { message: 'slow down', code: 429 }, { status: 429, message: 'slow down' }],
  ['FastAPI', { detail: 'Not Found' }, { status: 500, message: 'Not Found' }],
  ['FastAPI on a body', { detail: [{ loc: ['body'], msg: 'x', input: 'y' }] }, { message: '' }],
  ['a chunk', { object: 'chat.completion.chunk', choices: [] }, undefined],
  ['a chunk that names no error', { error: null, choices: [] }, undefined],
  ['nothing', undefined, undefined],
  ['a number', 7, undefined],
])('%s is read', (_name, value, expected) => {
  const error = parseOpenAiError(value);
  if (expected === undefined) expect(error).toBeUndefined();
  else expect(error).toMatchObject(expected);
});

test.each([
  [400, { error: NESTED }, 'permanent'],
  [413, 'Payload Too Large', 'permanent'],
  [422, { detail: [] }, 'permanent'],
  [501, { error: { message: 'no such thing' } }, 'permanent'],
  [422, { error: { message: 'Model is overloaded' } }, 'busy'],
  [429, { error: { message: 'slow down' } }, 'busy'],
  [503, { error: { message: 'too many requests are queued' } }, 'busy'],
  [503, { error: { message: 'Model is still loading' } }, 'not-ready'],
  [408, '', 'timeout'],
  [401, { error: 'Unauthorized' }, 'broken'],
  [403, '', 'broken'],
  [404, { error: { message: 'The model `m` does not exist.', param: 'model' } }, 'broken'],
  [404, { detail: 'Not Found' }, 'garbage'],
  [405, { detail: 'Method Not Allowed' }, 'garbage'],
  [302, '', 'garbage'],
  [500, { error: { message: 'dead' } }, 'broken'],
  [502, '<html>', 'broken'],
])('OC-ADAPT-5004 %i %j is %s', (status, body, fault) => {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  expect(openAiFault(openAiErrorOf(status, text))).toBe(fault);
});

test('OC-ADAPT-5013 the message names status, type and field, and nothing the server quotes', () => {
  const message = "invalid 'my prompt'";
  const error = { status: 400, type: 'BadRequestError', message, param: 'stop' };
  const failure = toOpenAiFailure('vllm', 'vLLM', error);
  expect(failure.message).toBe('vLLM answered 400 BadRequestError (stop)');
  const quoting = { ...error, type: 'my: prompt!', param: 'my prompt' };
  expect(toOpenAiFailure('vllm', 'vLLM', quoting).message).toBe('vLLM answered 400');
});

test('a context that is too small is told by its size', () => {
  const message =
    "This model's maximum context length is 8192 tokens. However, you requested 9000.";
  const error = { status: 400, type: 'BadRequestError', message, param: '' };
  const failure = toOpenAiFailure('vllm', 'vLLM', error);
  expect(failure).toMatchObject({ fault: 'permanent', status: 400 });
  expect(failure.message).toMatch(/: longer than the context of 8192 tokens$/);
});
