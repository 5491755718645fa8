/** What tenants do to each other: a flood, uneven service, weights, and what fairness costs. */
import { ONE_SLOW, type Condition } from '../conditions.ts';
import { FLOODING_TENANT, withFlood } from '../flood.ts';
import { withTenants } from '../overlays.ts';
import type { NamedPolicy } from '../policy.ts';
import { centralFcfs, centralShortest } from '../policies/central.ts';
import { INPUT_WEIGHT, OUTPUT_WEIGHT, sfq, tenantRoundRobin, vtc } from '../policies/fair.ts';
import { llamaOrch, llamaOrchWith } from '../policies/llama-orch.ts';
import { FAIR_WEIGHTS, totalServed } from '../service.ts';
import { backloggedUntilMs, largestServiceGap, serviceGaps } from '../service-gap.ts';
import { mean, quantile } from '../summary.ts';
import { mergeTraces, speedUp, type Trace } from '../trace.ts';
import { simulate, type RunResult, type Scenario } from '../world.ts';
import type { Beside, Finding } from './finding.ts';
import { ARENA_FLEET, type Slice, type TraceFolder } from './settings.ts';

const FLOOD_PER_S = 8;
/** Windows of the published service gaps start so far apart. */
const STRIDE_MS = 10_000;
const BASELINES: readonly NamedPolicy[] = [
  vtc,
  sfq,
  tenantRoundRobin,
  centralShortest,
  centralFcfs,
];

/** What an operator sets whose tenants must not feel each other (`docs/scheduling.md`). */
const STOPPING = llamaOrchWith({ name: 'llama-orch, hard', pool: { preemption: 'hard' } });
/**
 * Whatever the others want goes before the flood, most urgent first and whatever their shares: about the
 * best that can be done without stopping what runs or keeping slots free for who may come.
 */
const FLOOD_LAST = llamaOrchWith({
  name: 'flood last of all',
  tenants: [{ tenantId: FLOODING_TENANT, weight: 1e-4, maxConcurrent: undefined }],
  tuning: { fairnessWindow: 1e5, returnCredit: 1e5 },
});

export function* findFairness(
  folder: TraceFolder,
  condition: Condition,
  slice: Slice,
  seeds: readonly number[],
): Generator<Finding> {
  // Of one replica, one twice as slow is all of them: another case, not the same less even.
  if (condition === ONE_SLOW) return;
  const scenario = condition.of(ARENA_FLEET);
  const arena = folder.load('arena', 1, slice);
  yield* isolation(speedUp(arena, 2), scenario, condition.name, seeds);
  yield* gaps(speedUp(arena, 4), scenario, condition.name);
  yield weights(arena, scenario, condition.name, seeds);
}

/**
 * 99th percentile of the other tenants' times to first token beside a flood, over what it is without
 * the flood under first come, first served: the same denominator for every policy. The target is for a
 * pool that may stop what runs; beside it what is reached without, and what the stopping costs.
 */
function* isolation(
  trace: Trace,
  scenario: Scenario,
  condition: string,
  seeds: readonly number[],
): Generator<Finding> {
  const aloneMs = othersP99Ms(trace, simulate(trace, scenario, centralFcfs));
  const floods = seeds.map((seed) => withFlood(trace, FLOOD_PER_S, seed));
  const flooded = (policy: NamedPolicy) => {
    const runs = floods.map((flood) => {
      const result = simulate(flood, scenario, policy);
      return {
        ratio: othersP99Ms(flood, result) / aloneMs,
        perMs: totalServed(flood, result, Infinity, FAIR_WEIGHTS) / result.endMs,
      };
    });
    const ratio = { policy: policy.name, value: mean(runs.map((run) => run.ratio)) };
    return { ratio, perMs: mean(runs.map((run) => run.perMs)) };
  };
  const [stopping, asIs] = [flooded(STOPPING), flooded(llamaOrch)];
  const baselines = BASELINES.map(flooded);
  const beside: Beside[] = baselines.map(({ ratio }) => ratio);
  const about = { setting: `Arena ×2 + ${FLOOD_PER_S}/s, N=1`, condition };
  const metric = "others' p99 TTFT beside a flood ÷ alone";
  yield {
    metric: `${metric}, preemption hard`,
    ...about,
    reached: stopping.ratio.value,
    target: { atMost: 15 },
    limit: 1,
    beside,
    digits: 1,
  };
  yield {
    metric: `${metric}, preemption soft`,
    ...about,
    reached: asIs.ratio.value,
    target: undefined,
    limit: 1,
    beside: [flooded(FLOOD_LAST).ratio, ...beside],
    digits: 1,
  };
  const fcfsPerMs = baselines.at(-1)?.perMs ?? NaN;
  yield {
    metric: 'throughput ÷ FCFS, preemption hard',
    ...about,
    reached: stopping.perMs / fcfsPerMs,
    target: { atLeast: 0.99 },
    limit: undefined,
    beside: [{ policy: llamaOrch.name, value: asIs.perMs / fcfsPerMs }],
    digits: 3,
  };
}

