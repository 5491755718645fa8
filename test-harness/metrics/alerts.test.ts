import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import {
  CASES_PATH,
  checkRules,
  readCases,
  readRules,
  readRunbook,
  RULES_PATH,
  untested,
} from './alert-check.ts';
import { readContract } from './contract-list.ts';

const hasPromtool = spawnSync('promtool', ['--version']).error === undefined;
if (!hasPromtool) {
  console.warn('SKIPPED: promtool is not installed (Debian: apt-get install prometheus)');
}

test('OC-METRICS-7130 OC-METRICS-7132 the rules are sound, and name what there is', () => {
  expect(checkRules(readContract(), readRules(), readRunbook()).faults).toEqual([]);
});

test('OC-METRICS-7132 each alert is shown to fire and to stay quiet', () => {
  expect(untested(readRules(), readCases())).toEqual([]);
});

test.skipIf(!hasPromtool).each([
  ['check', RULES_PATH],
  ['test', CASES_PATH],
])('OC-METRICS-7132 promtool %s rules', (command, path) => {
  const { status, stdout, stderr } = spawnSync('promtool', [command, 'rules', path], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  expect(status, `${stdout}${stderr}`).toBe(0);
});
