import { expect, test } from 'vitest';
import type { Row } from './bench.ts';
import { formatTable } from './table.ts';

const row: Row = {
  measure: 'durable admissions',
  unit: '1/s',
  value: { median: 15_000, min: 14_000, max: 16_000 },
  reference: { name: 'bare parts', value: { median: 30_000, min: 30_000, max: 30_000 } },
  target: { bound: 'at least', value: 15_000 },
};
const linesOf = (change: Partial<Row>): readonly string[] =>
  formatTable([{ bench: 'admissions', rows: [{ ...row, ...change }] }]).split('\n');

test('a row shows its median, its range, what it is compared with and the ratio', () => {
  expect(linesOf({}).at(-1)).toMatch(
    /^ {2}durable admissions {2}1\/s +15,000 +14,000\.\.16,000 +30,000 +× 0\.50 +at least 15,000$/,
  );
});

test('a missed target is marked, a met one is not', () => {
  const missed = { median: 14_999, min: 1, max: 20_000 };
  expect(linesOf({ value: missed }).at(-1)).toMatch(/missed$/);
  expect(linesOf({ target: { bound: 'below', value: 15_000 } }).at(-1)).toMatch(/missed$/);
  expect(linesOf({ target: { bound: 'at most', value: 15_000 } }).at(-1)).not.toMatch(/missed/);
});

test('a figure that could not be measured is a dash', () => {
  const value = { median: NaN, min: NaN, max: NaN };
  expect(linesOf({ value }).at(-1)).toContain('–');
});
