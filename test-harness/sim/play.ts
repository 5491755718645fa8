/** One trace, one scenario, several policies. */
import { basename } from 'node:path';
import { boundsOf, speedOf, toBoundJobs, type Bounds } from './bounds.ts';
import { GENERATED, type PlayOptions } from './cli-options.ts';
import { generateTrace } from './generated-trace.ts';
import { MIXED_DEADLINES, withDeadlines, withTenants } from './overlays.ts';
import type { NamedPolicy } from './policy.ts';
import type { PolicyRun, TenantTtft } from './run-report.ts';
import { mean, quantile, summarize, type Slo } from './summary.ts';
import { readTraceFile, TraceError } from './trace-files.ts';
import { sliceTrace, speedUp, type Trace } from './trace.ts';
import { drawTtftChart } from './ttft-chart.ts';
import { simulate, type Scenario } from './world.ts';

/** @throws TraceError when the file is no trace or no row is left */
export function loadTrace(options: PlayOptions): { trace: Trace; dropped: number } {
  const { seed } = options.scenario;
  const { trace, dropped } =
    options.trace === GENERATED
      ? { trace: generateTrace({ seed }), dropped: 0 }
      : readTraceFile(options.trace);
  const rows = sliceTrace(trace, options.rows.from, options.rows.to);
  if (rows.length === 0) throw new TraceError(`--rows leaves nothing of ${trace.length} rows`);
  const paced = speedUp(rows, options.speed);
  const names = options.tenants.map(({ tenantId }) => tenantId);
  const hasTenants = new Set(paced.map(({ tenant }) => tenant)).size > 1;
  const dealt = names.length > 0 && !hasTenants ? withTenants(paced, names, seed) : paced;
  return {
    trace: options.mixedDeadlines ? withDeadlines(dealt, MIXED_DEADLINES, seed) : dealt,
    dropped,
  };
}

export function playBounds(trace: Trace, scenario: Scenario, slo: Slo): Bounds {
  return boundsOf(trace, speedOf(scenario), slo.ttftMs);
}

export function playPolicy(
  trace: Trace,
  scenario: Scenario,
  slo: Slo,
  policy: NamedPolicy,
): PolicyRun {
  const startedAt = performance.now();
  const result = simulate(trace, scenario, policy);
  const tookMs = performance.now() - startedAt;
  const served: { tenant: string; ttftS: number }[] = [];
  for (const [index, { firstTokenMs }] of result.records.entries()) {
    const { arrivalMs = NaN, tenant = '' } = trace[index] ?? {};
    if (Number.isNaN(firstTokenMs)) continue;
    served.push({ tenant, ttftS: (firstTokenMs - arrivalMs) / 1000 });
  }
  const ttftsS = served.map(({ ttftS }) => ttftS);
  const tenants: TenantTtft[] = [...Map.groupBy(served, ({ tenant }) => tenant)].map(
    ([tenant, members]) => {
      const own = members.map(({ ttftS }) => ttftS);
      return { tenant, served: own.length, meanS: mean(own), p99S: quantile(own, 0.99) };
    },
  );
  return { policy: policy.name, summary: summarize(trace, result, slo), ttftsS, tenants, tookMs };
}

export function chartOf(
  trace: Trace,
  options: PlayOptions,
  bounds: Bounds,
  runs: readonly PolicyRun[],
): string {
  const { scenario, speed } = options;
  const extras = [
    `${trace.length} requests ×${speed}`,
    `${scenario.replicas} × ${scenario.constants.name}`,
    ...(scenario.cacheTokens > 0 ? [`${scenario.cacheTokens} tokens of prefix cache each`] : []),
    ...(scenario.noise > 0 ? [`±${scenario.noise * 100} % noise`] : []),
  ];
  return drawTtftChart({
    title: `Time to first token: ${basename(options.trace)}`,
    subtitle: extras.join(', '),
    curves: runs.map(({ policy, ttftsS }) => ({ label: policy, valuesS: ttftsS })),
    bound: {
      label: 'bound: alone, all hits',
      valuesS: toBoundJobs(trace, scenario).map(({ aloneMs }) => aloneMs / 1000),
    },
    p99BoundS: bounds.ttftP99Ms / 1000,
    offered: trace.length,
  });
}
