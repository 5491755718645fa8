/**
 * Limits that hold for any policy on the replica model. They rest on three things no policy can
 * beat: N replicas are never better than one that is N times as fast; a request needs at least
 * the prefill that an infinite, shared, instantly filled prefix cache leaves it; and alone on an
 * idle replica of nominal speed it is as fast as it can be. Noise is left out.
 */
import { KeyedHeap } from './keyed-heap.ts';
import { idlePrefillMs, type IterationConstants } from './iteration-time.ts';
import { hitTokens } from './prefix-cache.ts';
import { mean, quantile } from './summary.ts';
import type { Trace } from './trace.ts';
import type { Scenario } from './world.ts';

/** What a bound needs to know of one request. */
export interface BoundJob {
  readonly arrivalMs: number;
  /** Prefill on an idle replica that holds every reusable block. */
  readonly aloneMs: number;
  /** Least time one replica spends on it, sharing full steps with others. */
  readonly workMs: number;
  readonly hitTokens: number;
  readonly promptTokens: number;
  readonly ttftSloMs: number | undefined;
}

export interface FleetSpeed {
  readonly constants: IterationConstants;
  readonly tokenBudget: number;
  /** Replicas of nominal speed that are as fast together as the fleet; need not be whole. */
  readonly replicas: number;
}

/** The fleet of a scenario; none of its replicas may be faster than nominal. */
export function speedOf(scenario: Scenario): FleetSpeed {
  const { constants, tokenBudget, slowdowns } = scenario;
  let replicas = 0;
  for (let index = 0; index < scenario.replicas; index += 1)
    replicas += 1 / (slowdowns[index] ?? 1);
  return { constants, tokenBudget, replicas };
}

/**
 * The trace as jobs, with the hits of an infinite cache: every block seen in an earlier row.
 * @param sharingTokens tokens that share the fixed cost of a step at most: a full step. Infinity
 *   leaves the fixed cost out, which is looser and is what the published reference limits did.
 */
export function toBoundJobs(
  trace: Trace,
  { constants, tokenBudget }: FleetSpeed,
  sharingTokens = tokenBudget,
): BoundJob[] {
  const seen = new Set<number>();
  return trace.map(({ arrivalMs, promptTokens, blocks, ttftSloMs }) => {
    let matched = 0;
    while (matched < blocks.length && seen.has(blocks[matched] ?? -1)) matched += 1;
    for (const id of blocks) seen.add(id);
    const hit = hitTokens(promptTokens, matched);
    const uncached = promptTokens - hit;
    const aloneMs = idlePrefillMs(constants, uncached, hit, tokenBudget);
    const { b0Ms, b1Ms, hostMs, pairMs } = constants;
    const perTokenMs = b1Ms + (b0Ms + hostMs) / sharingTokens;
    const workMs = Math.min(
      aloneMs,
      uncached * perTokenMs + pairMs * uncached * (hit + uncached / 2),
    );
    return { arrivalMs, aloneMs, workMs, hitTokens: hit, promptTokens, ttftSloMs };
  });
}

export interface Bounds {
  /** Mean time to first token, at least. */
  readonly ttftMeanMs: number;
  /** 99th percentile of time to first token, at least. */
  readonly ttftP99Ms: number;
  /** Share of requests with their first token within their SLO, at most. */
  readonly onTimeShare: number;
  /** Share of prompt tokens spared by prefix caches, at most. */
  readonly hitRatio: number;
}

/** @param sloMs for requests that carry no SLO of their own */
export function boundsOf(trace: Trace, speed: FleetSpeed, sloMs: number): Bounds {
  const jobs = toBoundJobs(trace, speed);
  return {
    ttftMeanMs: meanTtftBoundMs(jobs, speed.replicas),
    ttftP99Ms: ttftQuantileBoundMs(jobs, speed.replicas, 0.99),
    onTimeShare: onTimeBound(jobs, speed.replicas, sloMs),
    hitRatio: hitRatioBound(jobs),
  };
}

export function hitRatioBound(jobs: readonly BoundJob[]): number {
  let hits = 0;
  let prompts = 0;
  for (const job of jobs) {
    hits += job.hitTokens;
    prompts += job.promptTokens;
  }
  return hits / prompts;
}

