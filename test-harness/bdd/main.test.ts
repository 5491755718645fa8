/** The suite itself: it has to notice what is wrong, and nothing in it may be idle. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ProgramRun, type Exit } from '../src/program-run.ts';
import { PROJECT_ROOT } from '../src/temp-config.ts';
import { within } from '../src/wait-for.ts';

const BDD = join('test-harness', 'bdd');
const RUN_MS = 120_000;

let directory: string;
let report: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'llama-orch-bdd-'));
  report = join(directory, 'report.xml');
});
afterAll(() => rmSync(directory, { recursive: true }));

/** @param path what `LLORCH_BDD_FEATURE_PATH` says; all features when left out */
async function bdd(args: readonly string[], path?: string): Promise<Exit> {
  const env = path === undefined ? {} : { LLORCH_BDD_FEATURE_PATH: join(BDD, 'planted', path) };
  const run = new ProgramRun(
    join(PROJECT_ROOT, BDD, 'main.ts'),
    [...args, '--report', report],
    env,
  );
  try {
    return await within('the end of the features', run.exited, RUN_MS);
  } finally {
    run.child.kill('SIGKILL');
  }
}

test(
  'OC-TEST-7704 what is not so fails, and the report counts it',
  async () => {
    const exit = await bdd([], 'wrong.feature');
    expect(exit.code, exit.stderr).toBe(1);
    expect(exit.stdout).toContain('3 scenarios (1 passed, 2 failed)');
    expect(readFileSync(report, 'utf8')).toMatch(/<testsuite [^>]*tests="3"[^>]*failures="2"/);
  },
  RUN_MS,
);

test(
  'OC-TEST-7703 a line selects one scenario of a feature',
  async () => {
    const path = 'wrong.feature';
    const lines = readFileSync(join(PROJECT_ROOT, BDD, 'planted', path), 'utf8').split('\n');
    const line = lines.findIndex((each) => each.includes('Scenario: What is so')) + 1;
    const exit = await bdd([], `${path}:${line}`);
    expect(exit.code, exit.stdout).toBe(0);
    expect(exit.stdout).toContain('1 scenario (1 passed)');
  },
  RUN_MS,
);

test.each([[[]], [['--dry-run']]])(
  'OC-TEST-7702 a step that nobody has defined fails, with %j',
  async (args) => {
    const exit = await bdd(args, 'undefined.feature');
    expect(exit.code).toBe(1);
    expect(exit.stderr).toContain('undefined: the daemon sings a song');
  },
  RUN_MS,
);

test(
  'OC-TEST-7702 a scenario without a requirement of the specs fails',
  async () => {
    const exit = await bdd(['--dry-run'], 'untraced.feature');
    expect(exit.code).toBe(1);
    expect(exit.stderr).toContain('No tag (no requirement)');
    expect(exit.stderr).toContain('(ORCH-9999)');
  },
  RUN_MS,
);

test(
  'OC-TEST-7702 every step has one definition, every definition a step, every scenario a requirement',
  async () => {
    const exit = await bdd(['--dry-run']);
    expect(exit.stderr).toBe('');
    expect(exit.code, exit.stdout).toBe(0);
  },
  RUN_MS,
);
