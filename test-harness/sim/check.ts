/** What must hold under every policy, on the generated trace: small enough to run with every test run. */
import { boundsOf, speedOf } from './bounds.ts';
import { CONDITIONS } from './conditions.ts';
import { generateTrace } from './generated-trace.ts';
import { POLICIES } from './policies/catalogue.ts';
import { llamaOrch } from './policies/llama-orch.ts';
import { roundRobin } from './policies/push.ts';
import { summarize, type Slo, type Summary } from './summary.ts';
import type { Trace } from './trace.ts';
import { DEFAULT_SCENARIO, simulate, type RunResult, type Scenario } from './world.ts';

const SLO: Slo = { ttftMs: 1_000, tpotMs: 50 };
const FLEET: Scenario = { ...DEFAULT_SCENARIO, replicas: 2, cacheTokens: 100_000, slots: 64 };
/** Rounding in sums of many times. */
const EPSILON = 1e-9;

export interface Violation {
  readonly policy: string;
  readonly condition: string;
  readonly what: string;
}

/** Runs every policy under every condition. Takes seconds; an empty list is what should come. */
export function checkInvariants(policies = POLICIES): Violation[] {
  const trace = generateTrace();
  // Refusing is no way to look fast: times are compared where nothing may be refused.
  const patient = trace.map((request) => ({ ...request, ttftSloMs: undefined }));
  const violations: Violation[] = [];
  for (const { name: condition, of } of CONDITIONS) {
    const scenario = of(FLEET);
    for (const policy of policies) {
      const found = (what: string) => violations.push({ policy: policy.name, condition, what });
      const run = simulate(trace, scenario, policy);
      if (!isSame(run, simulate(trace, scenario, policy))) found('two equal runs differ');
      for (const what of accountOf(trace, run)) found(what);
      if (scenario.noise > 0) continue;
      for (const what of beyondBounds(trace, scenario, summarize(trace, run, SLO))) found(what);
      const served = summarize(patient, simulate(patient, scenario, policy), SLO);
      for (const what of beyondBounds(patient, scenario, served)) found(what);
      if (served.rejected > 0) found('a request without a deadline was refused');
    }
    const mean = (policy: typeof llamaOrch) =>
      summarize(patient, simulate(patient, scenario, policy), SLO).ttftMeanS;
    if (policies.includes(llamaOrch) && mean(llamaOrch) > mean(roundRobin)) {
      violations.push({ policy: llamaOrch.name, condition, what: 'slower than round robin' });
    }
  }
  return violations;
}

function isSame(one: RunResult, other: RunResult): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

/** Every request is served whole or refused, once. */
function accountOf(trace: Trace, { records }: RunResult): string[] {
  const wrong = new Set<string>();
  for (const [index, request] of trace.entries()) {
    const { rejectedMs = NaN, firstTokenMs = NaN, finishMs = NaN } = records[index] ?? {};
    const isServed = request.arrivalMs < firstTokenMs && firstTokenMs <= finishMs;
    const isRefused = rejectedMs >= request.arrivalMs;
    if (!isServed && !isRefused) wrong.add('a request was lost');
    if (isServed && isRefused) wrong.add('a request was served and refused');
  }
  return [...wrong];
}

function beyondBounds(trace: Trace, scenario: Scenario, summary: Summary): string[] {
  const bounds = boundsOf(trace, speedOf(scenario), SLO.ttftMs);
  const wrong: string[] = [];
  if (summary.onTimeShare > bounds.onTimeShare + EPSILON) wrong.push('beats the on-time bound');
  if (summary.rejected > 0) return wrong;
  if (summary.hitRatio > bounds.hitRatio + EPSILON) wrong.push('beats the hit bound');
  if (summary.ttftMeanS * 1000 < bounds.ttftMeanMs - EPSILON) wrong.push('beats the mean bound');
  if (summary.ttftP99S * 1000 < bounds.ttftP99Ms - EPSILON) wrong.push('beats the p99 bound');
  return wrong;
}
