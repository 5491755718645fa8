import { expect, test } from 'vitest';
import { refusal } from './errors.ts';

const body = (error: string, error_type: string) => JSON.stringify({ error, error_type });

test.each([
  [429, 'overloaded', 'Model is overloaded', 'busy'],
  [422, 'validation', 'Input validation error: x', 'permanent'],
  [422, 'template_error', 'Template error: x', 'permanent'],
  [422, 'missing_template_variable', 'Missing template vatiable: x', 'permanent'],
  [422, 'tool_error', 'Tool error: x', 'permanent'],
  [424, 'generation', 'Request failed during generation: x', 'broken'],
  [500, 'incomplete_generation', 'Incomplete generation', 'broken'],
  [503, 'healthcheck', 'unhealthy', 'busy'],
])('OC-ADAPT-5046 %i %s is %s', (status, type, message, fault) => {
  expect(refusal(status, body(message, type))).toMatchObject({ fault, status });
});

test.each([
  [401, '', 'broken'],
  [404, '', 'garbage'],
  [405, '', 'garbage'],
  [302, '', 'garbage'],
  [400, 'Failed to parse the request body as JSON', 'permanent'],
  [413, 'length limit exceeded', 'permanent'],
  [415, 'Expected request with `Content-Type: application/json`', 'permanent'],
  [502, '<html>', 'broken'],
  [429, 'Too Many Requests', 'busy'],
])('OC-ADAPT-5004 %i with the plain text "%s" is %s', (status, text, fault) => {
  expect(refusal(status, text)).toMatchObject({ fault, status });
});

test.each([
  '`inputs` tokens + `max_new_tokens` must be <= 64. Given: 60 `inputs` tokens and 12 `max_new_tokens`',
  "grammar is not valid: Grammar must have a 'properties' field",
])('OC-ADAPT-5047 what is wrong with a parameter is told: %s', (message) => {
  const failure = refusal(422, body(`Input validation error: ${message}`, 'validation'));
  expect(failure.message).toContain(message);
});

test.each([
  [422, 'validation', 'Input validation error: invalid image content: my secret'],
  [422, 'validation', 'Input validation error: tokenizer error my secret'],
  [422, 'tool_error', 'Tool error: Failed to parse generated text: expected value "my secret"'],
  [422, 'template_error', 'Template error: syntax error: my secret'],
  [424, 'generation', 'Request failed during generation: my secret'],
  [422, '', 'Failed to deserialize the JSON body: invalid type: string "my secret"'],
])(
  'OC-ADAPT-5013 OC-ADAPT-5047 a message that may quote is withheld: %i %s',
  (status, type, text) => {
    const sent = type === '' ? text : body(text, type);
    expect(refusal(status, sent).message).not.toContain('secret');
  },
);
