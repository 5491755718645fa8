/**
 * The verdict in one picture: a line per target, and on it how far each policy is from the limit as a
 * multiple of what the target allows. Left of the upright line at 1 the target is met.
 */
import { svgCircle, svgDocument, svgLine, svgText } from '../svg.ts';
import { distance, isMet, type Finding } from './finding.ts';
import type { Section } from './verdict.ts';

const WIDTH = 1140;
const PLOT = { left: 540, right: 1110, top: 96 };
const ROW = 22;
const TITLE = 30;
/** Ends of the axis; what lies beyond is drawn at its end. */
const LEAST = 1 / 16;
const MOST = 64;
const TICKS = [1 / 16, 1 / 4, 1, 4, 16, 64];
const MET = '#1a7f4b';
const MISSED = '#c0392b';
const BASELINE = 'fill="white" stroke="#8a949e" stroke-width="1.3"';

function subtitleOf(sections: readonly Section[]): string {
  const judged = sections
    .flatMap(({ findings }) => findings)
    .filter(({ target }) => target !== undefined);
  const met = judged.filter((finding) => isMet(finding) === true).length;
  return `${met} of ${judged.length} met, over all conditions; baselines from the same runs`;
}

interface Row {
  readonly finding: Finding;
  /** The same under other conditions, or on other slices. */
  readonly others: readonly Finding[];
}

export function drawVerdict(sections: readonly Section[]): string {
  const content: string[] = [
    svgText(24, 34, 'The scheduler against its targets', 'font-size="18" font-weight="600"'),
    svgText(24, 56, subtitleOf(sections), 'font-size="12" fill="#555"'),
    ...legend(),
  ];
  let y = PLOT.top;
  const bodyTop = y;
  const body: string[] = [];
  for (const [title, parts] of Map.groupBy(sections, (section) => section.title)) {
    y += TITLE;
    body.push(svgText(24, y - 6, title, 'font-size="13" font-weight="600"'));
    for (const row of rowsOf(parts)) {
      body.push(...drawRow(row, y + ROW / 2));
      y += ROW;
    }
  }
  for (const tick of TICKS) {
    const x = toX(tick);
    const style = tick === 1 ? 'stroke="#111" stroke-width="1.2"' : 'stroke="#e3e6e9"';
    content.push(svgLine(x, bodyTop, x, y + 8, style));
    const label = tick === 1 ? 'target' : tick < 1 ? `1/${1 / tick}` : `${tick}×`;
    content.push(svgText(x, y + 26, label, 'font-size="11" text-anchor="middle" fill="#555"'));
  }
  return svgDocument(WIDTH, y + 44, [...content, ...body]);
}

function rowsOf(sections: readonly Section[]): Row[] {
  const findings = sections
    .flatMap((section) => section.findings)
    .filter(({ target }) => target !== undefined);
  const alike = Map.groupBy(findings, ({ metric, setting }) => `${metric}\n${setting}`);
  return [...alike.values()].flatMap(([finding, ...others]) =>
    finding === undefined ? [] : [{ finding, others }],
  );
}

function drawRow({ finding, others }: Row, y: number): string[] {
  const drawn = [
    svgText(36, y + 4, finding.metric, 'font-size="12"'),
    svgText(PLOT.left - 12, y + 4, finding.setting, 'font-size="10" fill="#777" text-anchor="end"'),
    svgLine(PLOT.left, y, PLOT.right, y, 'stroke="#f0f1f3"'),
  ];
  const at = (of: Finding, value: number) => toX(distance(of, value) ?? NaN);
  for (const { value } of finding.beside)
    drawn.push(svgCircle(at(finding, value), y, 3.5, BASELINE));
  for (const other of others) {
    const colour = isMet(other) === true ? MET : MISSED;
    drawn.push(svgCircle(at(other, other.reached), y, 3, `fill="${colour}" fill-opacity="0.45"`));
  }
  const colour = isMet(finding) === true ? MET : MISSED;
  drawn.push(svgCircle(at(finding, finding.reached), y, 5, `fill="${colour}"`));
  return drawn;
}

function toX(value: number): number {
  const within = Math.min(MOST, Math.max(LEAST, Number.isNaN(value) ? MOST : value));
  const share = Math.log(within / LEAST) / Math.log(MOST / LEAST);
  return PLOT.left + share * (PLOT.right - PLOT.left);
}

function legend(): string[] {
  const y = 78;
  return [
    svgCircle(30, y, 5, `fill="${MET}"`),
    svgText(40, y + 4, 'llama-orch, target met', 'font-size="11"'),
    svgCircle(184, y, 5, `fill="${MISSED}"`),
    svgText(194, y + 4, 'missed', 'font-size="11"'),
    svgCircle(256, y, 3, `fill="${MISSED}" fill-opacity="0.45"`),
    svgText(264, y + 4, 'on noisy or uneven replicas, or other rows', 'font-size="11"'),
    svgCircle(524, y, 3.5, BASELINE),
    svgText(533, y + 4, 'baselines', 'font-size="11"'),
    svgText(
      PLOT.right,
      y + 4,
      'distance from the limit, as a multiple of the target’s',
      'font-size="11" fill="#555" text-anchor="end"',
    ),
  ];
}
