import { expect, test } from 'vitest';
import { PromptPrefixes } from './prompt-prefixes.ts';

const SECRET = new Uint8Array(32).fill(1);
const task = (fields: object = {}) => ({
  poolId: 'p',
  tenantId: 'acme',
  modelId: 'm',
  promptFormat: 'raw' as const,
  request: { prompt: 'a long story '.repeat(100) },
  ...fields,
});
const hashesOf = (prefixes: PromptPrefixes, fields: object = {}) =>
  prefixes.of(task(fields))?.hashes ?? [];
const prefixesWith = (secret: Uint8Array) => new PromptPrefixes(secret, () => 0.25);

test('OC-CTRL-2085 the same prompt of the same tenant has the same hashes, also after a restart', () => {
  const hashes = hashesOf(prefixesWith(SECRET));
  expect(hashes.length).toBeGreaterThan(2);
  expect(hashesOf(prefixesWith(SECRET))).toEqual(hashes);
});

test.each([
  ['tenant', { tenantId: 'globex' }],
  ['pool', { poolId: 'q' }],
  ['model', { modelId: 'n' }],
  ['split of the names', { poolId: 'p/m', modelId: 'acme', tenantId: '' }],
])('OC-CTRL-2085 it has none in common with that of another %s', (_what, fields) => {
  const prefixes = prefixesWith(SECRET);
  const own = new Set(hashesOf(prefixes));
  expect(hashesOf(prefixes, fields).filter((each) => own.has(each))).toEqual([]);
});

test('OC-CTRL-2085 names alone do not tell the hashes: another installation has others', () => {
  const own = new Set(hashesOf(prefixesWith(SECRET)));
  const other = hashesOf(prefixesWith(new Uint8Array(32).fill(2)));
  expect(other.filter((each) => own.has(each))).toEqual([]);
});
