import { expect, test } from 'vitest';
import { checkList, readContract } from './contract-list.ts';
import { checkSpec, readSpec } from './spec-table.ts';

const contract = readContract();

test('OC-METRICS-7103 the list is sound', () => {
  expect(checkList(contract)).toEqual([]);
});

test('OC-METRICS-7103 the list and the spec say the same', () => {
  expect(checkSpec(contract, readSpec())).toEqual([]);
});
