/** The table of `.specs/71-metrics-contract.md` against the list. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PROJECT_ROOT } from '../src/temp-config.ts';
import type { MetricsContract } from './contract-list.ts';

export function readSpec(): string {
  return readFileSync(join(PROJECT_ROOT, '.specs', '71-metrics-contract.md'), 'utf8');
}

const ROW = /^\| `(\w+)`\s*\| (\w+)\s*\| (\w+)\s*\|([^|]*)\| *[^| ]/gm;

/** What differs, one line each; empty when both say the same. */
export function checkSpec(contract: MetricsContract, markdown: string): readonly string[] {
  const specified = [...markdown.matchAll(ROW)].map(([, name, type, unit, labels = '']) =>
    told(String(name), String(type), String(unit), labels.split(' ').filter(Boolean)),
  );
  const listed = contract.families.map(({ name, type, unit, labels }) =>
    told(name, type, unit, labels),
  );
  return [
    ...specified.filter((row) => !listed.includes(row)).map((row) => `only in the spec: ${row}`),
    ...listed.filter((row) => !specified.includes(row)).map((row) => `only in the list: ${row}`),
  ];
}

function told(name: string, type: string, unit: string, labels: readonly string[]): string {
  return `${name} (${type}, ${unit}) {${labels.toSorted().join(',')}}`;
}
