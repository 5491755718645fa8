import { describe, expect, test } from 'vitest';
import { checkRules, readRules, readRunbook } from './alert-check.ts';
import { readContract } from './contract-list.ts';
import { checkDashboard, readDashboards } from './dashboard-check.ts';

const contract = readContract();
const dashboards = readDashboards();

test('there are the four', () => {
  expect([...dashboards.keys()].toSorted()).toEqual([
    'admission.json',
    'replicas-slo.json',
    'streams.json',
    'tenants.json',
  ]);
  const uids = [...dashboards.values()].map(({ uid }) => uid);
  expect(new Set(uids).size).toBe(uids.length);
});

describe('OC-METRICS-7130 OC-METRICS-7131', () => {
  test.each([...dashboards])('%s is sound, and shows what there is', (_file, dashboard) => {
    expect(checkDashboard(contract, dashboard).faults).toEqual([]);
  });
});

test('OC-METRICS-7133 every family is shown or watched', () => {
  const seen = new Set([
    ...[...dashboards.values()].flatMap((each) => checkDashboard(contract, each).families),
    ...checkRules(contract, readRules(), readRunbook()).families,
  ]);
  expect(contract.families.map(({ name }) => name).filter((name) => !seen.has(name))).toEqual([]);
});
