import { expect, test } from 'vitest';
import { EngineError } from '../api/types.ts';
import { refusal, toPoolingFailure } from './errors.ts';

const body = (code: number, type: string, message: string, param: string | null = null) =>
  JSON.stringify({ error: { message, type, param, code } });

test.each([
  [400, body(400, 'BadRequestError', 'top_p must be in (0, 1]', 'top_p'), 'permanent'],
  [422, body(422, 'UnprocessableEntityError', 'no'), 'permanent'],
  [501, body(501, 'NotImplementedError', 'no'), 'permanent'],
  [400, '{"object":"error","message":"no","type":"BadRequestError","code":400}', 'permanent'],
  [503, body(503, 'Service Unavailable', 'too many requests are queued'), 'busy'],
  [503, body(503, 'Service Unavailable', 'Too many tokens: loading is refused'), 'busy'],
  [401, '{"error":"Unauthorized"}', 'broken'],
  [404, body(404, 'NotFoundError', 'The model `x` does not exist.', 'model'), 'broken'],
  [404, '{"detail":"Not Found"}', 'garbage'],
  [500, body(500, 'InternalServerError', 'EngineCore encountered an issue.'), 'broken'],
])('OC-ADAPT-5027 %i %s is %s', (status, text, fault) => {
  expect(refusal(status, text)).toMatchObject({ engine: 'vllm', fault, status });
});

test('OC-ADAPT-5013 what vLLM quotes of a body is withheld', () => {
  const text = body(400, 'Bad Request', "[{'type': 'x', 'input': 'my prompt'}]", 'body.prompt');
  expect(refusal(400, text).message).toBe('vLLM answered 400 Bad Request (body.prompt)');
});

test('OC-ADAPT-5029 a missing pooling route is what the model cannot do', () => {
  const missing = refusal(404, '{"detail":"Not Found"}');
  expect(toPoolingFailure(missing, 'embed')).toMatchObject({ fault: 'permanent', status: 404 });
  const other = new EngineError('busy', 'vllm', 'later', { status: 503 });
  expect(toPoolingFailure(other, 'embed')).toBe(other);
  const reason = new Error('aborted');
  expect(toPoolingFailure(reason, 'embed')).toBe(reason);
});
