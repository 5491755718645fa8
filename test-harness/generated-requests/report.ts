/** What a run of generated requests found, as tables for people. */
import { formatColumns } from '../src/text-table.ts';
import type { RunReport } from './run.ts';

export function formatReport({
  options,
  tally,
  sent,
  tookMs,
  violations,
  violated,
}: RunReport): string {
  const rows = [...tally].flatMap(([operationId, row]) =>
    [...row]
      .toSorted(([a], [b]) => (a < b ? 1 : -1))
      .map(([came, times], n) => [n === 0 ? operationId : '', came, String(times)]),
  );
  const facts = [
    ['seed', String(options.seed)],
    ['requests', String(sent)],
    ['at once', String(options.concurrency)],
    ['seconds', (tookMs / 1_000).toFixed(1)],
    ['requests a second', (sent / (tookMs / 1_000)).toFixed(0)],
    ['violations', String(violated)],
  ];
  return [
    formatColumns([['operation', 'request and answer', 'times'], ...rows]),
    formatColumns(facts),
    ...violations.map((violation) => `! ${violation}`),
  ].join('\n\n');
}
