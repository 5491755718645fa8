/** `npm run sim`: plays traces through a simulated fleet. Exits 2 when asked for what cannot be. */
import { writeFileSync } from 'node:fs';
import {
  parseCommandLine,
  USAGE,
  UsageError,
  type PlayOptions,
  type ReproduceOptions,
} from './cli-options.ts';
import { chartOf, loadTrace, playBounds, playPolicy } from './play.ts';
import { formatComparisons } from './reproduction-report.ts';
import { reproduce } from './reproduction.ts';
import { TraceError } from './trace-files.ts';
import { formatRuns } from './run-report.ts';

function play(options: PlayOptions): void {
  const { scenario, slo, policies, json, svg } = options;
  const { trace, dropped } = loadTrace(options);
  if (dropped > 0) process.stderr.write(`${dropped} rows without tokens left out\n`);
  const bounds = playBounds(trace, scenario, slo);
  const runs = policies.map((policy) => playPolicy(trace, scenario, slo, policy));
  const tookMs = runs.reduce((sum, run) => sum + run.tookMs, 0);
  process.stdout.write(
    `${formatRuns(runs, bounds)}\n\n${trace.length} requests; times in seconds; the bound is for nominal step times; simulated in ${tookMs.toFixed(0)} ms\n`,
  );
  if (json !== undefined) {
    const figures = runs.map(({ policy, summary }) => ({ policy, ...summary }));
    const settings = {
      trace: options.trace,
      speed: options.speed,
      rows: options.rows,
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

try {
  const options = parseCommandLine(process.argv.slice(2));
  if (options.kind === 'help') process.stdout.write(USAGE);
  else if (options.kind === 'reproduce') compare(options);
  else play(options);
} catch (error) {
  if (!(error instanceof UsageError) && !isFileError(error)) throw error;
  process.stderr.write(`${error.message}\n\nnpm run sim -- --help says more\n`);
  process.exitCode = 2;
}

/** A file that is missing, or is not a trace. */
function isFileError(error: unknown): error is Error {
  return error instanceof TraceError || (error instanceof Error && 'syscall' in error);
}
