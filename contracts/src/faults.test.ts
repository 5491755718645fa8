import { expect, test } from 'vitest';

import { OrchError } from './errors.ts';
import { invalidParams, jsonPointer } from './faults.ts';

test('a JSON pointer escapes what RFC 6901 asks for', () => {
  expect(jsonPointer()).toBe('');
  expect(jsonPointer('a/b', 'm~n', 0, '')).toBe('/a~1b/m~0n/0/');
});

test('ORCH-2006 the error names the first place and counts the others', () => {
  const faults = [
    { path: '/ctx', message: 'must be an integer' },
    { path: '', message: 'must be an object' },
  ];
  const error = invalidParams('The request body', faults);
  expect(error).toBeInstanceOf(OrchError);
  expect(error).toMatchObject({ kind: 'INVALID_PARAMS', status: 400, details: faults });
  expect(error.message).toBe(
    'The request body is not valid: /ctx must be an integer (and 1 more).',
  );
  expect(invalidParams('The body', faults.slice(1)).message).toBe(
    'The body is not valid: it must be an object.',
  );
});