function othersP99Ms(trace: Trace, { records }: RunResult): number {
  const waits: number[] = [];
  for (const [index, { tenant, arrivalMs }] of trace.entries()) {
    if (tenant !== FLOODING_TENANT) waits.push((records[index]?.firstTokenMs ?? NaN) - arrivalMs);
  }
  return quantile(waits, 0.99);
}

function* gaps(trace: Trace, scenario: Scenario, condition: string): Generator<Finding> {
  // VTC's unit of service: the longest prompt, or a full batch of output.
  const longest = trace.reduce((most, { promptTokens }) => Math.max(most, promptTokens), 0);
  const unit = Math.max(INPUT_WEIGHT * longest, OUTPUT_WEIGHT * scenario.kvTokens);
  const runs = [llamaOrch, STOPPING, ...BASELINES].map((policy) => {
    const result = simulate(trace, scenario, policy);
    const served = totalServed(trace, result, Infinity, FAIR_WEIGHTS);
    return {
      policy: policy.name,
      gap: largestServiceGap(trace, result, STRIDE_MS) / unit,
      closeGap: largestServiceGap(trace, result) / unit,
      windows: serviceGaps(trace, result, STRIDE_MS).length,
      closeWindows: serviceGaps(trace, result).length,
      perMs: served / result.endMs,
    };
  });
  const fcfs = runs.at(-1)?.perMs ?? NaN;
  const about = { setting: 'Arena ×4, N=1', condition };
  const row = (figure: (run: (typeof runs)[number]) => number) => {
    const [reached = NaN] = runs.map(figure);
    const beside = runs.slice(1).map((run) => ({ policy: run.policy, value: figure(run) }));
    return { ...about, reached, beside };
  };
  // Tenants that never wait at once for long enough show nothing of how service was shared.
  const { windows = 0, closeWindows = 0 } = runs[0] ?? {};
  if (closeWindows > 0) {
    const note = `${closeWindows} windows`;
    const close = { ...row(({ closeGap }) => closeGap), limit: 0, digits: 4, note };
    yield { metric: 'service gap ÷ U', ...close, target: { atMost: 0.02 } };
    yield { metric: 'service gap ÷ U, at any time', ...close, target: { atMost: 2 } };
  }
  if (windows > 0) {
    yield {
      metric: 'service gap ÷ U, every 10 s as published',
      ...row(({ gap }) => gap),
      target: undefined,
      limit: 0,
      digits: 4,
      note: `${windows} windows`,
    };
  }
  yield {
    metric: 'throughput ÷ FCFS',
    ...row(({ perMs }) => perMs / fcfs),
    target: { atLeast: 0.99 },
    limit: undefined,
    digits: 3,
  };
}

const WEIGHTS: Readonly<Record<string, number>> = { a: 1, b: 2, c: 4 };
/** Fast enough that all three tenants have work waiting for most of the run. */
const BACKLOG_SPEED = 20;
/** Rows of the arena are played so many times, dealt anew each time. */
const ROUNDS = 3;

/**
 * Three tenants ask for the same and weigh 1, 2 and 4: the largest deviation of a share of the service
 * from its weight's, relative to it, until the first of them has nothing waiting.
 */
function weights(
  arena: Trace,
  scenario: Scenario,
  condition: string,
  seeds: readonly number[],
): Finding {
  const tenants = Object.entries(WEIGHTS).map(([tenantId, weight]) => ({
    tenantId,
    weight,
    maxConcurrent: undefined,
  }));
  const names = Object.keys(WEIGHTS);
  const deviation = (policy: NamedPolicy): Beside => ({
    policy: policy.name,
    value: mean(
      seeds.map((seed) => {
        const rounds = Array.from({ length: ROUNDS }, (_, round) =>
          withTenants(arena, names, 100 * seed + round),
        );
        const trace = speedUp(mergeTraces(...rounds), BACKLOG_SPEED);
        return largestDeviation(trace, simulate(trace, scenario, policy));
      }),
    ),
  });
  return {
    metric: 'weights 1:2:4, off by',
    setting: `Arena ×${BACKLOG_SPEED}, three times, N=1`,
    condition,
    reached: deviation(llamaOrchWith({ tenants })).value,
    target: { atMost: 0.03 },
    limit: 0,
    beside: [vtc]
      .map(deviation)
      .map(({ policy, value }) => ({ policy: `${policy}, equal`, value })),
    digits: 3,
  };
}

function largestDeviation(trace: Trace, result: RunResult): number {
  const untilMs = backloggedUntilMs(trace, result);
  const total = totalServed(trace, result, untilMs, FAIR_WEIGHTS);
  const totalWeight = Object.values(WEIGHTS).reduce((sum, weight) => sum + weight, 0);
  let largest = 0;
  for (const [tenant, weight] of Object.entries(WEIGHTS)) {
    const own = totalServed(trace, result, untilMs, FAIR_WEIGHTS, (row) => row.tenant === tenant);
    largest = Math.max(largest, Math.abs(own / total / (weight / totalWeight) - 1));
  }
  return largest;
}
