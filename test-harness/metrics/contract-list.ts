/** `ci/metrics.lint.json`: the families that the daemon exports, and where their labels' values come from. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ERROR_KINDS } from '@llama-orch/contracts';
import { PROJECT_ROOT } from '../src/temp-config.ts';

export interface Family {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly unit: string;
  readonly help: string;
  readonly labels: readonly string[];
  /** Upper bounds of a histogram, without +Inf. */
  readonly buckets?: readonly number[];
  /** Values of labels that differ from family to family. */
  readonly values?: Readonly<Record<string, LabelSource>>;
}

/**
 * A closed list, or where the values are from: `ErrorKind` of the contract, the configuration, what an
 * engine says of itself, or the family's own `values`.
 */
export type LabelSource = readonly string[] | 'ErrorKind' | 'configuration' | 'engine' | 'family';

export interface MetricsContract {
  readonly max_series_per_family: number;
  readonly labels: Readonly<Record<string, LabelSource>>;
  readonly families: readonly Family[];
}

export function readContract(): MetricsContract {
  const text = readFileSync(join(PROJECT_ROOT, 'ci', 'metrics.lint.json'), 'utf8');
  return JSON.parse(text) as MetricsContract;
}

/** The values a label may have in a family; undefined when they are not a closed list. */
export function closedValues(
  contract: MetricsContract,
  family: Family,
  label: string,
): readonly string[] | undefined {
  if (label === 'le') return [...(family.buckets ?? []).map(String), '+Inf'];
  const source = contract.labels[label];
  const own = source === 'family' ? family.values?.[label] : source;
  if (own === 'ErrorKind') return Object.keys(ERROR_KINDS);
  return typeof own === 'string' ? undefined : own;
}

/** A series' name, as a scrape or a query has it, taken apart. */
export interface SeriesName {
  readonly family: Family;
  /** What a histogram's series ends in; '' for the others. */
  readonly suffix: '' | '_bucket' | '_sum' | '_count';
}

/** Undefined for a name that is no series of the contract: a histogram has none of its bare name. */
export function seriesNamed(contract: MetricsContract, name: string): SeriesName | undefined {
  for (const family of contract.families) {
    if (family.type !== 'histogram') {
      if (family.name === name) return { family, suffix: '' };
      continue;
    }
    for (const suffix of ['_bucket', '_sum', '_count'] as const) {
      if (name === `${family.name}${suffix}`) return { family, suffix };
    }
  }
  return undefined;
}

/** The labels of a series. */
export function labelsOf({ family, suffix }: SeriesName): readonly string[] {
  return suffix === '_bucket' ? [...family.labels, 'le'] : family.labels;
}

/** What the end of a name says of its unit, and so must be. */
const UNIT_ENDINGS: Readonly<Record<string, string>> = {
  _ms: 'ms',
  _bytes: 'bytes',
  _ratio: 'ratio',
};

/** Faults of the list itself, one line each. */
export function checkList(contract: MetricsContract): readonly string[] {
  const faults: string[] = [];
  const names = contract.families.map(({ name }) => name);
  for (const family of contract.families) {
    const { name, type, unit, help, labels } = family;
    if (names.filter((each) => each === name).length > 1) faults.push(`${name} is listed twice`);
    if ((type === 'counter') !== name.endsWith('_total')) {
      faults.push(`${name}: counters, and only they, end in _total`);
    }
    for (const [ending, told] of Object.entries(UNIT_ENDINGS)) {
      if (name.endsWith(ending) && unit !== told) faults.push(`${name}: its unit is ${unit}`);
    }
    if (unit === '' || !help.endsWith('.')) faults.push(`${name}: has no unit or no sentence`);
    if ((type === 'histogram') !== (family.buckets !== undefined)) {
      faults.push(`${name}: histograms, and only they, have buckets`);
    }
    for (const label of labels) {
      const source = contract.labels[label];
      const missing = source === undefined || (source === 'family' && !family.values?.[label]);
      if (missing) faults.push(`${name}: nothing says what ${label} may be`);
    }
  }
  return faults;
}
