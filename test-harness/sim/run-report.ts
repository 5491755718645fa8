/** What `npm run sim` prints and writes of its runs. */
import type { TenantSpec } from '@llama-orch/orchestrator-core';
import type { Bounds } from './bounds.ts';
import type { Summary } from './summary.ts';
import { formatColumns } from '../src/text-table.ts';

export interface PolicyRun {
  readonly policy: string;
  readonly summary: Summary;
  /** Time to first token of every served request, s. */
  readonly ttftsS: readonly number[];
  readonly tenants: readonly TenantTtft[];
  /** Wall time of the simulation itself. */
  readonly tookMs: number;
}

/** Times to first token of one tenant, s. */
export interface TenantTtft {
  readonly tenant: string;
  readonly served: number;
  readonly meanS: number;
  readonly p99S: number;
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

/** Times to first token by tenant, for those that were named with a weight. */
export function formatTenants(runs: readonly PolicyRun[], named: readonly TenantSpec[]): string {
  const rows = named.flatMap(({ tenantId, weight }) =>
    runs.flatMap(({ policy, tenants }) =>
      tenants
        .filter(({ tenant }) => tenant === tenantId)
        .map(({ served, meanS, p99S }) => [
          `${tenantId} (${weight})`,
          policy,
          String(served),
          seconds(meanS),
          seconds(p99S),
        ]),
    ),
  );
  return formatColumns([['tenant (weight)', 'policy', 'served', 'TTFT mean', 'p99'], ...rows]);
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
