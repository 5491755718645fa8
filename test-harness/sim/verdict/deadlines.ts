/** Requests served in time when half are in a hurry, and what was served too late for anyone. */
import { boundsOf, speedOf } from '../bounds.ts';
import type { Condition } from '../conditions.ts';
import { MIXED_DEADLINES, withDeadlines } from '../overlays.ts';
import type { NamedPolicy } from '../policy.ts';
import { centralFcfs, edf, edfReject, tightShortestReject } from '../policies/central.ts';
import { llamaOrch } from '../policies/llama-orch.ts';
import { minTtft } from '../policies/push.ts';
import { mean, summarize } from '../summary.ts';
import type { Trace } from '../trace.ts';
import { simulate, type Scenario } from '../world.ts';
import type { Finding } from './finding.ts';
import { AZURE_FLEET, AZURE_SLO, type Slice, type TraceFolder } from './settings.ts';

const CASES = [
  { speed: 1, atLeast: 0.998 },
  { speed: 2, atLeast: 0.99 },
  { speed: 4, atLeast: 0.97 },
] as const;
const LATE_AT_MOST = 0.003;
const BASELINES: readonly NamedPolicy[] = [
  edfReject,
  tightShortestReject,
  edf,
  centralFcfs,
  minTtft,
];

export function* findDeadlines(
  folder: TraceFolder,
  condition: Condition,
  slice: Slice,
  seeds: readonly number[],
): Generator<Finding> {
  const scenario = condition.of(AZURE_FLEET);
  for (const { speed, atLeast } of CASES) {
    const plain = folder.load('code', speed, slice);
    const traces = seeds.map((seed) => withDeadlines(plain, MIXED_DEADLINES, seed));
    const limit = mean(
      traces.map((trace) => boundsOf(trace, speedOf(scenario), AZURE_SLO.ttftMs).onTimeShare),
    );
    const ours = outcomeOf(traces, scenario, llamaOrch);
    const others = BASELINES.map((policy) => outcomeOf(traces, scenario, policy));
    const about = { setting: `Azure code ×${speed}, N=4`, condition: condition.name };
    yield {
      metric: 'on time',
      ...about,
      reached: ours.onTime,
      target: { atLeast },
      limit,
      beside: others.map(({ policy, onTime }) => ({ policy, value: onTime })),
      digits: 4,
    };
    yield {
      metric: 'served late',
      ...about,
      reached: ours.late,
      target: { atMost: LATE_AT_MOST },
      limit: 0,
      beside: others.map(({ policy, late }) => ({ policy, value: late })),
      digits: 4,
    };
  }
}

/** Shares of all offered requests, as the mean over the overlays. */
function outcomeOf(traces: readonly Trace[], scenario: Scenario, policy: NamedPolicy) {
  const summaries = traces.map((trace) =>
    summarize(trace, simulate(trace, scenario, policy), AZURE_SLO),
  );
  return {
    policy: policy.name,
    onTime: mean(summaries.map(({ onTimeShare }) => onTimeShare)),
    late: mean(summaries.map(({ servedLateShare }) => servedLateShare)),
  };
}
