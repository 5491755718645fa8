import { expect, test } from 'vitest';

import { readContract } from '../scripts/contract-document.ts';
import { CONTRACT_FILES } from '../src/contract-files.ts';
import { headerCheck } from './declared-headers.ts';

const check = headerCheck(
  await Promise.all(Object.values(CONTRACT_FILES).map((url) => readContract(url))),
);
const JSON_ANSWER = { 'x-correlation-id': 'a', 'content-type': 'application/json; charset=utf-8' };

test('ORCH-2007 a 503 may say when to come back, also where only `default` stands for it', () => {
  expect(check('syncHost', 503, { ...JSON_ANSWER, 'retry-after': '1' })).toEqual([]);
  expect(check('createTask', 503, { ...JSON_ANSWER, 'retry-after': '1' })).toEqual([]);
});

test('OC-TEST-7503 a header that is missing, wrong or not declared is told, and a media type', () => {
  const { 'x-correlation-id': _id, ...without } = JSON_ANSWER;
  expect(check('getLiveness', 200, without)).toEqual(['x-correlation-id is missing']);
  expect(check('createTask', 429, { ...JSON_ANSWER, 'retry-after': 'soon' })).toEqual([
    'retry-after is soon',
  ]);
  expect(check('getLiveness', 200, { ...JSON_ANSWER, 'x-powered-by': 'a' })).toEqual([
    'x-powered-by is not declared',
  ]);
  expect(check('getMetrics', 200, JSON_ANSWER)).toEqual([
    'content-type is application/json; charset=utf-8',
  ]);
  expect(check('cancelTask', 204, { 'x-correlation-id': 'a' })).toEqual([]);
});
