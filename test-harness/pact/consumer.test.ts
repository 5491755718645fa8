/** The consumers: their clients understand every answer they rely on, and the pacts say so. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PACT_CASES } from './cases/index.ts';
import { requestExample } from './contract-examples.ts';
import { KEYS, pactCase, type PactCase } from './pact-case.ts';
import { driftOf, makePacts, type PactFile } from './pact-files.ts';
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

const admission = pactCase({
  operationId: 'createTask',
  status: '202',
  when: 'for a test',
  situation: situation('a daemon'),
  body: requestExample('createTask', 'smallest'),
  answerHeaders: { Location: '/v1/tasks/0b5b7a1e-6a0e-4f0e-8f57-6a3f6f0f7d10' },
});

describe('OC-TEST-7403 contracts/pacts', () => {
  let made: ReadonlyMap<string, string>;

  beforeAll(async () => {
    made = await makePacts();
  });

  test('is what the consumers write', async () => {
    expect(await driftOf(made), 'run `npm run pact:write`').toEqual([]);
  });

  test('a file that was edited, and one that nobody makes, are named', async () => {
    const name = 'llama-orch-client-orchestratord.json';
    const other = new Map(made);
    other.set(name, (made.get(name) ?? '').replace('"createTask: again', '"createTask: Again'));
    other.delete('pool-managerd-orchestratord.json');
    const drift = await driftOf(other);
    expect(drift).toHaveLength(2);
    expect(drift[0]).toBe('pool-managerd-orchestratord.json: nobody makes it');
    expect(drift[1]).toMatch(/^llama-orch-client-orchestratord\.json:\d+: has .+createTask: again/);
  });

  test('the same cases give the same bytes, without versions of tools', async () => {
    const [first, second] = [await makePacts([admission]), await makePacts([admission])];
    expect([...first]).toEqual([...second]);
    const [text = ''] = first.values();
    const { metadata } = JSON.parse(text) as PactFile;
    expect(metadata).toEqual({ pactSpecification: { version: '4.0' } });
  });
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
