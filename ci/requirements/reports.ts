/** Writes a trace down: a YAML file for each spec, and COMPLIANCE.md over all. */
import { basename } from 'node:path';

import { stringify } from 'yaml';

import type { Level } from './spec-requirements.ts';
import type { Files, Status, Trace, Tracing } from './trace.ts';

const MADE_BY = 'Made by `npm run requirements`; not edited by hand.';

/** Everything that is generated: path → text. The same trace always gives the same bytes. */
export function reportsOf({ bySpec }: Trace): Files {
  return new Map([
    ...[...bySpec].map(
      ([spec, tracings]) =>
        [`requirements/${basename(spec, '.md')}.yaml`, specReport(spec, tracings)] as const,
    ),
    ['COMPLIANCE.md', compliance(bySpec)] as const,
  ]);
}

function specReport(spec: string, tracings: readonly Tracing[]): string {
  const requirements = Object.fromEntries(tracings.map((t) => [t.requirement.id, entry(t)]));
  return `# ${MADE_BY}\n${stringify({ spec, requirements }, { lineWidth: 0 })}`;
}

function entry({ requirement, status, operations, code, tests }: Tracing) {
  const { level, title, plannedParts, proof } = requirement;
  return {
    level,
    status,
    title,
    ...(plannedParts.length > 0 && { planned: plannedParts }),
    ...(proof !== undefined && { proof }),
    ...(operations.length > 0 && { operations }),
    ...(code.length > 0 && { code }),
    ...(tests.size > 0 && { tests: Object.fromEntries(tests) }),
  };
}

function compliance(bySpec: Trace['bySpec']): string {
  const all = [...bySpec.values()].flat();
  return [
    '# Compliance',
    '',
    `<!-- ${MADE_BY} -->`,
    '',
    'What the specs demand, and what of it is proven. `proven` means that tests carry the id in their',
    'titles; which ones stands in `requirements/*.yaml`. CI refuses a MUST that is neither proven nor',
    'planned.',
    '',
    ...table(bySpec, all),
    '',
    ...list('Planned', 'Not implemented.', having(all, 'planned'), ({ title }) => title),
    ...list(
      'Partly planned',
      'Proven but for what is named.',
      having(all, 'partly planned'),
      ({ plannedParts }) => plannedParts.join('; '),
    ),
    ...list(
      'Proven otherwise',
      'By a command instead of a test.',
      having(all, 'proven otherwise'),
      ({ title, proof }) => `\`${proof ?? ''}\`: ${title}`,
    ),
    ...list(
      'Without a proof',
      'SHOULD and MAY only.',
      having(all, 'untested'),
      ({ level, title }) => `${level}: ${title}`,
    ),
  ].join('\n');
}

const COLUMNS = [
  'Spec',
  'MUST',
  'SHOULD',
  'MAY',
  'proven',
  'partly planned',
  'planned',
  'proven otherwise',
  'without a proof',
];

function table(bySpec: Trace['bySpec'], all: readonly Tracing[]): readonly string[] {
  const rows = [
    COLUMNS,
    ...[...bySpec].map(([spec, tracings]) => [
      `[${basename(spec, '.md')}](${spec})`,
      ...counts(tracings),
    ]),
    ['all', ...counts(all)],
  ];
  const widths = COLUMNS.map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)));
  const lines = rows.map(
    (row) =>
      `| ${row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join(' | ')} |`,
  );
  const rule = widths.map((width, i) =>
    i === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`,
  );
  return [lines[0] ?? '', `| ${rule.join(' | ')} |`, ...lines.slice(1)];
}

function counts(tracings: readonly Tracing[]): readonly string[] {
  const levels: readonly Level[] = ['MUST', 'SHOULD', 'MAY'];
  const statuses: readonly Status[] = [
    'proven',
    'partly planned',
    'planned',
    'proven otherwise',
    'untested',
  ];
  return [
    ...levels.map((level) => tracings.filter((t) => t.requirement.level === level).length),
    ...statuses.map((status) => having(tracings, status).length),
  ].map(String);
}

function having(tracings: readonly Tracing[], status: Status): readonly Tracing[] {
  return tracings.filter((tracing) => tracing.status === status);
}

function list(
  heading: string,
  meaning: string,
  tracings: readonly Tracing[],
  text: (requirement: Tracing['requirement']) => string,
): readonly string[] {
  if (tracings.length === 0) return [];
  const items = tracings.map(({ requirement }) => `- **${requirement.id}** ${text(requirement)}`);
  return [`## ${heading}`, '', meaning, '', ...items, ''];
}
