/** Times to first token and prefix hits, against the bounds. */
import { boundsOf, speedOf } from '../bounds.ts';
import type { Condition } from '../conditions.ts';
import type { NamedPolicy } from '../policy.ts';
import { llmdBlend, llmdSticky, sglangCacheAware } from '../policies/cache-aware.ts';
import { centralFcfs } from '../policies/central.ts';
import { leastRequests, leastTokens, minTtft, roundRobin } from '../policies/push.ts';
import { vtc } from '../policies/fair.ts';
import { llamaOrch } from '../policies/llama-orch.ts';
import { summarize, type Slo } from '../summary.ts';
import type { Trace } from '../trace.ts';
import { simulate, type Scenario } from '../world.ts';
import type { Finding } from './finding.ts';
import { AZURE_FLEET, AZURE_SLO, MOONCAKE_FLEET, MOONCAKE_SLO } from './settings.ts';
import type { Slice, TraceFolder } from './settings.ts';

const MOONCAKE_BASELINES: readonly NamedPolicy[] = [
  minTtft,
  llmdSticky,
  llmdBlend,
  sglangCacheAware,
  vtc,
  leastRequests,
  roundRobin,
];
const CONVERSATION_BASELINES: readonly NamedPolicy[] = [
  minTtft,
  centralFcfs,
  leastTokens,
  vtc,
  leastRequests,
  roundRobin,
];

interface Outcome {
  readonly policy: string;
  readonly mean: number;
  readonly p99: number;
  readonly hits: number;
}

export function* findLatency(
  folder: TraceFolder,
  condition: Condition,
  slice: Slice,
): Generator<Finding> {
  const { name } = condition;
  const mooncake = stretches(
    folder.load('mooncake', 0.8, slice),
    condition.of(MOONCAKE_FLEET),
    MOONCAKE_SLO,
    MOONCAKE_BASELINES,
  );
  const setting = 'Mooncake ×0.8, N=8';
  const about = { setting, condition: name };
  yield finding('TTFT mean ÷ bound', about, 1.2, mooncake, ({ mean }) => mean);
  yield finding('TTFT p99 ÷ bound', about, 1.06, mooncake, ({ p99 }) => p99);
  yield {
    ...finding('prefix hits ÷ possible', about, 0, mooncake, ({ hits }) => hits),
    target: { atLeast: 0.95 },
  };
  const conversation = stretches(
    folder.load('conversation', 3, slice),
    condition.of(AZURE_FLEET),
    AZURE_SLO,
    CONVERSATION_BASELINES,
  );
  const aboutIt = { setting: 'Azure conv ×3, N=4', condition: name };
  yield finding('TTFT mean ÷ bound', aboutIt, 1.25, conversation, ({ mean }) => mean);
  yield finding('TTFT p99 ÷ bound', aboutIt, 1.4, conversation, ({ p99 }) => p99);
}

function stretches(
  trace: Trace,
  scenario: Scenario,
  slo: Slo,
  baselines: readonly NamedPolicy[],
): [Outcome, ...Outcome[]] {
  const bounds = boundsOf(trace, speedOf(scenario), slo.ttftMs);
  const outcome = (policy: NamedPolicy): Outcome => {
    const summary = summarize(trace, simulate(trace, scenario, policy), slo);
    return {
      policy: policy.name,
      mean: (1000 * summary.ttftMeanS) / bounds.ttftMeanMs,
      p99: (1000 * summary.ttftP99S) / bounds.ttftP99Ms,
      hits: summary.hitRatio / bounds.hitRatio,
    };
  };
  return [outcome(llamaOrch), ...baselines.map(outcome)];
}

function finding(
  metric: string,
  about: { readonly setting: string; readonly condition: string },
  atMost: number,
  [ours, ...others]: readonly [Outcome, ...Outcome[]],
  figure: (outcome: Outcome) => number,
): Finding {
  return {
    metric,
    ...about,
    reached: figure(ours),
    target: { atMost },
    limit: 1,
    beside: others.map((other) => ({ policy: other.policy, value: figure(other) })),
    digits: 2,
  };
}
