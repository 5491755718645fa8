/**
 * Every operation with requests made from its schemas. What fails is shown with a seed and a path: with
 * GENERATED_SEED and GENERATED_PATH set to them, `-t` and the operation's name, it comes again at once.
 */
import { join } from 'node:path';
import { OPERATIONS, type OperationId } from '@llama-orch/contracts';
import { headerCheck, type Contract, type RequestCase } from '@llama-orch/contracts/testing';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ProgramRun } from '../src/program-run.ts';
import { PROJECT_ROOT } from '../src/temp-config.ts';
import { within } from '../src/wait-for.ts';
import { describeRequest, exchangeCase } from './exchange-case.ts';
import { generatorsOf, readContracts } from './generators.ts';
import { formatReport } from './report.ts';
import { runGenerated } from './run.ts';
import { startTarget, type RunningTarget } from './target.ts';

const RUNS = Number(process.env['GENERATED_RUNS'] ?? 100);
const SEED = process.env['GENERATED_SEED'];
const PATH = process.env['GENERATED_PATH'];
/** A bound on a hang, whatever the number of runs. */
const LONG_MS = 120_000 + 1_000 * RUNS;
const MAIN = join(PROJECT_ROOT, 'test-harness', 'generated-requests', 'main.ts');

const contracts = await readContracts();
const generators = generatorsOf(contracts);
const checkHeaders = headerCheck(contracts);
let target: RunningTarget;

beforeAll(async () => {
  target = await startTarget();
});
afterAll(() => target[Symbol.asyncDispose]());

async function holdsForEach(requests: fc.Arbitrary<RequestCase>, numRuns: number): Promise<void> {
  await fc.assert(
    fc.asyncProperty(requests, async (request) => {
      await exchangeCase(request, target, checkHeaders);
    }),
    {
      numRuns,
      ...(SEED === undefined ? {} : { seed: Number(SEED) }),
      ...(PATH === undefined ? {} : { path: PATH }),
    },
  );
}

test('requests are generated for every operation of the contract', () => {
  const ids = generators.map(({ operationId }) => operationId);
  expect(ids.sort()).toEqual(Object.keys(OPERATIONS).sort());
});

describe.each(generators.map((each) => [each.operationId, each] as const))('%s', (_, each) => {
  test(
    'OC-TEST-7501 what the schema allows is served, or refused by a rule that is known',
    () => holdsForEach(each.valid, RUNS),
    LONG_MS,
  );
  const { faulty } = each;
  if (faulty === undefined) return;
  test(
    'OC-TEST-7502 what breaks one keyword is refused with its place',
    () => holdsForEach(faulty, RUNS),
    LONG_MS,
  );
});

test(
  'OC-TEST-7503 many requests at once get the same answers as one by one',
  async () => {
    const seed = Number(SEED ?? Math.floor(Math.random() * 2 ** 31));
    const report = await runGenerated(contracts, target, { requests: 60, concurrency: 32, seed });
    expect(report.violations, `seed ${seed}\n${formatReport(report)}`).toEqual([]);
    expect(report.sent).toBe(60 * generators.length);
  },
  LONG_MS,
);

test('OC-TEST-7503 afterwards the daemon is well and has logged no failure', async () => {
  const { client } = target;
  expect((await client.run({ prompt: 'well' })).terminal?.event).toBe('end');
  const failures = target.daemon.logs().filter(({ level }) => level === 'error');
  expect(failures).toEqual([]);
});

test('OC-TEST-7510 the same seed gives the same requests', () => {
  for (const { valid, faulty = valid } of generators) {
    const drawn = [0, 1].map(() =>
      fc.sample(fc.tuple(valid, faulty), { numRuns: 20, seed: 9 }).flat().map(describeRequest),
    );
    expect(drawn[0]).toEqual(drawn[1]);
  }
});

test(
  'OC-TEST-7511 the long form prints its seed, its answers and what broke the contract, in a table',
  async () => {
    const run = new ProgramRun(MAIN, ['--requests', '5', '--at-once', '8', '--seed', '11'], {});
    const { code, stdout } = await within('the end of the long form', run.exited, LONG_MS);
    expect(code, stdout).toBe(0);
    expect(stdout).toMatch(/^seed 11$/m);
    for (const id of Object.keys(OPERATIONS)) expect(stdout).toMatch(new RegExp(`^${id} `, 'm'));
    expect(stdout).toMatch(/^violations +0$/m);
  },
  LONG_MS,
);

describe('OC-TEST-7504 the suite tells when daemon and contract differ', () => {
  /** The contract with a change that the daemon knows nothing of. */
  function changed(from: string, to: string): readonly Contract[] {
    const isIn = contracts.filter(({ document }) => JSON.stringify(document).includes(from));
    expect(isIn).toHaveLength(1);
    return contracts.map((contract) => ({
      ...contract,
      document: JSON.parse(
        JSON.stringify(contract.document).replaceAll(from, to),
      ) as Contract['document'],
    }));
  }
  const violationsOf = async (
    planted: readonly Contract[],
    operationId: OperationId,
    kind: 'valid' | 'faulty',
  ): Promise<number> => {
    const requests = generatorsOf(planted).find((each) => each.operationId === operationId)?.[kind];
    const check = headerCheck(planted);
    const sent = fc.sample(requests!, { numRuns: 200, seed: 1 });
    const answers = await Promise.allSettled(
      sent.map((request) => exchangeCase(request, target, check)),
    );
    return answers.filter(({ status }) => status === 'rejected').length;
  };

  test('a bound that is wider in the contract', async () => {
    const planted = changed('"minimum":1,"maximum":200,"default":50', '"minimum":1,"maximum":900');
    expect(await violationsOf(planted, 'listTasks', 'valid')).toBeGreaterThan(0);
    expect(await violationsOf(contracts, 'listTasks', 'valid')).toBe(0);
  });

  test('a bound that is tighter in the contract', async () => {
    const planted = changed('"minimum":0,"maximum":86400000', '"minimum":7,"maximum":86400000');
    expect(await violationsOf(planted, 'drainPool', 'faulty')).toBeGreaterThan(0);
    expect(await violationsOf(contracts, 'drainPool', 'faulty')).toBe(0);
  });

  test('a header that the contract does not declare', async () => {
    const planted = changed('"X-Queue-ETA-Ms":{"$ref"', '"X-Queue-Time":{"$ref"');
    expect(await violationsOf(planted, 'createTask', 'valid')).toBeGreaterThan(0);
  });
});
