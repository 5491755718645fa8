/** Our figures beside the reference, case by case. */
import type { Comparison } from './reproduction.ts';
import { formatColumns } from '../src/text-table.ts';

/** What counts as reproduced: this much of the figure, or this much of all requests. */
const RELATIVE_TOLERANCE = 0.05;
const SHARE_TOLERANCE = 0.005;
const SHARES = new Set<Comparison['figure']>(['good', 'onTime', 'rejected', 'late', 'hits']);

export function formatComparisons(comparisons: readonly Comparison[]): string {
  const blocks = [...Map.groupBy(comparisons, ({ title }) => title)].map(([title, rows]) => {
    const head = ['', 'figure', 'reference', 'ours', 'off'];
    return `${title}\n${formatColumns([head, ...rows.map(cellsOf)])}`;
  });
  const missed = comparisons.filter((comparison) => !isReproduced(comparison)).length;
  const verdict = `${comparisons.length - missed} of ${comparisons.length} figures reproduced within 5 % or 0.005 of all requests`;
  return `${blocks.join('\n\n')}\n\n${verdict}`;
}

export function isReproduced(comparison: Comparison): boolean {
  const { figure, reference, ours } = comparison;
  if (SHARES.has(figure) && Math.abs(ours - reference) <= SHARE_TOLERANCE) return true;
  return Math.abs(deviation(comparison)) <= RELATIVE_TOLERANCE;
}

function deviation({ reference, ours }: Comparison): number {
  return (ours - reference) / reference;
}

function cellsOf(comparison: Comparison): string[] {
  const { subject, figure, reference, ours } = comparison;
  const off = `${(100 * deviation(comparison)).toFixed(1)} %`;
  return [
    `  ${subject}`,
    figure,
    String(reference),
    ours >= 100 ? ours.toFixed(0) : ours.toFixed(3),
    isReproduced(comparison) ? off : `${off}  missed`,
  ];
}
