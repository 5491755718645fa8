/** Counts the lines of each room that were run, and finds the rooms in which they are too few. */
import { formatColumns } from '../../test-harness/src/text-table.ts';
import type { Room } from './rooms.ts';

export interface FileLines {
  readonly path: string;
  /** Lines a statement starts on, from 1, ascending. */
  readonly lines: readonly number[];
  readonly uncovered: readonly number[];
}

export interface RoomLines {
  readonly room: Room;
  readonly files: readonly FileLines[];
}

const WORST_FILES = 25;

/** Percent, 0 to 100; a room without lines is covered. */
export function percent(lines: number, uncovered: number): number {
  return lines === 0 ? 100 : (100 * (lines - uncovered)) / lines;
}

/** Why the check fails: suites that failed, rooms below their bound. A room exactly at its bound is not. */
export function faultsOf(
  rooms: readonly RoomLines[],
  suites: readonly { readonly name: string; readonly hasPassed: boolean }[],
): readonly string[] {
  const failed = suites.filter(({ hasPassed }) => !hasPassed);
  const below = rooms.filter(({ room, files }) => {
    const { lines, uncovered } = totals(files);
    return percent(lines, uncovered) < room.minPercent;
  });
  return [
    ...failed.map(({ name }) => `failed: ${name}`),
    ...below.map(({ room }) => `below its bound of ${room.minPercent} %: ${room.name}`),
  ];
}

function totals(files: readonly FileLines[]): { lines: number; uncovered: number } {
  return {
    lines: files.reduce((sum, { lines }) => sum + lines.length, 0),
    uncovered: files.reduce((sum, { uncovered }) => sum + uncovered.length, 0),
  };
}

/** One row a room, then the files that most lines were not run of, worst first. */
export function formatLineReport(rooms: readonly RoomLines[]): string {
  const rows = rooms.map(({ room, files }) => {
    const { lines, uncovered } = totals(files);
    const share = floored(percent(lines, uncovered));
    return [room.name, `${lines}`, `${lines - uncovered}`, share, `${room.minPercent}`];
  });
  const worst = rooms
    .flatMap(({ files }) => files)
    .filter(({ uncovered }) => uncovered.length > 0)
    .sort((a, b) => b.uncovered.length - a.uncovered.length || (a.path < b.path ? -1 : 1))
    .slice(0, WORST_FILES)
    .map(({ path, lines, uncovered }) => [
      path,
      `${lines.length}`,
      `${uncovered.length}`,
      ranges(lines, uncovered),
    ]);
  const table = formatColumns([['room', 'lines', 'covered', 'percent', 'bound'], ...rows]);
  if (worst.length === 0) return table;
  const files = formatColumns([['file', 'lines', 'not run', 'which'], ...worst], new Set([0, 3]));
  return `${table}\n\n${files}`;
}

/** 94.99 is not shown as 95. */
function floored(value: number): string {
  return (Math.floor(value * 10) / 10).toFixed(1);
}

/** `3-7 12`: lines without a statement between two that were not run do not part them. */
export function ranges(lines: readonly number[], uncovered: readonly number[]): string {
  const missed = new Set(uncovered);
  const spans: { from: number; to: number; isOpen: boolean }[] = [];
  for (const line of lines) {
    const last = spans.at(-1);
    if (!missed.has(line)) {
      if (last !== undefined) last.isOpen = false;
    } else if (last?.isOpen === true) last.to = line;
    else spans.push({ from: line, to: line, isOpen: true });
  }
  return spans.map(({ from, to }) => (from === to ? `${from}` : `${from}-${to}`)).join(' ');
}
