/** The verdict as text, and as JSON. */
import { formatColumns } from '../../src/text-table.ts';
import { isMet, type Finding, type Target } from './finding.ts';
import type { Section } from './verdict.ts';

/** Baselines shown in a line; the JSON has all. */
const SHOWN_BASELINES = 3;
const HEAD = ['', 'under', 'target', 'reached', 'bound', 'met'];

export function formatVerdict(sections: readonly Section[]): string {
  const blocks = [...Map.groupBy(sections, ({ title }) => title)].map(([title, parts]) => {
    const rows = parts.flatMap(({ slice, findings }) =>
      findings.map((finding) => ({ slice, finding })),
    );
    const settings = [...Map.groupBy(rows, ({ finding }) => finding.setting)];
    const tables = settings.map(([setting, members]) => {
      const ordered = members.toSorted(
        (a, b) => firstOf(members, a.finding) - firstOf(members, b.finding),
      );
      const cells = ordered.map(({ slice, finding }) => cellsOf(slice, finding));
      const remarks = ['beside', ...ordered.map(({ finding }) => remarkOn(finding))];
      const lines = formatColumns([HEAD, ...cells]).split('\n');
      const width = Math.max(...lines.map((line) => line.length));
      const rows = lines.map((line, at) => `${line.padEnd(width)}  ${remarks[at] ?? ''}`.trimEnd());
      return `${setting}\n${rows.join('\n')}`;
    });
    return `== ${title}\n\n${tables.join('\n\n')}`;
  });
  return `${blocks.join('\n\n')}\n\n${formatCount(sections)}`;
}

/** Where a finding's metric first stands: keeps the conditions of one metric together. */
function firstOf(rows: readonly { readonly finding: Finding }[], { metric }: Finding): number {
  return rows.findIndex(({ finding }) => finding.metric === metric);
}

function formatCount(sections: readonly Section[]): string {
  const judged = sections
    .flatMap(({ findings }) => findings)
    .filter(({ target }) => target !== undefined);
  const met = judged.filter((finding) => isMet(finding) === true).length;
  const tookS = sections.reduce((sum, { tookMs }) => sum + tookMs, 0) / 1000;
  return `${met} of ${judged.length} targets met; simulated in ${tookS.toFixed(0)} s`;
}

function cellsOf(slice: string, finding: Finding): string[] {
  const { metric, condition, target, reached, limit, digits } = finding;
  const verdict = isMet(finding);
  const under = slice === 'whole' ? condition : slice;
  return [
    `  ${metric}`,
    under,
    target === undefined ? '–' : formatTarget(target),
    reached.toFixed(digits),
    limit === undefined ? '–' : limit.toFixed(digits),
    verdict === undefined ? '' : verdict ? 'yes' : 'NO',
  ];
}

function remarkOn({ beside, digits, note }: Finding): string {
  const others = beside
    .slice(0, SHOWN_BASELINES)
    .map(({ policy, value }) => `${policy} ${value.toFixed(digits)}`);
  return [...(note === undefined ? [] : [note]), ...others].join(', ');
}

function formatTarget(target: Target): string {
  if ('from' in target) return `${target.from} to ${target.to}`;
  return 'atMost' in target ? `≤ ${target.atMost}` : `≥ ${target.atLeast}`;
}

export function verdictJson(sections: readonly Section[]): string {
  const figures = sections.flatMap(({ title, slice, findings }) =>
    findings.map((finding) => ({ part: title, slice, ...finding, met: isMet(finding) })),
  );
  return `${JSON.stringify(figures, null, 2)}\n`;
}