/**
 * The larger of the mean prefill alone and the mean flow time of preemptive
 * shortest-remaining-processing-time-first on the pooled server, which is optimal there.
 */
export function meanTtftBoundMs(jobs: readonly BoundJob[], replicas: number): number {
  const pooledMs = meanSrptFlowMs(
    jobs.map(({ arrivalMs, workMs }) => ({ arrivalMs, workMs: workMs / replicas })),
  );
  return Math.max(mean(jobs.map(({ aloneMs }) => aloneMs)), pooledMs);
}

export interface ServerJob {
  readonly arrivalMs: number;
  readonly workMs: number;
}

/** Mean flow time of preemptive SRPT on one server; `jobs` in order of arrival. */
export function meanSrptFlowMs(jobs: readonly ServerJob[]): number {
  if (jobs.length === 0) return NaN;
  const remaining = new KeyedHeap<ServerJob>();
  let nowMs = 0;
  let totalMs = 0;
  const runUntil = (untilMs: number) => {
    while (remaining.size > 0 && nowMs < untilMs) {
      const leftMs = remaining.leastKey;
      const job = remaining.pop();
      if (job === undefined) return;
      if (nowMs + leftMs > untilMs) {
        remaining.push(leftMs - (untilMs - nowMs), job);
        nowMs = untilMs;
      } else {
        nowMs += leftMs;
        totalMs += nowMs - job.arrivalMs;
      }
    }
  };
  for (const job of jobs) {
    runUntil(job.arrivalMs);
    nowMs = Math.max(nowMs, job.arrivalMs);
    remaining.push(job.workMs, job);
  }
  runUntil(Infinity);
  return totalMs / jobs.length;
}

/**
 * Least T with which all but a share `1 - q` of the requests could have their first token within
 * T of arrival on the pooled server, by bisection to a tenth of a millisecond.
 */
export function ttftQuantileBoundMs(
  jobs: readonly BoundJob[],
  replicas: number,
  q: number,
): number {
  const allowed = jobs.length - Math.ceil(q * jobs.length);
  let low = quantile(
    jobs.map(({ aloneMs }) => aloneMs),
    q,
  );
  if (leastLate(jobs, replicas, low) <= allowed) return low;
  let high = 2 * low;
  while (leastLate(jobs, replicas, high) > allowed) high *= 2;
  while (high - low > 0.1) {
    const middle = (low + high) / 2;
    if (leastLate(jobs, replicas, middle) <= allowed) high = middle;
    else low = middle;
  }
  return low;
}

/**
 * Share of requests on time, at most. Requests with SLOs of their own are counted class by class,
 * each as if the others did not exist.
 */
export function onTimeBound(jobs: readonly BoundJob[], replicas: number, sloMs: number): number {
  const classes = Map.groupBy(jobs, (job) => job.ttftSloMs ?? sloMs);
  let late = 0;
  for (const [classSloMs, members] of classes) late += leastLate(members, replicas, classSloMs);
  return 1 - late / jobs.length;
}

/**
 * Fewest requests that miss `arrival + sloMs` on the pooled server. Deadlines in order of arrival
 * are agreeable, so serving in that order and dropping the largest job whenever one is late is
 * optimal (Moore-Hodgson; Kise, Ibaraki and Mine). A dropped job is taken to have cost its whole
 * work even where the server would have idled, which errs on the optimistic side.
 */
function leastLate(jobs: readonly BoundJob[], replicas: number, sloMs: number): number {
  const kept = new KeyedHeap<number>();
  let doneMs = 0;
  let late = 0;
  for (const job of jobs) {
    if (job.aloneMs > sloMs) {
      late += 1;
      continue;
    }
    const workMs = job.workMs / replicas;
    doneMs = Math.max(doneMs, job.arrivalMs) + workMs;
    kept.push(-workMs, workMs);
    if (doneMs <= job.arrivalMs + sloMs) continue;
    doneMs -= kept.pop() ?? 0;
    late += 1;
  }
  return late;
}
