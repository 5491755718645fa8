import { expect, test } from 'vitest';

import { object, readContract } from '../scripts/contract-document.ts';
import { CONTRACT_FILES } from './contract-files.ts';
import { isCorrelationId, isIdempotencyKey, isName, isUuid, parseEventId } from './identifiers.ts';

const contract = await readContract(CONTRACT_FILES.data);
const config = await readContract(new URL('../openapi/config.yaml', import.meta.url));
const at = (document: object, ...keys: string[]) =>
  keys.reduce((node, key) => object(object(node)[key]), object(document));
const component = (...keys: string[]) => at(contract.document, 'components', ...keys);

const SAMPLES = [
  '',
  'a',
  '-a',
  'default-0',
  'a b',
  'é',
  '!~',
  '\u007f',
  'a\n',
  '0b5b7a1e-6a0e-4f0e-8f57-6a3f6f0f7d10',
  '0B5B7A1E-6A0E-4F0E-8F57-6A3F6F0F7D10',
  'urn:uuid:0b5b7a1e-6a0e-4f0e-8f57-6a3f6f0f7d10',
  '0',
  '12345678901234567',
  ...[64, 65, 128, 129, 255, 256].map((n) => 'x'.repeat(n)),
];

test.each([
  ['isUuid', isUuid, component('schemas', 'Uuid')],
  ['isName', isName, component('schemas', 'Name')],
  ['isCorrelationId', isCorrelationId, component('headers', 'X-Correlation-Id', 'schema')],
  ['isIdempotencyKey', isIdempotencyKey, component('parameters', 'IdempotencyKey', 'schema')],
])('%s says what the contract says', (_, accepts, schema) => {
  const { pattern, maxLength = Infinity } = schema as { pattern: string; maxLength?: number };
  for (const sample of SAMPLES) {
    const wanted = new RegExp(pattern, 'u').test(sample) && sample.length <= maxLength;
    expect(accepts(sample), JSON.stringify(sample)).toBe(wanted);
  }
});

test('the configuration gives out only ids that the contract can carry', () => {
  const { pattern, maxLength } = at(config.document, 'components', 'schemas', 'Id');
  const name = component('schemas', 'Name');
  expect({ pattern, maxLength }).toEqual({
    pattern: name['pattern'],
    maxLength: name['maxLength'],
  });
});

test('an event id is a number of at most 16 digits; those that no event can have come after all', () => {
  expect(parseEventId('0')).toBe(0);
  expect(parseEventId('42')).toBe(42);
  expect(parseEventId('9007199254740993')).toBe(Number.MAX_SAFE_INTEGER);
  expect(parseEventId('9'.repeat(16))).toBe(Number.MAX_SAFE_INTEGER);
  for (const text of ['', '-1', '1.0', '0x1', ' 1', '1'.repeat(17)]) {
    expect(parseEventId(text)).toBeUndefined();
  }
});
