import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  boundsOf,
  meanSrptFlowMs,
  onTimeBound,
  ttftQuantileBoundMs,
  type BoundJob,
  type ServerJob,
} from './bounds.ts';
import { generateTrace } from './generated-trace.ts';
import { A100_8B, H100_8B } from './iteration-time.ts';
import { POLICIES } from './policies/catalogue.ts';
import { summarize } from './summary.ts';
import { simulate, type Scenario } from './world.ts';

const serverJobs = fc
  .array(fc.record({ arrivalMs: fc.nat(6), workMs: fc.integer({ min: 1, max: 3 }) }), {
    minLength: 1,
    maxLength: 4,
  })
  .map((jobs) => jobs.toSorted((a, b) => a.arrivalMs - b.arrivalMs));

/** Least total flow time over all preemptive schedules that change jobs at whole milliseconds. */
function bruteForceFlowMs(jobs: readonly ServerJob[]): number {
  const best = new Map<string, number>();
  const search = (nowMs: number, left: readonly number[]): number => {
    if (left.every((work) => work === 0)) return 0;
    const key = `${nowMs}:${left.join()}`;
    const known = best.get(key);
    if (known !== undefined) return known;
    let least = Infinity;
    for (const [index, work] of left.entries()) {
      const job = jobs[index];
      if (job === undefined || work === 0 || job.arrivalMs > nowMs) continue;
      const after = left.with(index, work - 1);
      const flowMs = work === 1 ? nowMs + 1 - job.arrivalMs : 0;
      least = Math.min(least, flowMs + search(nowMs + 1, after));
    }
    if (least === Infinity) least = search(nowMs + 1, left);
    best.set(key, least);
    return least;
  };
  return search(
    0,
    jobs.map(({ workMs }) => workMs),
  );
}

test('the mean flow time is the least of any preemptive schedule', () => {
  fc.assert(
    fc.property(serverJobs, (jobs) => {
      expect(meanSrptFlowMs(jobs) * jobs.length).toBeCloseTo(bruteForceFlowMs(jobs), 9);
    }),
  );
});

const slosMs = fc.integer({ min: 1, max: 8 });
const boundJobs = fc
  .array(fc.record({ arrivalMs: fc.nat(12), workMs: fc.integer({ min: 1, max: 6 }) }), {
    minLength: 1,
    maxLength: 8,
  })
  .map((jobs) =>
    jobs
      .toSorted((a, b) => a.arrivalMs - b.arrivalMs)
      .map(({ arrivalMs, workMs }): BoundJob => ({
        arrivalMs,
        workMs,
        aloneMs: workMs,
        hitTokens: 0,
        promptTokens: 1,
        ttftSloMs: undefined,
      })),
  );

/** Fewest late jobs over all choices of jobs to serve, those in order of arrival. */
function bruteForceLate(jobs: readonly BoundJob[], sloMs: number): number {
  let most = 0;
  for (let chosen = 0; chosen < 1 << jobs.length; chosen += 1) {
    let doneMs = 0;
    let isFeasible = true;
    let served = 0;
    for (const [index, job] of jobs.entries()) {
      if ((chosen & (1 << index)) === 0) continue;
      doneMs = Math.max(doneMs, job.arrivalMs) + job.workMs;
      served += 1;
      if (doneMs > job.arrivalMs + sloMs) isFeasible = false;
    }
    if (isFeasible) most = Math.max(most, served);
  }
  return jobs.length - most;
}

test('no choice of requests has more on time than the bound', () => {
  fc.assert(
    fc.property(boundJobs, slosMs, (jobs, sloMs) => {
      const possible = 1 - bruteForceLate(jobs, sloMs) / jobs.length;
      expect(onTimeBound(jobs, 1, sloMs)).toBeGreaterThanOrEqual(possible - 1e-9);
    }),
    { numRuns: 500 },
  );
});

test('the bound is exact when everything arrives at once', () => {
  fc.assert(
    fc.property(boundJobs, slosMs, (arriving, sloMs) => {
      const jobs = arriving.map((job) => ({ ...job, arrivalMs: 0 }));
      const possible = 1 - bruteForceLate(jobs, sloMs) / jobs.length;
      expect(onTimeBound(jobs, 1, sloMs)).toBeCloseTo(possible, 9);
    }),
    { numRuns: 300 },
  );
});

test('the quantile bound is not above the least time that some choice achieves', () => {
  fc.assert(
    fc.property(boundJobs, (jobs) => {
      const allowed = jobs.length - Math.ceil(0.75 * jobs.length);
      let achievedMs = 1;
      while (bruteForceLate(jobs, achievedMs) > allowed) achievedMs += 1;
      expect(ttftQuantileBoundMs(jobs, 1, 0.75)).toBeLessThanOrEqual(achievedMs + 1e-9);
    }),
    { numRuns: 200 },
  );
});

const scenarios: fc.Arbitrary<Scenario> = fc.record({
  replicas: fc.integer({ min: 1, max: 4 }),
  constants: fc.constantFrom(A100_8B, H100_8B),
  tokenBudget: fc.constantFrom(512, 2048),
  kvTokens: fc.constantFrom(60_000, 420_000),
  cacheTokens: fc.constantFrom(0, 50_000, Infinity),
  slots: fc.constantFrom(8, Infinity),
  noise: fc.constant(0),
  seed: fc.constant(1),
  slowdowns: fc.constant([]),
  signalPeriodMs: fc.constantFrom(0, 50),
});

test('OC-SIM-7208 no policy is better than the bounds', () => {
  fc.assert(
    fc.property(
      scenarios,
      fc.constantFrom(...POLICIES),
      fc.nat(1000),
      fc.integer({ min: 20, max: 400 }),
      (scenario, policy, seed, meanGapMs) => {
        const trace = generateTrace({ requests: 120, seed, meanGapMs });
        const slo = { ttftMs: 500, tpotMs: 50 };
        const bounds = boundsOf(trace, scenario, slo.ttftMs);
        const summary = summarize(trace, simulate(trace, scenario, policy), slo);
        expect(summary.onTimeShare).toBeLessThanOrEqual(bounds.onTimeShare + 1e-9);
        expect(summary.hitRatio).toBeLessThanOrEqual(bounds.hitRatio + 1e-9);
        if (summary.rejected > 0) return;
        expect(1000 * summary.ttftMeanS).toBeGreaterThanOrEqual(bounds.ttftMeanMs - 1e-6);
        expect(1000 * summary.ttftP99S).toBeGreaterThanOrEqual(bounds.ttftP99Ms - 0.2);
      },
    ),
    { numRuns: 100 },
  );
});
