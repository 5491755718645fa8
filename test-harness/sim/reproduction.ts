/**
 * Runs every published case and sets our figures beside the reference. Settings are those of the
 * reference: exact signals, no noise. The reference does not give the seed of its deadlines nor
 * the lengths of its flooding tenant, so those rows are the mean over several seeds.
 */
import { join } from 'node:path';
import {
  meanTtftBoundMs,
  onTimeBound,
  hitRatioBound,
  toBoundJobs,
  ttftQuantileBoundMs,
} from './bounds.ts';
import { FLOODING_TENANT, withFlood } from './flood.ts';
import { A100_8B } from './iteration-time.ts';
import { MIXED_DEADLINES, withDeadlines } from './overlays.ts';
import type { NamedPolicy } from './policy.ts';
import { policyByName } from './policies/catalogue.ts';
import {
  ARENA_TRACE,
  DEADLINE_CASES,
  FLOOD_FIGURES,
  GAP_FIGURES,
  LATENCY_CASES,
  type ReferenceCase,
  type ReferenceFigures,
} from './reference-figures.ts';
import { largestServiceGap } from './service-gap.ts';
import { mean, quantile, summarize } from './summary.ts';
import { readTraceFile } from './trace-files.ts';
import { speedUp, type Trace } from './trace.ts';
import { DEFAULT_SCENARIO, simulate, type Scenario } from './world.ts';

export interface Comparison {
  readonly title: string;
  readonly subject: string;
  readonly figure: keyof ReferenceFigures;
  readonly reference: number;
  readonly ours: number;
}

const SEEDS = [1, 2, 3, 4, 5];
/** The stride between windows with which the reference gaps come out; see README. */
const REFERENCE_STRIDE_MS = 10_000;
const FLOOD_PER_S = 8;

/**
 * @param directory holds the traces under their published names
 * @throws Error when one is missing
 */
export function* reproduce(directory: string): Generator<Comparison> {
  for (const reference of LATENCY_CASES) {
    yield* compareCase(reference, [loadTrace(directory, reference)]);
  }
  for (const reference of DEADLINE_CASES) {
    const trace = loadTrace(directory, reference);
    const overlaid = SEEDS.map((seed) => withDeadlines(trace, MIXED_DEADLINES, seed));
    yield* compareCase(reference, overlaid);
  }
  yield* compareArena(readTraceFile(join(directory, ARENA_TRACE)).trace);
}

function loadTrace(directory: string, { trace, speed }: ReferenceCase): Trace {
  return speedUp(readTraceFile(join(directory, trace)).trace, speed);
}

function* compareCase(
  { title, replicas, cacheTokens, slo, bound, policies }: ReferenceCase,
  traces: readonly Trace[],
): Generator<Comparison> {
  yield* pair(
    title,
    'bound',
    bound,
    traces.map((trace) => referenceBound(trace, replicas, slo.ttftMs)),
  );
  const scenario: Scenario = { ...DEFAULT_SCENARIO, replicas, cacheTokens, signalPeriodMs: 0 };
  for (const [name, reference] of Object.entries(policies)) {
    const policy = knownPolicy(name);
    const measured = traces.map((trace): ReferenceFigures => {
      const summary = summarize(trace, simulate(trace, scenario, policy), slo);
      return {
        mean: summary.ttftMeanS,
        p50: summary.ttftP50S,
        p99: summary.ttftP99S,
        tpotP99: summary.tpotP99S,
        good: summary.goodput,
        hits: summary.hitRatio,
        onTime: summary.onTimeShare,
        rejected: summary.rejected / summary.requests,
        late: summary.servedLateShare,
      };
    });
    yield* pair(title, name, reference, measured);
  }
}

function referenceBound(trace: Trace, replicas: number, sloMs: number): ReferenceFigures {
  const speed = { constants: A100_8B, tokenBudget: DEFAULT_SCENARIO.tokenBudget, replicas };
  const jobs = toBoundJobs(trace, speed, Infinity);
  return {
    mean: meanTtftBoundMs(jobs, replicas) / 1000,
    p99: ttftQuantileBoundMs(jobs, replicas, 0.99) / 1000,
    onTime: onTimeBound(jobs, replicas, sloMs),
    hits: hitRatioBound(jobs),
  };
}

function* compareArena(arena: Trace): Generator<Comparison> {
  const scenario: Scenario = {
    ...DEFAULT_SCENARIO,
    replicas: 1,
    slots: 32,
    kvTokens: 35_000,
    signalPeriodMs: 0,
  };
  const twice = speedUp(arena, 2);
  for (const [name, reference] of Object.entries(FLOOD_FIGURES)) {
    const policy = knownPolicy(name === 'alone' ? 'central-fcfs' : name);
    const measured = SEEDS.map((seed) => {
      const trace = name === 'alone' ? twice : withFlood(twice, FLOOD_PER_S, seed);
      return othersTtft(trace, scenario, policy);
    });
    yield* pair('Arena ×2 beside a flood, N=1', name, reference, measured);
  }
  const fourfold = speedUp(arena, 4);
  for (const [name, reference] of Object.entries(GAP_FIGURES)) {
    const result = simulate(fourfold, scenario, knownPolicy(name));
    const gap = largestServiceGap(fourfold, result, REFERENCE_STRIDE_MS);
    yield* pair('Arena ×4, N=1', name, reference, [{ gap }]);
  }
}

function othersTtft(trace: Trace, scenario: Scenario, policy: NamedPolicy): ReferenceFigures {
  const { records } = simulate(trace, scenario, policy);
  const ttfts: number[] = [];
  for (const [index, { tenant, arrivalMs }] of trace.entries()) {
    if (tenant === FLOODING_TENANT) continue;
    ttfts.push(((records[index]?.firstTokenMs ?? NaN) - arrivalMs) / 1000);
  }
  return { mean: mean(ttfts), p99: quantile(ttfts, 0.99) };
}

/** One comparison per figure the reference gives; ours is the mean over the runs. */
function* pair(
  title: string,
  subject: string,
  reference: ReferenceFigures,
  runs: readonly ReferenceFigures[],
): Generator<Comparison> {
  for (const [figure, value] of Object.entries(reference) as [keyof ReferenceFigures, number][]) {
    const ours = mean(runs.map((run) => run[figure] ?? NaN));
    yield { title, subject, figure, reference: value, ours };
  }
}

function knownPolicy(name: string): NamedPolicy {
  const policy = policyByName(name);
  if (policy === undefined) throw new RangeError(`no policy is called ${name}`);
  return policy;
}
