/**
 * `npm run sim`: plays traces through a simulated fleet. Exits 2 when asked for what cannot be, 1 when
 * `--check` finds something wrong.
 */
import { writeFileSync } from 'node:fs';
import { checkInvariants } from './check.ts';
import {
  parseCommandLine,
  UsageError,
  type LedgerOptions,
  type PlayOptions,
  type ReproduceOptions,
  type VerdictOptions,
} from './cli-options.ts';
import { USAGE } from './cli-usage.ts';
import { askLedger, formatAnswer } from './ledger/what-if.ts';
import { chartOf, loadTrace, playBounds, playPolicy } from './play.ts';
import { formatComparisons } from './reproduction-report.ts';
import { reproduce } from './reproduction.ts';
import { TraceError } from './trace-files.ts';
import { formatRuns, formatTenants } from './run-report.ts';
import { openTraceFolder } from './verdict/settings.ts';
import { drawVerdict } from './verdict/verdict-chart.ts';
import { formatVerdict, verdictJson } from './verdict/verdict-report.ts';
import { judge, SLICE_SITTINGS, WHOLE_SITTINGS, type Section } from './verdict/verdict.ts';

function play(options: PlayOptions): void {
  const { scenario, slo, policies, tenants, json, svg } = options;
  const { trace, dropped } = loadTrace(options);
  if (dropped > 0) process.stderr.write(`${dropped} rows without tokens left out\n`);
  const bounds = playBounds(trace, scenario, slo);
  const runs = policies.map((policy) => playPolicy(trace, scenario, slo, policy));
  const tookMs = runs.reduce((sum, run) => sum + run.tookMs, 0);
  process.stdout.write(
    `${formatRuns(runs, bounds)}\n\n${trace.length} requests; times in seconds; the bound is for nominal step times; simulated in ${tookMs.toFixed(0)} ms\n`,
  );
  if (tenants.length > 0) process.stdout.write(`\n${formatTenants(runs, tenants)}\n`);
  if (json !== undefined) {
    const figures = runs.map(({ policy, summary, tenants: byTenant }) => ({
      policy,
      ...summary,
      tenants: byTenant,
    }));
    const settings = {
      trace: options.trace,
      speed: options.speed,
      rows: options.rows,
      tenants,
      scenario,
      slo,
    };
    writeFileSync(json, `${JSON.stringify({ settings, bounds, policies: figures }, null, 2)}\n`);
  }
  if (svg !== undefined) writeFileSync(svg, chartOf(trace, options, bounds, runs));
}

function compare({ traces, json }: ReproduceOptions): void {
  const comparisons = [...reproduce(traces)];
  process.stdout.write(`${formatComparisons(comparisons)}\n`);
  if (json !== undefined) writeFileSync(json, `${JSON.stringify(comparisons, null, 2)}\n`);
}

function verdict({ traces, slices, only, json, svg }: VerdictOptions): void {
  const sections: Section[] = [];
  const sittings = slices ? SLICE_SITTINGS : WHOLE_SITTINGS;
  for (const section of judge(openTraceFolder(traces), sittings, only)) {
    sections.push(section);
    const tookS = (section.tookMs / 1000).toFixed(1);
    process.stderr.write(`${section.title}, ${section.condition}, ${section.slice}: ${tookS} s\n`);
  }
  process.stdout.write(`${formatVerdict(sections)}\n`);
  if (json !== undefined) writeFileSync(json, verdictJson(sections));
  if (svg !== undefined) writeFileSync(svg, drawVerdict(sections));
}

function replay(options: LedgerOptions): void {
  const answer = askLedger(options);
  process.stdout.write(`${formatAnswer(answer)}\n`);
  if (options.json !== undefined) {
    writeFileSync(options.json, `${JSON.stringify(answer, null, 2)}\n`);
  }
}

function check(): void {
  const violations = checkInvariants();
  for (const { policy, condition, what } of violations) {
    process.stdout.write(`${policy}, ${condition}: ${what}\n`);
  }
  process.stdout.write(violations.length === 0 ? 'all invariants hold\n' : '');
  if (violations.length > 0) process.exitCode = 1;
}

function run(args: readonly string[]): void {
  const options = parseCommandLine(args);
  switch (options.kind) {
    case 'help':
      process.stdout.write(USAGE);
      return;
    case 'play':
      return play(options);
    case 'reproduce':
      return compare(options);
    case 'verdict':
      return verdict(options);
    case 'ledger':
      return replay(options);
    case 'check':
      return check();
  }
}

try {
  run(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof UsageError) && !isFileError(error)) throw error;
  process.stderr.write(`${error.message}\n\nnpm run sim -- --help says more\n`);
  process.exitCode = 2;
}

/** A file that is missing, or is not what it should be. */
function isFileError(error: unknown): error is Error {
  return error instanceof TraceError || (error instanceof Error && 'syscall' in error);
}
