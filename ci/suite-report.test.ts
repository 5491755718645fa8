import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { formatSummary, readCounts, toTsv } from './suite-report.ts';

function reportFile(report: object): string {
  const file = join(mkdtempSync(join(tmpdir(), 'suite-report-')), 'report.json');
  writeFileSync(file, JSON.stringify(report));
  return file;
}

const RESULT = { name: 'pact', seconds: 12.4, passed: 7, failed: 0, skipped: 1 };

test('a report is counted, and a file that could not be loaded has failed', () => {
  const file = reportFile({
    numPassedTests: 5,
    numFailedTests: 1,
    numPendingTests: 2,
    testResults: [
      { status: 'passed', assertionResults: [{}, {}] },
      { status: 'failed', assertionResults: [{}] },
      { status: 'failed', assertionResults: [] },
    ],
  });
  expect(readCounts(file)).toEqual({ passed: 5, failed: 2, skipped: 2 });
});

test('what is no report is an error, not a suite without tests', () => {
  expect(() => readCounts(reportFile({}))).toThrow();
  expect(() => readCounts('/nowhere.json')).toThrow();
});

test('a suite is a line of the table, and of what the shell reads', () => {
  const failing = { ...RESULT, name: 'bdd', failed: 3 };
  expect(toTsv([RESULT, failing])).toBe('pact\t12\t7\t0\t1\nbdd\t12\t7\t3\t1\n');
  expect(formatSummary([RESULT, failing]).split('\n')).toEqual([
    'suite  seconds  passed  failed  skipped',
    'pact        12       7                1',
    'bdd         12       7       3        1',
    'all         25      14       3        2',
  ]);
});
