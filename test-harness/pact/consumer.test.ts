/** The consumers: their clients understand every answer they rely on, and the pacts say so. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PACT_CASES } from './cases/index.ts';
import { requestExample } from './contract-examples.ts';
import { KEYS, pactCase, type PactCase } from './pact-case.ts';
import { canonicalPacts, driftOf, makePacts, type PactFile } from './pact-files.ts';
import { recordCase } from './record-case.ts';
import { situation } from './situations.ts';

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'llama-orch-consumer-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

describe('OC-TEST-7401 the client sends what it promised and understands', () => {
  test.each(PACT_CASES)('$description', async (each) => {
    await recordCase(each, directory);
  });
});

test('OC-TEST-7403 contracts/pacts is what the consumer tests write', async () => {
  expect(await driftOf(await canonicalPacts(directory)), 'run `npm run pact:write`').toEqual([]);
});

const admission = pactCase({
  operationId: 'createTask',
  status: '202',
  when: 'for a test',
  situation: situation('a daemon'),
  body: requestExample('createTask', 'smallest'),
  answerHeaders: { Location: '/v1/tasks/0b5b7a1e-6a0e-4f0e-8f57-6a3f6f0f7d10' },
});

test('OC-TEST-7403 the same cases give the same bytes, without versions of tools', async () => {
  const [first, second] = [await makePacts([admission]), await makePacts([admission])];
  expect([...first]).toEqual([...second]);
  const [text = ''] = first.values();
  const { metadata } = JSON.parse(text) as PactFile;
  expect(metadata).toEqual({ pactSpecification: { version: '4.0' } });
});

test('OC-TEST-7403 a file that was edited, and one that nobody makes, are named', async () => {
  const made = new Map(await canonicalPacts(directory));
  const name = 'llama-orch-client-orchestratord.json';
  const edited = (made.get(name) ?? '').replace('"createTask: again', '"createTask: Again');
  made.set(name, edited);
  made.delete('pool-managerd-orchestratord.json');
  const drift = await driftOf(made);
  expect(drift).toHaveLength(2);
  expect(drift[0]).toBe('pool-managerd-orchestratord.json: nobody makes it');
  expect(drift[1]).toMatch(/^llama-orch-client-orchestratord\.json:\d+: has .+createTask: again/);
});

describe('OC-TEST-7402 a pact that cannot be is not written', () => {
  /** Each breaks the admission in one way. */
  const broken: readonly (readonly [string, PactCase, RegExp])[] = [
    [
      'an answer that breaks the contract',
      { ...admission, response: { ...admission.response, body: { task_id: 'none' } } },
      /is required/,
    ],
    [
      'an answer whose header is missing',
      { ...admission, response: { ...admission.response, headers: {} } },
      /X-Correlation-Id/,
    ],
    [
      'a status that the client does not take for it',
      { ...admission, response: { ...admission.response, status: 201 } },
      /201/,
    ],
  ];
  test.each(broken)('%s', async (_what, each, reason) => {
    await expect(makePacts([each])).rejects.toThrow(reason);
  });

  test('a status that the contract does not name', () => {
    expect(() =>
      pactCase({
        operationId: 'createTask',
        status: '418',
        when: 'for a test',
        situation: situation('a daemon'),
      }),
    ).toThrow('knows no 418');
  });
});

test('keys of the pacts have the form of keys', () => {
  for (const key of Object.values(KEYS)) expect(key).toMatch(/^lo_[A-Za-z0-9_-]{43}$/);
});
