import { expect, test } from 'vitest';
import { refusal, streamFailure } from './errors.ts';

const body = (error: string) => JSON.stringify({ error });

test.each([
  [400, 'attempt to access JSON non-boolean as boolean', 'permanent'],
  [400, "expected 2 inputs but got 1 inputs for model 'ensemble'", 'permanent'],
  [404, "Request for unknown model: 'x' is not found", 'garbage'],
  [404, "Request for unknown model: 'x' has no available versions", 'not-ready'],
  [400, "Request for unknown model: 'x' has no available versions", 'not-ready'],
  [503, "Request for unknown model: 'x' version 1 is not at ready state", 'not-ready'],
  [503, 'Exceeds maximum queue size', 'busy'],
  [503, 'Server is stopping, scheduler for model has stopped', 'busy'],
  [429, '', 'busy'],
  [401, '', 'broken'],
  [405, 'Method Not Allowed', 'garbage'],
  [501, 'not supported', 'permanent'],
  [500, 'CUDA error: an illegal memory access was encountered', 'broken'],
  [500, 'Prompt length (900) exceeds maximum input length (512).', 'permanent'],
  [
    500,
    'Error generating request: The sum of prompt length (72417.0), query length (0) should not exceed max_num_tokens (69632)',
    'permanent',
  ],
  [
    500,
    'Error generating stream: The decoder prompt (length 900) is longer than the maximum model length of 512.',
    'permanent',
  ],
  [500, "Error generating stream: 'NoneType' object has no attribute 'lora_name'", 'permanent'],
  [400, 'Request cancelled by client', 'broken'],
])('OC-ADAPT-5067 %i "%s" is %s, as a body and as a first event', (status, text, fault) => {
  expect(refusal(status, body(text))).toMatchObject({ fault, status });
  expect(refusal(status, `data: ${body(text)}\n\n`)).toMatchObject({ fault, status });
});

test.each([
  ['Exceeds maximum queue size', 'busy'],
  ['Prompt length (900) exceeds maximum input length (512).', 'permanent'],
  ['Request was cancelled', 'broken'],
  ['decode failed', 'broken'],
])('OC-ADAPT-5067 "%s" in a stream is %s', (text, fault) => {
  expect(streamFailure(text)).toMatchObject({ fault, status: undefined });
});

test('OC-ADAPT-5013 texts that may quote the request are withheld, others are told', () => {
  const text = 'Error generating request: bad prompt "my prompt"';
  expect(refusal(500, body(text)).message).not.toContain('my prompt');
  expect(streamFailure(text).message).not.toContain('my prompt');
  expect(refusal(400, body('no such parameter')).message).toContain('no such parameter');
});

test('a body that is no error object is judged by its status', () => {
  expect(refusal(500, '<html>')).toMatchObject({ fault: 'broken', status: 500 });
  expect(refusal(302, '')).toMatchObject({ fault: 'garbage' });
});
