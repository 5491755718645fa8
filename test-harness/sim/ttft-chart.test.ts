import { expect, test } from 'vitest';
import { drawTtftChart } from './ttft-chart.ts';

const chart = {
  title: 'a < b & c',
  subtitle: '',
  curves: [{ label: 'all', valuesS: [0.1, 0.2, 0.4] }],
  bound: { label: 'bound', valuesS: [0.05, 0.1, 0.2] },
  p99BoundS: 0.2,
  offered: 3,
};

function points(svg: string): { x: number; y: number }[][] {
  return [...svg.matchAll(/points="([^"]+)"/g)].map(([, list = '']) =>
    list.split(' ').map((point) => {
      const [x = NaN, y = NaN] = point.split(',').map(Number);
      return { x, y };
    }),
  );
}

test('curves rise to the right, and a faster one lies to the left', () => {
  const [bound = [], curve = []] = points(drawTtftChart(chart));
  for (const line of [bound, curve]) {
    for (const [index, { x, y }] of line.entries()) {
      expect(x).toBeGreaterThanOrEqual(line[index - 1]?.x ?? 0);
      expect(y).toBeLessThanOrEqual(line[index - 1]?.y ?? Infinity);
    }
  }
  for (const [index, { x }] of curve.entries()) expect(x).toBeGreaterThan(bound[index]?.x ?? NaN);
});

test('what was refused keeps a curve from the top', () => {
  const [, all = []] = points(drawTtftChart(chart));
  const [, some = []] = points(drawTtftChart({ ...chart, offered: 6 }));
  expect(some.at(-1)?.y).toBeGreaterThan(all.at(-1)?.y ?? NaN);
});

test('a policy that served nothing has no curve, and labels are escaped', () => {
  const svg = drawTtftChart({ ...chart, curves: [{ label: '<none>', valuesS: [] }] });
  expect(points(svg)).toHaveLength(1);
  expect(svg).toContain('a &lt; b &amp; c');
  expect(svg).toContain('&lt;none&gt;');
});
