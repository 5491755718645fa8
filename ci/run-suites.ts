/**
 * `npm test`: every suite, in order, then one table of all. A suite that fails does not keep the others from
 * running. With arguments it is `vitest run` with these: `npm test -- orchestrator-core`.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { formatSummary, readCounts, toTsv } from './suite-report.ts';
import type { Counts, SuiteResult } from './suite-report.ts';
import { SUITES } from './suites.ts';
import type { Suite } from './suites.ts';

const REPORTS = '.cache/suites';
/** Read by `.ci/run`. */
const SUMMARY = '.cache/suites.tsv';

function run(command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): number {
  const { status, error } = spawnSync(command, args, {
    stdio: 'inherit',
    env: { ...process.env, ...env },
  });
  if (error !== undefined) throw error;
  return status ?? 1;
}

function runSuite({ name, command, filesPerCore = 1 }: Suite): SuiteResult {
  const report = `${REPORTS}/${name.replaceAll(' ', '-')}.json`;
  const beganMs = performance.now();
  const [program, ...args] = command ?? [
    ...['vitest', 'run', '--project', name],
    ...[`--maxWorkers=${Math.ceil(availableParallelism() * filesPerCore)}`],
    ...['--reporter=default', '--reporter=json', `--outputFile.json=${report}`],
  ];
  const status = run(program, args, { SUITE_REPORT: report });
  const seconds = (performance.now() - beganMs) / 1000;
  const { passed, failed, skipped } = countsOf(report);
  // Whatever the report says: what did not end well has failed.
  return { name, seconds, passed, failed: status === 0 ? failed : Math.max(1, failed), skipped };
}

function countsOf(report: string): Counts {
  try {
    return readCounts(report);
  } catch (error) {
    process.stderr.write(`no report of the suite: ${String(error)}\n`);
    return { passed: 0, failed: 1, skipped: 0 };
  }
}

function runAll(): number {
  rmSync(REPORTS, { recursive: true, force: true });
  mkdirSync(REPORTS, { recursive: true });
  const results: SuiteResult[] = [];
  for (const suite of SUITES) {
    process.stdout.write(`\n── ${suite.name}\n`);
    results.push(runSuite(suite));
    // A run that is cut off has told how far it came.
    writeFileSync(SUMMARY, toTsv(results));
  }
  process.stdout.write(`\n${formatSummary(results)}\n`);
  return results.every(({ failed }) => failed === 0) ? 0 : 1;
}

const args = process.argv.slice(2);
process.exitCode = args.length > 0 ? run('vitest', ['run', ...args]) : runAll();
