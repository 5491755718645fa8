import { expect, test } from 'vitest';
import { faultsOf, formatLineReport, percent, ranges } from './line-report.ts';
import type { RoomLines } from './line-report.ts';

/** A room of one file with a hundred lines. */
function roomOf(name: string, uncoveredLines: number, minPercent: number): RoomLines {
  const lines = Array.from({ length: 100 }, (_, index) => index + 1);
  const file = { path: `${name}/a.ts`, lines, uncovered: lines.slice(0, uncoveredLines) };
  return { room: { name, folder: name, minPercent }, files: [file] };
}

test('OC-TEST-7908 a room below its bound fails, one at its bound does not', () => {
  const [below, at] = [roomOf('below', 6, 95), roomOf('at', 5, 95)];
  expect(faultsOf([below, at], [])).toEqual(['below its bound of 95 %: below']);
  expect(faultsOf([at], [])).toEqual([]);
});

test('a suite that failed fails the check, whatever it ran', () => {
  const suites = [
    { name: 'pact', hasPassed: true },
    { name: 'chaos', hasPassed: false },
  ];
  expect(faultsOf([roomOf('core', 0, 95)], suites)).toEqual(['failed: chaos']);
});

test('a share is never rounded up to its bound', () => {
  const [file] = roomOf('core', 0, 95).files;
  const lines = Array.from({ length: 1001 }, (_, index) => index + 1);
  const short = {
    ...roomOf('core', 0, 95),
    files: [{ ...file!, lines, uncovered: lines.slice(950) }],
  };
  expect(percent(1001, 51)).toBeGreaterThan(94.9);
  expect(faultsOf([short], [])).toHaveLength(1);
  expect(formatLineReport([short])).toContain('94.9');
  expect(formatLineReport([short])).not.toContain('95.0');
});

test('files are listed by how many of their lines were not run, with the lines', () => {
  const report = formatLineReport([
    roomOf('few', 2, 95),
    roomOf('none', 0, 85),
    roomOf('many', 9, 85),
  ]);
  expect(report.split('\n')).toEqual([
    'room  lines  covered  percent  bound',
    'few     100       98     98.0     95',
    'none    100      100    100.0     85',
    'many    100       91     91.0     85',
    '',
    'file       lines  not run  which',
    'many/a.ts    100        9  1-9',
    'few/a.ts     100        2  1-2',
  ]);
});

test('lines not run are one range when no line that was run is between them', () => {
  expect(ranges([1, 3, 4, 8, 9, 12], [3, 4, 8, 12])).toBe('3-8 12');
  expect(ranges([1, 2], [])).toBe('');
});

test('a room without lines is covered', () => {
  expect(percent(0, 0)).toBe(100);
});
