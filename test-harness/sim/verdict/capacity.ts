/** The greatest speed of a trace at which enough of what is offered meets both SLOs. */
import { AS_IS, type Condition } from '../conditions.ts';
import type { NamedPolicy } from '../policy.ts';
import { llmdBlend } from '../policies/cache-aware.ts';
import { edfReject } from '../policies/central.ts';
import { llamaOrch } from '../policies/llama-orch.ts';
import { minTtft } from '../policies/push.ts';
import { summarize, type Slo } from '../summary.ts';
import { speedUp, type Trace } from '../trace.ts';
import { simulate, type Scenario } from '../world.ts';
import type { Beside, Finding } from './finding.ts';
import { MOONCAKE_FLEET, MOONCAKE_SLO, type Slice, type TraceFolder } from './settings.ts';

export const GOOD_SHARE = 0.9;
/** Where the search gives up: a trace too heavy for its fleet, or too short to fill it. */
const SLOWEST = 0.05;
const FASTEST = 20;
const GROWTH = 1.3;
/** The search ends when the speed is known within this share of itself. */
const PRECISION = 0.01;

/**
 * Capacity as a multiple of the trace's own speed. The share of good requests falls with speed but
 * for small ripples; what is found is one place where it crosses. 0 when even the slowest fails.
 */
export function goodputCapacity(
  trace: Trace,
  scenario: Scenario,
  slo: Slo,
  policy: NamedPolicy,
): number {
  const isGood = (speed: number) => {
    const faster = speedUp(trace, speed);
    return summarize(faster, simulate(faster, scenario, policy), slo).goodput >= GOOD_SHARE;
  };
  let good = 0.8;
  while (!isGood(good)) {
    good /= GROWTH;
    if (good < SLOWEST) return SLOWEST;
  }
  let bad = good * GROWTH;
  while (isGood(bad)) {
    good = bad;
    bad *= GROWTH;
    if (bad > FASTEST) return FASTEST;
  }
  while (bad / good > 1 + PRECISION) {
    const middle = Math.sqrt(good * bad);
    if (isGood(middle)) good = middle;
    else bad = middle;
  }
  return good;
}

/**
 * With the SLO told to nobody; and on the nominal fleet also with each request carrying it as its
 * deadline, so that a policy may refuse what is lost anyway.
 */
export function* findCapacity(
  folder: TraceFolder,
  condition: Condition,
  slice: Slice,
): Generator<Finding> {
  const trace = folder.load('mooncake', 1, slice);
  const scenario = condition.of(MOONCAKE_FLEET);
  const speedOf = (rows: Trace, policy: NamedPolicy): Beside => ({
    policy: policy.name,
    value: goodputCapacity(rows, scenario, MOONCAKE_SLO, policy),
  });
  const alone = speedOf(trace, minTtft);
  const blend = speedOf(trace, llmdBlend);
  const ratios = function* (metric: string, ours: Beside, beside: readonly Beside[]) {
    for (const { baseline, atLeast } of [
      { baseline: alone, atLeast: 1.15 },
      { baseline: blend, atLeast: 1.9 },
    ]) {
      yield {
        metric: `${metric} ÷ ${baseline.policy}`,
        setting: 'Mooncake, N=8',
        condition: condition.name,
        reached: ours.value / baseline.value,
        target: { atLeast },
        limit: undefined,
        beside: beside
          .filter((other) => other !== baseline)
          .map(({ policy, value }) => ({ policy, value: value / baseline.value })),
        digits: 2,
        note: `×${ours.value.toFixed(2)} against ×${baseline.value.toFixed(2)}`,
      };
    }
  };
  yield* ratios('goodput capacity', speedOf(trace, llamaOrch), [alone, blend]);
  if (condition !== AS_IS) return;
  const told = trace.map((row) => ({ ...row, ttftSloMs: MOONCAKE_SLO.ttftMs }));
  const beside = [alone, blend, speedOf(told, edfReject)];
  yield* ratios('goodput capacity, SLO as deadline', speedOf(told, llamaOrch), beside);
}
