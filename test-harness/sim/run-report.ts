/** What `npm run sim` prints and writes of its runs. */
import type { Bounds } from './bounds.ts';
import type { Summary } from './summary.ts';
import { formatColumns } from './text-table.ts';

export interface PolicyRun {
  readonly policy: string;
  readonly summary: Summary;
  /** Time to first token of every served request, s. */
  readonly ttftsS: readonly number[];
  /** Wall time of the simulation itself. */
  readonly tookMs: number;
}

const HEAD = [
  'policy',
  'TTFT mean',
  'p50',
  'p99',
  '× bound',
  'p99 ×',
  'TPOT p99',
  'goodput',
  'on time',
  'late',
  'refused',
  'hits',
  'of possible',
];

export function formatRuns(runs: readonly PolicyRun[], bounds: Bounds): string {
  const bound = [
    'bound',
    seconds(bounds.ttftMeanMs / 1000),
    '',
    seconds(bounds.ttftP99Ms / 1000),
    '1.00',
    '1.00',
    '',
    '',
    share(bounds.onTimeShare),
    '',
    '',
    share(bounds.hitRatio),
    '',
  ];
  return formatColumns([HEAD, bound, ...runs.map((run) => cellsOf(run, bounds))]);
}

function cellsOf({ policy, summary }: PolicyRun, bounds: Bounds): string[] {
  return [
    policy,
    seconds(summary.ttftMeanS),
    seconds(summary.ttftP50S),
    seconds(summary.ttftP99S),
    ratio(summary.ttftMeanS * 1000, bounds.ttftMeanMs),
    ratio(summary.ttftP99S * 1000, bounds.ttftP99Ms),
    `${(summary.tpotP99S * 1000).toFixed(0)} ms`,
    share(summary.goodput),
    share(summary.onTimeShare),
    share(summary.servedLateShare),
    share(summary.rejected / summary.requests),
    share(summary.hitRatio),
    ratio(summary.hitRatio, bounds.hitRatio),
  ];
}

function seconds(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(3);
}

function share(value: number): string {
  return value.toFixed(3);
}

function ratio(value: number, limit: number): string {
  return limit > 0 ? (value / limit).toFixed(2) : '–';
}
