import { expect, test } from 'vitest';
import { EngineError } from '../api/types.ts';
import { asUnserved, refusal } from './errors.ts';

const SECRET = 'the-quick-brown-secret';

test.each([
  ['an object', JSON.stringify({ error: { message: SECRET, type: 'x', code: null } })],
  ['a text', JSON.stringify({ error: SECRET })],
  ['a flat object', JSON.stringify({ object: 'error', message: SECRET, code: 1 })],
  ['message and code', JSON.stringify({ message: SECRET, code: 1 })],
  ['a detail', JSON.stringify({ detail: SECRET })],
  ['a list of details', JSON.stringify({ detail: [{ msg: 'x', input: SECRET }] })],
  ['plain text', SECRET],
  ['a page', `<html>${SECRET}</html>`],
  ['nothing', ''],
])('OC-ADAPT-5089 an error as %s is judged by its status, and not quoted', (_name, body) => {
  const faults = [400, 401, 429, 500].map((status) => refusal(status, body));
  expect(faults.map(({ fault }) => fault)).toEqual(['permanent', 'broken', 'busy', 'broken']);
  for (const { message } of faults) expect(message).not.toContain(SECRET);
});

test.each([
  ['OpenAI', 'The model `m` does not exist or you do not have access to it.'],
  ['Ollama', "model 'm' not found"],
])('OC-ADAPT-5089 a model that %s does not serve is broken', (_name, message) => {
  const body = JSON.stringify({ error: { message, type: 'invalid_request_error' } });
  const failure = refusal(404, body);
  expect(failure).toMatchObject({ fault: 'broken', status: 404 });
  expect(asUnserved(failure, 'text')).toBe(failure);
});

test('OC-ADAPT-5088 a chat model that is given text is permanent', () => {
  const message =
    'This is a chat model and not supported in the v1/completions endpoint. Did you mean to use v1/chat/completions?';
  const failure = refusal(404, JSON.stringify({ error: { message, param: 'model' } }));
  expect(asUnserved(failure, 'text, only for messages')).toMatchObject({
    fault: 'permanent',
    message: 'the server has no route for text, only for messages',
  });
});

test.each([
  JSON.stringify({ detail: 'Not Found' }),
  '404 page not found',
  JSON.stringify({ error: { message: 'Unknown request URL: POST /v1/completions.' } }),
])('OC-ADAPT-5088 a route that is not there is no fault of the server: %s', (body) => {
  const failure = refusal(404, body);
  expect(failure.fault).toBe('garbage');
  expect(asUnserved(failure, 'embeddings')).toMatchObject({
    fault: 'permanent',
    message: 'the server has no route for embeddings',
    cause: failure,
  });
});

test('every other failure stays what it is', () => {
  for (const error of [new EngineError('broken', 'openai', 'x'), new Error('y'), 'z']) {
    expect(asUnserved(error, 'text')).toBe(error);
  }
});
