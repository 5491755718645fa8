/** What a run with faults found, as tables for people. */
import { formatColumns } from '../src/text-table.ts';
import type { TaskOutcome } from './fault-client.ts';
import { FAULT_POOLS } from './fault-engines.ts';
import type { FaultReport } from './fault-run.ts';

const SHOWN = 20;
/** Tasks that no engine failed, and that ran once. */
const UNDISTURBED = 'none';
/** No fault was drawn for them: their engine was killed, or given up for what it did to others. */
const BESIDE = "others' faults";
const POISON = 'poison';

export function formatFaultReport(report: FaultReport): string {
  const { options, outcomes, footprints, killed, tookMs, violations } = report;
  const sumOf = (figure: (outcome: TaskOutcome) => number): number =>
    outcomes.reduce((sum, outcome) => sum + figure(outcome), 0);
  const mib = (bytes: number): string => (bytes / 2 ** 20).toFixed(0);
  const across = (figure: (footprint: (typeof footprints)[number]) => string | number): string =>
    footprints.map(figure).join(' → ');
  const facts: readonly (readonly [string, string | number])[] = [
    ['seed', options.seed],
    ['tasks', outcomes.length],
    ['seconds', (tookMs / 1_000).toFixed(1)],
    ['tokens read', sumOf(({ tokens }) => tokens)],
    ['streams resumed', sumOf(({ resumptions }) => resumptions)],
    ['engines killed', killed],
    ['resident memory, MiB', across(({ residentBytes }) => mib(residentBytes))],
    ['connections to engines', across(({ engineSockets }) => engineSockets)],
    ['open files', across(({ openFiles }) => openFiles ?? 'unknown')],
    ['leases', across(({ leases }) => leases)],
    ['violations', violations.length],
  ];
  return [
    formatColumns(tableOf(report)),
    formatColumns(facts.map(([name, value]) => [name, String(value)])),
    ...violations.slice(0, SHOWN).map((line) => `  ! ${line}`),
  ].join('\n\n');
}

/** A row for each engine and fault: what became of the tasks that it hit first. */
function tableOf({ outcomes, struck }: FaultReport): readonly (readonly string[])[] {
  const groups = new Map<string, TaskOutcome[]>();
  for (const outcome of outcomes) {
    const { plan, attempts } = outcome;
    const [first] = struck.get(plan.n) ?? [];
    const beside = attempts > 1 || outcome.state === 'failed' ? BESIDE : UNDISTURBED;
    const fault = plan.isPoison ? POISON : (first ?? beside);
    const key = `${plan.pool.id} ${fault}`;
    groups.set(key, [...(groups.get(key) ?? []), outcome]);
  }
  const faults = [...new Set([...groups.keys()].map((key) => key.slice(key.indexOf(' ') + 1)))];
  const rows = FAULT_POOLS.flatMap(({ id }) =>
    faults.toSorted().flatMap((fault) => {
      const group = groups.get(`${id} ${fault}`);
      return group === undefined ? [] : [[`${id}  ${fault}`, ...cellsOf(group)]];
    }),
  );
  return [['engine and fault', 'tasks', 'completed', 'canceled', 'retries', 'failed'], ...rows];
}

function cellsOf(group: readonly TaskOutcome[]): readonly string[] {
  const countOf = (state: TaskOutcome['state']): number =>
    group.filter((outcome) => outcome.state === state).length;
  const codes = new Map<string, number>();
  for (const { code } of group) {
    if (code !== undefined) codes.set(code, (codes.get(code) ?? 0) + 1);
  }
  const retries = group.reduce((sum, { attempts }) => sum + Math.max(0, attempts - 1), 0);
  const failed = [...codes].map(([code, count]) => `${code} ${count}`).join(', ');
  return [
    ...[group.length, countOf('completed'), countOf('canceled'), retries].map(String),
    failed === '' ? '-' : failed,
  ];
}
