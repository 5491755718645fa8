/** What a suite's own report says, and the summary of all of them. */
import { readFileSync } from 'node:fs';
import { formatColumns } from '../test-harness/src/text-table.ts';

export interface SuiteResult {
  readonly name: string;
  readonly seconds: number;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** The part of vitest's JSON report that is counted. */
interface VitestReport {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly testResults: readonly {
    readonly status: string;
    readonly assertionResults: readonly unknown[];
  }[];
}

export type Counts = Pick<SuiteResult, 'passed' | 'failed' | 'skipped'>;

/**
 * Counts tests in a JSON report of vitest, or another tool's report of that shape. A file that could not
 * even be loaded counts as a failed test, as it holds none that could fail.
 * @throws Error when there is no such file, or it is not a report
 */
export function readCounts(file: string): Counts {
  const report = JSON.parse(readFileSync(file, 'utf8')) as VitestReport;
  const broken = report.testResults.filter(
    ({ status, assertionResults }) => status === 'failed' && assertionResults.length === 0,
  ).length;
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + broken,
    skipped: report.numPendingTests,
  };
}

/** One line a suite, tab-separated: name, seconds, passed, failed, skipped. */
export function toTsv(results: readonly SuiteResult[]): string {
  return results
    .map(({ name, seconds, passed, failed, skipped }) =>
      [name, Math.round(seconds), passed, failed, skipped].join('\t'),
    )
    .map((line) => `${line}\n`)
    .join('');
}

const HEAD = ['suite', 'seconds', 'passed', 'failed', 'skipped'];

export function formatSummary(results: readonly SuiteResult[]): string {
  const sum = (of: (result: SuiteResult) => number): number =>
    results.reduce((total, result) => total + of(result), 0);
  const total: SuiteResult = {
    name: 'all',
    seconds: sum(({ seconds }) => seconds),
    passed: sum(({ passed }) => passed),
    failed: sum(({ failed }) => failed),
    skipped: sum(({ skipped }) => skipped),
  };
  return formatColumns([
    HEAD,
    ...[...results, total].map(({ name, seconds, passed, failed, skipped }) => [
      name,
      seconds.toFixed(0),
      `${passed}`,
      failed === 0 ? '' : `${failed}`,
      skipped === 0 ? '' : `${skipped}`,
    ]),
  ]);
}
