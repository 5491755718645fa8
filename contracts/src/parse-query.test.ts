import { expect, test } from 'vitest';

import { parseQuery } from './parse-query.ts';

const valid = (value: object) => ({ ok: true, value });
const fault = (path: string, message: string) => ({ ok: false, details: [{ path, message }] });

test('parameters get their types and defaults', () => {
  expect(parseQuery('listTasks', {})).toEqual(valid({ limit: 50 }));
  expect(parseQuery('listTasks', { limit: '7', state: 'queued' })).toEqual(
    valid({ limit: 7, state: 'queued' }),
  );
  expect(parseQuery('createTask', {})).toEqual(valid({ cancel_on_disconnect: false }));
  expect(parseQuery('createTask', { cancel_on_disconnect: 'true' })).toEqual(
    valid({ cancel_on_disconnect: true }),
  );
  expect(parseQuery('streamTask', { after: '12' })).toEqual(valid({ after: 12 }));
  expect(parseQuery('listEvents', { stream: 'true' })).toEqual(
    valid({ after: 0, limit: 100, stream: true }),
  );
});

test.each([
  ['limit', '0', 'must be at least 1'],
  ['limit', '201', 'must be at most 200'],
  ['limit', '1e2', 'must be an integer'],
  ['limit', '', 'must be an integer'],
  ['limit', ' 1', 'must be an integer'],
  ['state', 'done', 'must be one of queued, running, completed, failed, canceled'],
  ['session_id', 'x', 'must be a UUID'],
  ['priority', ['batch', 'batch'], 'may be given only once'],
  ['cursor', 'a b', 'must match ^[A-Za-z0-9_-]+$'],
  ['page', '2', 'is not a known field'],
])('the parameter %s is refused by name for %j', (name, text, message) => {
  expect(parseQuery('listTasks', { [name]: text })).toEqual(fault(name, message));
});

test.each(['1', 'yes', 'TRUE', ''])('%j is neither true nor false', (text) => {
  expect(parseQuery('createTask', { cancel_on_disconnect: text })).toEqual(
    fault('cancel_on_disconnect', 'must be true or false'),
  );
});

test.each(['-1', '1.5', '9007199254740993'])('a stream does not begin after %j', (after) => {
  expect(parseQuery('streamTask', { after })).toMatchObject({ ok: false });
});
