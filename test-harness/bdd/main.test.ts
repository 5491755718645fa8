/** The suite itself: it has to notice what is wrong, and nothing in it may be idle. */
import { globSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { ProgramRun, type Exit } from '../src/program-run.ts';
import { PROJECT_ROOT } from '../src/temp-config.ts';
import { within } from '../src/wait-for.ts';

const BDD = join('test-harness', 'bdd');
const RUN_MS = 120_000;
const DOMAINS = [
  'data-plane',
  'backpressure',
  'sessions',
  'lifecycle',
  'scheduling',
  'determinism',
  'security',
  'observability',
];
vi.setConfig({ testTimeout: RUN_MS });

let directory: string;
let report: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'llama-orch-bdd-'));
  report = join(directory, 'report.json');
  mkdirSync(join(directory, 'tmp'));
});
afterAll(() => rmSync(directory, { recursive: true }));

/** @param planted what `LLORCH_BDD_FEATURE_PATH` says, a feature that must fail; all others when left out */
async function bdd(args: readonly string[], planted?: string): Promise<Exit> {
  const run = new ProgramRun(join(PROJECT_ROOT, BDD, 'main.ts'), args, {
    SUITE_REPORT: report,
    TMPDIR: join(directory, 'tmp'),
    LLORCH_BDD_FEATURE_PATH: planted === undefined ? '' : join(BDD, 'planted', planted),
  });
  try {
    return await within('the end of the features', run.exited, RUN_MS);
  } finally {
    run.child.kill('SIGKILL');
  }
}

test('OC-TEST-7704 what is not so fails, and the report counts it', async () => {
  const exit = await bdd([], 'wrong.feature');
  expect(exit.code, exit.stderr).toBe(1);
  expect(exit.stdout).toContain('3 scenarios (1 passed, 2 failed)');
  const counted = JSON.parse(readFileSync(report, 'utf8')) as object;
  expect(counted).toMatchObject({ numPassedTests: 1, numFailedTests: 2 });
  // OC-TEST-7705: no data directory stays, after scenarios that failed neither.
  expect(readdirSync(join(directory, 'tmp'))).toEqual([]);
});

test('OC-TEST-7701 every domain has features', () => {
  const features = globSync('features/*/*.feature', { cwd: join(PROJECT_ROOT, BDD) });
  expect(new Set(features.map((path) => path.split('/')[1]))).toEqual(new Set(DOMAINS));
});

test('OC-TEST-7706 no step sleeps', () => {
  const cwd = join(PROJECT_ROOT, BDD);
  for (const path of globSync(['steps/*.ts', 'support/*.ts'], { cwd })) {
    expect(readFileSync(join(cwd, path), 'utf8'), path).not.toMatch(
      /setTimeout\(|timers\/promises/,
    );
  }
});

test('OC-TEST-7703 a line selects one scenario of a feature', async () => {
  const path = 'wrong.feature';
  const lines = readFileSync(join(PROJECT_ROOT, BDD, 'planted', path), 'utf8').split('\n');
  const line = lines.findIndex((each) => each.includes('Scenario: What is so')) + 1;
  const exit = await bdd([], `${path}:${line}`);
  expect(exit.code, exit.stdout).toBe(0);
  expect(exit.stdout).toContain('1 scenario (1 passed)');
});

test('OC-TEST-7703 a path that leads to no scenario is no success', async () => {
  expect((await bdd([], 'nowhere.feature')).code).toBe(1);
});

test.each([[[]], [['--dry-run']]])(
  'OC-TEST-7702 a step that nobody has defined fails, with %j',
  async (args) => {
    const exit = await bdd(args, 'undefined.feature');
    expect(exit.code).toBe(1);
    expect(exit.stderr).toContain('undefined: the daemon sings a song');
  },
);

test('OC-TEST-7702 a scenario without a requirement fails', async () => {
  const exit = await bdd(['--dry-run'], 'untraced.feature');
  expect(exit.code).toBe(1);
  expect(exit.stderr).toMatch(/^shows no requirement: \S+untraced\.feature: No tag$/m);
});

test('OC-TEST-7702 every step has one definition, every definition a step, every scenario a requirement', async () => {
  const exit = await bdd(['--dry-run']);
  expect(exit.stderr).toBe('');
  expect(exit.code, exit.stdout).toBe(0);
});
