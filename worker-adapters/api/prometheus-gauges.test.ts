import { expect, test } from 'vitest';
import { gaugeOf, samplesOf } from './prometheus-gauges.ts';

const EXPOSITION = `# HELP queue:waiting Requests that wait.
# TYPE queue:waiting gauge
queue:waiting{engine="0",model_name="m"} 3.0
queue:waiting{engine="1",model_name="m"} 4.0
queue:waiting_by_reason{engine="0",reason="capacity"} 100
plain 7
tabbed	8
at_a_time{} 9 1395066363000
bad{engine="0"} NaN
odd{name="a \\"b\\" {c}, d=\\"e\\" \\\\ \\n"} 1
`;

test('the series of a metric are summed, and a longer name is another metric', () => {
  expect(gaugeOf(EXPOSITION, 'queue:waiting')).toBe(7);
  expect(gaugeOf(EXPOSITION, 'queue:waiting_by_reason')).toBe(100);
});

test.each([
  ['plain', 7],
  ['tabbed', 8],
  ['at_a_time', 9],
])('%s is read without labels, with tabs and with a time', (name, value) => {
  expect(gaugeOf(EXPOSITION, name)).toBe(value);
});

test.each(['absent', 'queue', 'bad', '# HELP queue:waiting'])(
  '%s is unknown, never zero',
  (name) => {
    expect(gaugeOf(EXPOSITION, name)).toBeUndefined();
  },
);

test('labels are read with their escapes, braces and commas', () => {
  expect(samplesOf(EXPOSITION, 'odd')).toEqual([
    { labels: new Map([['name', 'a "b" {c}, d="e" \\ \n']]), value: 1 },
  ]);
});
