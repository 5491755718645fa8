import { expect, test } from 'vitest';

import { validateResponse, validateTaskEvent } from './responses.ts';

const id = '0b5b7a1e-6a0e-4f0e-8f57-6a3f6f0f7d10';
const pathsOf = (result: ReturnType<typeof validateResponse>) =>
  result.ok ? [] : result.details.map((d) => d.path);

test('an answer that fits is valid', () => {
  const session = {
    session_id: id,
    ttl_ms_remaining: 1,
    turns: 1,
    kv_bytes: 0,
    kv_warmth: false,
    tokens_total: 3,
  };
  expect(validateResponse('getSession', 200, session)).toEqual({ ok: true, value: session });
  expect(validateResponse('cancelTask', 204, undefined).ok).toBe(true);
});

test('an unknown, missing or wrong field in an answer is a fault', () => {
  expect(pathsOf(validateResponse('drainPool', 202, { pool_id: 'a', draining: 1, x: 2 }))).toEqual([
    '/running',
    '/x',
    '/draining',
  ]);
});

test('a body where the contract has none, and a status it does not list, are faults', () => {
  expect(validateResponse('cancelTask', 204, {}).ok).toBe(false);
  expect(validateResponse('cancelTask', 200, undefined).ok).toBe(false);
});

test('OC-CTRL-2011 a 429 without its policy is a fault', () => {
  const body = { code: 'ADMISSION_REJECT', message: 'full', retriable: true, retry_after_ms: 5 };
  expect(pathsOf(validateResponse('createTask', 429, body))).toEqual(['/policy_label']);
  expect(validateResponse('createTask', 429, { ...body, policy_label: 'reject' }).ok).toBe(true);
  const wrong = { ...body, policy_label: 'reject', code: 'INTERNAL' };
  expect(pathsOf(validateResponse('createTask', 429, wrong))).toEqual(['/code']);
});

test('an error the contract does not list must still be an envelope', () => {
  const body = { code: 'INVALID_PARAMS', message: 'no such method', retriable: false };
  expect(validateResponse('getTask', 405, body).ok).toBe(true);
  expect(validateResponse('getTask', 405, '<html>').ok).toBe(false);
});

test('ORCH-2002 events of a stream are checked by name', () => {
  expect(validateTaskEvent('token', { t: 'a', i: 0 }).ok).toBe(true);
  expect(validateTaskEvent('token', { t: 'a', i: -1 }).ok).toBe(false);
  expect(validateTaskEvent('error', { code: 'OOPS', message: '' }).ok).toBe(false);
  expect(validateTaskEvent('tokens', {}).ok).toBe(false);
});

test.each(['prompt', 'messages', 'output', 'metadata'])(
  'OC-CTRL-2041 an operators’ event with %s in its data is a fault',
  (field) => {
    const event = { seq: 1, at: 0, type: 'task.accepted', v: 1, data: { pool_id: 'a' } };
    const page = (data: object) => ({ items: [{ ...event, data }], next_after: 1 });
    expect(validateResponse('listEvents', 200, page(event.data)).ok).toBe(true);
    expect(pathsOf(validateResponse('listEvents', 200, page({ [field]: 'x' })))).toEqual([
      `/items/0/data/${field}`,
    ]);
  },
);
