import { expect, test } from 'vitest';
import { refusal } from './errors.ts';

const body = (code: number, type: string, message: string, extra = {}) =>
  JSON.stringify({ error: { code, type, message, ...extra } });

test.each([
  [503, 'unavailable_error', 'Loading model', 'not-ready'],
  [503, 'unavailable_error', 'no slot available', 'busy'],
  [429, 'rate_limit_error', 'slow down', 'busy'],
  [500, 'server_error', 'Context size has been exceeded.', 'busy'],
  [500, 'server_error', 'decode failed', 'broken'],
  [502, '', 'bad gateway', 'broken'],
  [400, 'invalid_request_error', 'failed to parse grammar', 'permanent'],
  [400, 'exceed_context_size_error', 'too long', 'permanent'],
  [413, '', 'Payload Too Large', 'permanent'],
  [501, 'not_supported_error', 'start it with --x', 'permanent'],
  [401, 'authentication_error', 'Invalid API Key', 'broken'],
  [404, 'not_found_error', 'File Not Found', 'garbage'],
  [302, '', '', 'garbage'],
])('OC-ADAPT-5004 %i %s "%s" is %s', (status, type, message, fault) => {
  expect(refusal(status, body(status, type, message))).toMatchObject({ fault, status });
});

test('a body that is no error object is judged by its status', () => {
  expect(refusal(500, '<html>')).toMatchObject({ fault: 'broken', status: 500 });
  expect(refusal(400, '{"error":"text"}')).toMatchObject({ fault: 'permanent' });
});

test('a too long prompt is told with its numbers', () => {
  const text = body(400, 'exceed_context_size_error', 'x', { n_prompt_tokens: 900, n_ctx: 512 });
  expect(refusal(400, text).message).toContain('the prompt has 900 tokens, the context 512');
});

test('OC-ADAPT-5013 a message that quotes the request is withheld', () => {
  const text = body(500, 'server_error', "parse error; last read: 'my prompt'");
  expect(refusal(500, text).message).not.toContain('my prompt');
});

test('OC-ADAPT-5004 a text larger than the physical batch is a fault of the request', () => {
  const message = 'input (600 tokens) is too large to process. increase the physical batch size';
  const error = refusal(500, body(500, 'server_error', message));
  expect(error.fault).toBe('permanent');
  expect(error.message).toContain('--ubatch-size');
});
