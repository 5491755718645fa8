/**
 * What batch work gets out of replicas that interactive requests do not fill, and what it costs them.
 *
 * Spare capacity, in batch tokens per second: `R · (1 - W / C)`. `R` is what the same replicas do of
 * the backlog alone, sent as fast as they take it, for as long as it lasts. `W` is the replica time
 * that the interactive requests need at the least: their tokens, attention and KV reads at the rates
 * of the step formula, each token with its part of the fixed cost of a full step. `C` is the replica
 * time there was, up to the last interactive arrival. A replica with a lone decode is busy all the
 * time and yet has nearly all of its capacity to spare, so busy time would understate what is there.
 * Tokens count whether they are of a prompt or of an output, each once, however often a request was
 * stopped. More than the spare capacity is had only by keeping interactive requests waiting.
 */
import { speedOf } from '../bounds.ts';
import { AS_IS, type Condition } from '../conditions.ts';
import type { IterationConstants } from '../iteration-time.ts';
import type { NamedPolicy } from '../policy.ts';
import { interactiveFirst } from '../policies/central.ts';
import { llamaOrch, llamaOrchWith } from '../policies/llama-orch.ts';
import { leastRequests } from '../policies/push.ts';
import { PLAIN_WEIGHTS, totalServed } from '../service.ts';
import { summarize, type Slo } from '../summary.ts';
import { mergeTraces, type Trace, type TraceRequest } from '../trace.ts';
import { simulate, type RunResult, type Scenario } from '../world.ts';
import type { Finding } from './finding.ts';
import { AZURE_FLEET, AZURE_SLO, WHOLE, type Slice, type TraceFolder } from './settings.ts';

/** Of the slice, and rows of the backlog that outlast it. */
const INTERACTIVE_PART = 1 / 4;
const BACKLOG_ROWS = 4_500;
/** Steps of 2048 tokens take 140 ms: answers beside batch work keep 50 ms per token only on the average. */
const SMALL_STEP_TOKENS = 512;

export interface Harvest {
  readonly policy: string;
  /** Batch tokens over those of the spare capacity. */
  readonly share: number;
  /** Of the interactive requests, without and with batch work beside them. */
  readonly goodputAlone: number;
  readonly goodputBeside: number;
  /** The same of first tokens alone, whatever the pace of the rest. */
  readonly onTimeAlone: number;
  readonly onTimeBeside: number;
  readonly p99AloneS: number;
  readonly p99BesideS: number;
}

/** @param spare tokens per ms, from `spareCapacity` of the same traces and fleet */
export function harvest(
  interactive: Trace,
  backlog: Trace,
  scenario: Scenario,
  { slo, spare }: { readonly slo: Slo; readonly spare: number },
  policy: NamedPolicy,
): Harvest {
  const endMs = interactive.at(-1)?.arrivalMs ?? 0;
  const alone = summarize(interactive, simulate(interactive, scenario, policy), slo);
  const both = mergeTraces(backlog, interactive);
  const result = simulate(both, scenario, policy);
  const beside = summarizeInteractive(both, result, slo);
  const tokens = totalServed(both, result, endMs, PLAIN_WEIGHTS, isBatch);
  return {
    policy: policy.name,
    share: tokens / (spare * endMs),
    goodputAlone: alone.goodput,
    goodputBeside: beside.goodput,
    onTimeAlone: alone.onTimeShare,
    onTimeBeside: beside.onTimeShare,
    p99AloneS: alone.ttftP99S,
    p99BesideS: beside.ttftP99S,
  };
}

/** Batch tokens per ms that the fleet has to spare beside the interactive requests. */
export function spareCapacity(interactive: Trace, backlog: Trace, scenario: Scenario): number {
  const result = simulate(backlog, scenario, interactiveFirst);
  // When the last prompt is done replicas run empty, which says nothing of a backlog.
  const lastsMs = result.records.reduce(
    (latest, record) => Math.max(latest, record.firstTokenMs),
    0,
  );
  const perMs = totalServed(backlog, result, lastsMs, PLAIN_WEIGHTS) / lastsMs;
  const endMs = interactive.at(-1)?.arrivalMs ?? 0;
  return perMs * (1 - neededShare(interactive, scenario, endMs));
}

