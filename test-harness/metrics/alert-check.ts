/** The rules of `ci/alerts.yml` against the list, the runbook and their own cases. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { PROJECT_ROOT } from '../src/temp-config.ts';
import type { MetricsContract } from './contract-list.ts';
import { checkQuery } from './query-check.ts';

export interface Rule {
  readonly alert?: string;
  readonly record?: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface RuleFile {
  readonly groups: readonly { readonly name: string; readonly rules: readonly Rule[] }[];
}

interface CaseFile {
  readonly tests: readonly {
    readonly alert_rule_test?: readonly {
      readonly alertname: string;
      readonly exp_alerts?: readonly unknown[];
    }[];
  }[];
}

export const RULES_PATH = join(PROJECT_ROOT, 'ci', 'alerts.yml');
export const CASES_PATH = join(PROJECT_ROOT, 'ci', 'alerts.test.yml');
const RUNBOOK = 'docs/runbook.md';
const SEVERITIES = ['critical', 'warning'];

export const readRules = (): RuleFile => parse(readFileSync(RULES_PATH, 'utf8')) as RuleFile;
export const readCases = (): CaseFile => parse(readFileSync(CASES_PATH, 'utf8')) as CaseFile;
export const readRunbook = (): string => readFileSync(join(PROJECT_ROOT, RUNBOOK), 'utf8');

export interface RulesReport {
  /** One line each. */
  readonly faults: readonly string[];
  /** Families of the list that they watch. */
  readonly families: readonly string[];
}

/** @param runbook its text: an alert has a section of its name there */
export function checkRules(
  contract: MetricsContract,
  { groups }: RuleFile,
  runbook: string,
): RulesReport {
  const faults: string[] = [];
  const families = new Set<string>();
  const recorded = new Map<string, readonly string[]>();
  const names = new Set<string>();
  for (const rule of groups.flatMap(({ rules }) => rules)) {
    const name = rule.alert ?? rule.record ?? '';
    const tell = (fault: string): void => void faults.push(`${name}: ${fault}`);
    if (name === '' || names.has(name)) tell('has no name of its own');
    names.add(name);
    const report = checkQuery(contract, rule.expr, recorded);
    report.faults.forEach(tell);
    for (const family of report.families) families.add(family);
    if (rule.record !== undefined) {
      // level:metric:operation, as Prometheus recommends.
      if (!/^[a-z_]+:[a-z_]+:[a-z0-9_]+$/.test(rule.record)) tell('is not level:metric:operation');
      recorded.set(rule.record, report.labels);
    } else {
      checkAlert(rule, name, report.labels, runbook).forEach(tell);
    }
  }
  return { faults, families: [...families] };
}

function checkAlert(rule: Rule, name: string, given: readonly string[], runbook: string): string[] {
  const faults: string[] = [];
  const { summary = '', runbook_url: link } = rule.annotations ?? {};
  if (!/^[1-9]\d*[smh]$/.test(rule.for ?? '')) faults.push('has no `for`');
  if (!SEVERITIES.includes(rule.labels?.['severity'] ?? '')) faults.push('has no severity');
  if (summary === '') faults.push('has no summary');
  for (const [, label = ''] of summary.matchAll(/\$labels\.(\w+)/g)) {
    if (!given.includes(label)) faults.push(`its summary has no label '${label}'`);
  }
  if (link !== `${RUNBOOK}#${name.toLowerCase()}`) faults.push(`its runbook is ${String(link)}`);
  if (!runbook.includes(`\n## ${name}\n`)) faults.push('has no section in the runbook');
  return faults;
}

/** Alerts that no case shows firing, or none shows quiet. */
export function untested({ groups }: RuleFile, { tests }: CaseFile): readonly string[] {
  const cases = tests.flatMap((test) => test.alert_rule_test ?? []);
  const alerts = groups.flatMap(({ rules }) => rules.flatMap(({ alert }) => alert ?? []));
  return alerts.filter((alert) => {
    const own = cases.filter(({ alertname }) => alertname === alert);
    const fires = own.some(({ exp_alerts: expected = [] }) => expected.length > 0);
    return !fires || own.every(({ exp_alerts: expected = [] }) => expected.length > 0);
  });
}
