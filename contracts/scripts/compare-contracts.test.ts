import { readFileSync } from 'node:fs';

import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';

import { CONTRACT_FILES } from '../src/contract-files.ts';
import { compareContracts } from './compare-contracts.ts';
import type { Contract, JsonObject } from './contract-document.ts';
import { readCurrent, readReleased, refusedVersion } from './release.ts';

const current = await readCurrent();
const texts = Object.values(CONTRACT_FILES).map((url) => readFileSync(url, 'utf8'));

/** The contracts with one text replaced in one of them, wherever it stands. */
function changed(from: string, to: string): readonly Contract[] {
  expect(
    texts.some((text) => text.includes(from)),
    from,
  ).toBe(true);
  return current.map((contract, n) => ({
    ...contract,
    document: parse(texts[n]!.replace(from, () => to)) as JsonObject,
  }));
}
const kindsOf = (before: readonly Contract[], after: readonly Contract[]) =>
  new Set(compareContracts(before, after).map(({ kind }) => kind));

test('OC-TEST-7508 nothing differs from itself', () => {
  expect(compareContracts(current, current)).toEqual([]);
});

test('OC-TEST-7508 the contracts break no client of those last released', async () => {
  const changes = compareContracts(await readReleased(), current);
  expect(changes.filter(({ kind }) => kind === 'breaking')).toEqual([]);
});

describe('OC-TEST-7508 what breaks a client', () => {
  test.each([
    ['a path that is gone', '  /v1/pools/{id}/undrain:', '  /v1/pools/{id}/resume:'],
    ['another name of an operation', 'operationId: getTask\n', 'operationId: readTask\n'],
    ['another scope', 'x-scope: tasks:read', 'x-scope: admin'],
    [
      'a field of a request that is required',
      'required: [deadline_ms]',
      'required: [deadline_ms, why]',
    ],
    ['a smaller maximum of a request', 'maximum: 604800000', 'maximum: 604799999'],
    ['a larger minimum of a parameter', 'minimum: 1, maximum: 200', 'minimum: 2, maximum: 200'],
    [
      'a value that a request may not have any more',
      'enum: [auto, raw, chat]',
      'enum: [auto, raw]',
    ],
    [
      'another type',
      'backoff_ms: {\n            $ref: ',
      'backoff_ms: {\n            type: string, $ref: ',
    ],
    ['another pattern', "pattern: '^[A-Za-z0-9_-]+$'", "pattern: '^[a-z]+$'"],
    ['a field of an answer that is not always there', 'required: [t, i]', 'required: [t]'],
    ['a larger maximum in an answer', 'maxLength: 71', 'maxLength: 72'],
    ['a status that is gone', "        '410': { $ref: '#/components/responses/Gone' }\n", ''],
    [
      'a header that is gone',
      "        X-Backoff-Ms: { $ref: '#/components/headers/X-Backoff-Ms' }\n",
      '',
    ],
    [
      'a field that a condition takes away',
      '        properties: { query: false, documents',
      '        properties: { seed: false, query: false, documents',
    ],
    ['an event of streams that is gone', '          metrics: MetricsEvent,\n', ''],
    [
      'an event with other fields',
      "        decode_ms: { $ref: '#/components/schemas/Millis', description: First to last token. } # fixed\n",
      '',
    ],
    [
      'a parameter that is required',
      'name: after\n          in: query\n',
      'name: after\n          required: true\n          in: query\n',
    ],
  ])('%s', (_, from, to) => {
    expect(kindsOf(current, changed(from, to))).toContain('breaking');
  });
});

describe('OC-TEST-7508 what breaks nobody', () => {
  test.each([
    [
      'a new field of a request',
      '        grammar: { type: string',
      '        draft: { type: boolean }\n        grammar: { type: string',
    ],
    ['a larger maximum of a request', 'maximum: 604800000', 'maximum: 604800001'],
    ['a new value of a request', 'enum: [auto, raw, chat]', 'enum: [auto, raw, chat, tool]'],
    [
      'a new field of an answer',
      '        next_cursor: {',
      '        total: { type: integer }\n        next_cursor: {',
    ],
    [
      'a new error kind',
      '        - REPLICA_EXHAUSTED',
      '        - REPLICA_EXHAUSTED\n        - REPLICA_LOST',
    ],
    [
      'a new event of streams',
      '          metrics: MetricsEvent,\n',
      '          metrics: MetricsEvent,\n          note: EndEvent,\n',
    ],
    [
      'a new optional parameter',
      '        - name: limit\n          in: query\n          description: Tasks per page.',
      '        - { name: newest, in: query, schema: { type: boolean } }\n        - name: limit\n          in: query\n          description: Tasks per page.',
    ],
    [
      'a new operation',
      '  /v1/pools:\n    get:',
      '  /v1/puddles: { get: { operationId: listPuddles, x-scope: any, responses: {} } }\n  /v1/pools:\n    get:',
    ],
  ])('%s', (_, from, to) => {
    expect(kindsOf(current, changed(from, to))).toEqual(new Set(['compatible']));
  });

  test('other words', () => {
    expect(
      compareContracts(current, changed('summary: Admit a task.', 'summary: Take a task.')),
    ).toEqual([]);
  });
});

test('OC-TEST-7508 a version says as much as has changed', () => {
  const breaking = [{ kind: 'breaking', place: 'a', what: 'is gone' }] as const;
  const compatible = [{ kind: 'compatible', place: 'a', what: 'is new' }] as const;
  expect(refusedVersion('1.2.0', '1.3.0', breaking, false)).toMatch(/major/);
  expect(refusedVersion('1.2.0', '2.0.0', breaking, true)).toBeUndefined();
  expect(refusedVersion('1.2.0', '1.2.0', compatible, false)).toBeUndefined();
  expect(refusedVersion('1.2.0', '1.2.1', compatible, true)).toMatch(/minor/);
  expect(refusedVersion('1.2.0', '1.3.0', compatible, true)).toBeUndefined();
  expect(refusedVersion('1.2.0', '1.2.0', [], true)).toBeUndefined();
});
