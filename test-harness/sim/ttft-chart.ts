/**
 * The distribution of times to first token as an SVG: for each policy the share of requests served
 * within a time. Time is logarithmic; shares are spread by their odds, so that the median and the
 * tail can be read off one picture. The dashed curve is the distribution were every request alone
 * on an idle replica with every reusable block cached: no curve can lie left of it.
 */
import { quantile } from './summary.ts';
import { svgCircle, svgDocument, svgLine, svgText } from './svg.ts';

export interface ChartCurve {
  readonly label: string;
  readonly valuesS: readonly number[];
}

export interface Chart {
  readonly title: string;
  readonly subtitle: string;
  readonly curves: readonly ChartCurve[];
  readonly bound: ChartCurve;
  /** The least possible 99th percentile, s. */
  readonly p99BoundS: number;
  /** Offered requests: what was refused keeps a curve from reaching 100 %. */
  readonly offered: number;
}

const WIDTH = 900;
const HEIGHT = 480;
const PLOT = { left: 64, right: 660, top: 72, bottom: 420 };
/** Set apart in hue and in lightness, so that they stay apart in grey. */
const COLOURS = [
  '#0b5fa5',
  '#d1495b',
  '#2a9d8f',
  '#8d6cab',
  '#e08e0b',
  '#5f6b76',
  '#6aa84f',
  '#111111',
  '#c77dbb',
  '#7a4b1f',
  '#00b4d8',
  '#b5a400',
];
const POINTS = 200;
const LABEL_GAP = 22;

export function drawTtftChart(chart: Chart): string {
  const { title, subtitle, curves, bound, p99BoundS, offered } = chart;
  const axis = logAxis([...curves, bound].flatMap(({ valuesS }) => extremes(valuesS)));
  const drawn = curves.map((curve, index) => ({
    curve,
    colour: COLOURS[index % COLOURS.length] ?? '#111111',
  }));
  return svgDocument(WIDTH, HEIGHT, [
    svgText(PLOT.left, 30, title, 'font-size="17" font-weight="600"'),
    svgText(PLOT.left, 52, subtitle, 'font-size="12" fill="#555"'),
    ...gridLines(axis),
    pathOf(bound.valuesS, offered, axis, '#111111', 'stroke-width="1.5" stroke-dasharray="5 4"'),
    ...drawn.map(({ curve, colour }) =>
      pathOf(curve.valuesS, offered, axis, colour, 'stroke-width="2"'),
    ),
    marker(axis.toX(p99BoundS), toY(0.99)),
    ...legend(drawn, bound),
  ]);
}

interface Axis {
  readonly fromS: number;
  readonly toS: number;
  toX(valueS: number): number;
}

/** Whole decades around the values. */
function logAxis(values: readonly number[]): Axis {
  const from = Math.floor(Math.log10(Math.max(1e-3, Math.min(...values))));
  const to = Math.max(from + 1, Math.ceil(Math.log10(Math.max(...values))));
  const toX = (valueS: number) => {
    const at = (Math.log10(Math.max(valueS, 10 ** from)) - from) / (to - from);
    return PLOT.left + at * (PLOT.right - PLOT.left);
  };
  return { fromS: 10 ** from, toS: 10 ** to, toX };
}

function extremes(values: readonly number[]): number[] {
  return values.length === 0 ? [] : [quantile(values, 0), quantile(values, 1)];
}

/** Shares drawn, at the ends of the axis. */
const SHARES = { least: 0.01, greatest: 0.999 };

function toY(share: number): number {
  const odds = (value: number) => Math.log(value / (1 - value));
  const within = Math.min(SHARES.greatest, Math.max(SHARES.least, share));
  const at = (odds(within) - odds(SHARES.least)) / (odds(SHARES.greatest) - odds(SHARES.least));
  return PLOT.bottom - at * (PLOT.bottom - PLOT.top);
}

function gridLines(axis: Axis): string[] {
  const lines: string[] = [];
  for (let decade = axis.fromS; decade <= axis.toS * 1.001; decade *= 10) {
    const x = axis.toX(decade);
    lines.push(svgLine(x, PLOT.top, x, PLOT.bottom, 'stroke="#ddd"'));
    lines.push(
      svgText(x, PLOT.bottom + 20, timeLabel(decade), 'font-size="12" text-anchor="middle"'),
    );
  }
  for (const share of [0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999]) {
    const y = toY(share);
    lines.push(
      svgLine(PLOT.left, y, PLOT.right, y, `stroke="${share === SHARES.least ? '#777' : '#eee'}"`),
    );
    const label = `${Number((share * 100).toFixed(1))} %`;
    lines.push(svgText(PLOT.left - 8, y + 4, label, 'font-size="11" text-anchor="end"'));
  }
  lines.push(
    svgText(
      (PLOT.left + PLOT.right) / 2,
      PLOT.bottom + 42,
      'time to first token',
      'font-size="12" text-anchor="middle" fill="#555"',
    ),
  );
  return lines;
}

function pathOf(
  valuesS: readonly number[],
  offered: number,
  axis: Axis,
  colour: string,
  style: string,
): string {
  if (valuesS.length === 0) return '';
  const sorted = Float64Array.from(valuesS).sort();
  const points: string[] = [];
  for (const share of curveShares()) {
    const index = Math.min(sorted.length - 1, Math.floor(share * sorted.length));
    const x = axis.toX(sorted[index] ?? 0).toFixed(1);
    points.push(`${x},${toY((index + 1) / offered).toFixed(1)}`);
  }
  return `<polyline fill="none" stroke="${colour}" ${style} points="${points.join(' ')}"/>`;
}

/** Evenly spread on the axis. */
function curveShares(): number[] {
  const from = Math.log(SHARES.least / (1 - SHARES.least));
  const to = Math.log(SHARES.greatest / (1 - SHARES.greatest));
  return Array.from(
    { length: POINTS + 1 },
    (_, point) => 1 / (1 + Math.exp(-(from + (point / POINTS) * (to - from)))),
  );
}

function marker(x: number, y: number): string {
  return svgCircle(x, y, 4.5, 'fill="white" stroke="#111111" stroke-width="1.5"');
}

function legend(
  drawn: readonly { readonly curve: ChartCurve; readonly colour: string }[],
  bound: ChartCurve,
): string[] {
  const x = PLOT.right + 20;
  const rows = [
    ...drawn.map(({ curve, colour }) => ({ label: curve.label, colour, dash: '' })),
    { label: bound.label, colour: '#111111', dash: 'stroke-dasharray="5 4"' },
  ];
  const toRowY = (row: number) => PLOT.top + 8 + row * LABEL_GAP;
  const boundKey = [
    marker(x + 11, toRowY(rows.length)),
    svgText(x + 30, toRowY(rows.length) + 4, 'bound of the 99th percentile', 'font-size="12"'),
  ];
  const keys = rows.flatMap(({ label, colour, dash }, row) => {
    const y = toRowY(row);
    return [
      svgLine(x, y, x + 22, y, `stroke="${colour}" stroke-width="2" ${dash}`),
      svgText(x + 30, y + 4, label, 'font-size="12"'),
    ];
  });
  return [...keys, ...boundKey];
}

function timeLabel(valueS: number): string {
  return valueS < 0.999 ? `${Math.round(valueS * 1000)} ms` : `${Math.round(valueS)} s`;
}
