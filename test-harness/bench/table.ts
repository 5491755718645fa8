/** The printed table. */
import { formatColumns } from '../src/text-table.ts';
import type { Row } from './bench.ts';
import type { Spread } from './statistics.ts';

export interface Report {
  readonly bench: string;
  readonly rows: readonly Row[];
}

const HEAD = ['', 'unit', 'daemon', 'min..max', 'without', 'min..max', 'ratio', 'target'];
const WORDS = new Set([0, 1, 7]);

export function formatTable(reports: readonly Report[]): string {
  const rows = reports.flatMap(({ bench, rows: own }) => [bench, ...own.map(cellsOf)]);
  return formatColumns([HEAD, ...rows], WORDS);
}

function cellsOf(row: Row): readonly string[] {
  const { measure, unit, value, reference, target } = row;
  return [
    `  ${measure}`,
    unit,
    figure(value.median),
    range(value),
    reference === undefined ? '' : figure(reference.value.median),
    reference === undefined ? '' : range(reference.value),
    ratio(row),
    target === undefined
      ? ''
      : `${target.bound} ${figure(target.value)}${isMet(row) ? '' : '  missed'}`,
  ];
}

function isMet({ value, target }: Row): boolean {
  switch (target?.bound) {
    case 'at least':
      return value.median >= target.value;
    case 'at most':
      return value.median <= target.value;
    case 'below':
      return value.median < target.value;
    case undefined:
      return true;
  }
}

function ratio({ value, reference }: Row): string {
  if (reference === undefined || reference.value.median === 0) return '';
  return `× ${(value.median / reference.value.median).toFixed(2)}`;
}

function range({ min, max }: Spread): string {
  return min === max ? '' : `${figure(min)}..${figure(max)}`;
}

/** Three significant digits, thousands apart. */
function figure(value: number): string {
  if (!Number.isFinite(value)) return '–';
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toLocaleString('en-US', {
    minimumFractionDigits: Number.isInteger(value) ? 0 : digits,
    maximumFractionDigits: digits,
  });
}