/** Part of the fleet's time until `endMs` that the requests need at the least. */
function neededShare(trace: Trace, scenario: Scenario, endMs: number): number {
  const { constants, tokenBudget, replicas } = speedOf(scenario);
  let neededMs = 0;
  for (const request of trace) neededMs += leastWorkMs(constants, tokenBudget, request);
  return neededMs / (replicas * endMs);
}

function leastWorkMs(
  { b0Ms, b1Ms, hostMs, hostPerDecodeMs, kvMs, pairMs }: IterationConstants,
  tokenBudget: number,
  { promptTokens, outputTokens }: TraceRequest,
): number {
  const decodes = outputTokens - 1;
  const contexts = decodes * (promptTokens + outputTokens / 2);
  return (
    (promptTokens + decodes) * (b1Ms + (b0Ms + hostMs) / tokenBudget) +
    hostPerDecodeMs * decodes +
    kvMs * contexts +
    (pairMs * promptTokens ** 2) / 2
  );
}

function isBatch({ priority }: TraceRequest): boolean {
  return priority === 'batch';
}

function summarizeInteractive(trace: Trace, result: RunResult, slo: Slo) {
  const keep = trace.map((request) => !isBatch(request));
  return summarize(
    trace.filter((_, index) => keep[index]),
    { ...result, records: result.records.filter((_, index) => keep[index]) },
    slo,
  );
}

const POLICIES: readonly NamedPolicy[] = [llamaOrch, interactiveFirst];
/** Beside them on the nominal fleet. */
const MORE_POLICIES: readonly NamedPolicy[] = [
  llamaOrchWith({ name: 'llama-orch, hard', pool: { preemption: 'hard' } }),
  leastRequests,
];

export function* findHarvest(
  folder: TraceFolder,
  condition: Condition,
  slice: Slice,
): Generator<Finding> {
  const all = folder.load('conversation', 2, slice);
  const interactive = all.slice(0, Math.round(INTERACTIVE_PART * all.length));
  const backlog = folder.load('arxiv', 1, WHOLE).slice(0, BACKLOG_ROWS);
  const budgets = condition === AS_IS ? [SMALL_STEP_TOKENS] : [];
  for (const tokenBudget of [AZURE_FLEET.tokenBudget, ...budgets]) {
    const scenario = condition.of({ ...AZURE_FLEET, tokenBudget });
    const spare = spareCapacity(interactive, backlog, scenario);
    const terms = { slo: AZURE_SLO, spare };
    const policies = condition === AS_IS ? [...POLICIES, ...MORE_POLICIES] : POLICIES;
    const runs = policies.map((policy) => harvest(interactive, backlog, scenario, terms, policy));
    const about = {
      setting: `Azure conv ×2 + arXiv, N=4, steps of ${tokenBudget}`,
      condition: condition.name,
    };
    const row = (figure: (run: Harvest) => number) => {
      const [ours, ...others] = runs.map((run) => ({ policy: run.policy, value: figure(run) }));
      return { ...about, reached: ours?.value ?? NaN, beside: others, digits: 3 };
    };
    yield {
      metric: 'batch harvest ÷ spare',
      ...row(({ share }) => share),
      target: { atLeast: 0.85 },
      limit: 1,
    };
    yield {
      metric: 'interactive goodput lost to batch',
      ...row(({ goodputAlone, goodputBeside }) => (goodputAlone - goodputBeside) / goodputAlone),
      target: { atMost: 0.01 },
      limit: 0,
    };
    yield {
      metric: 'interactive first tokens in time, lost to batch',
      ...row(({ onTimeAlone, onTimeBeside }) => (onTimeAlone - onTimeBeside) / onTimeAlone),
      target: undefined,
      limit: 0,
    };
    yield {
      metric: 'interactive p99 TTFT ÷ without batch',
      ...row(({ p99AloneS, p99BesideS }) => p99BesideS / p99AloneS),
      target: { atMost: 1.1 },
      limit: 1,
    };
  }
}
