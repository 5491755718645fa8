import { expect, test } from 'vitest';
import { connectionLimit, openFilesLimit } from './connection-limit.ts';

test.each([
  [undefined, 10_000],
  [1_048_576, 10_000],
  [1_024, 512],
  [7, 3],
  [1, 1],
])('OC-CTRL-2094 of %s files clients have %i at most', (openFiles, expected) => {
  expect(connectionLimit(openFiles)).toBe(expected);
});

test('OC-CTRL-2094 the limit of this process is known where there is one', () => {
  const limit = openFilesLimit();
  expect(limit === undefined || (Number.isInteger(limit) && limit > 0)).toBe(true);
});
