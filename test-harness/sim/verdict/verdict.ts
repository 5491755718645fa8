/**
 * Every target of the scheduler, on the traces it is stated for, with the core that runs in the daemon
 * and the baselines beside it. What is known to a policy is what a router knows (`policy.ts`), and
 * engine metrics are 50 to 100 ms old.
 */
import { AS_IS, CONDITIONS, type Condition } from '../conditions.ts';
import { findCapacity } from './capacity.ts';
import { findDeadlines } from './deadlines.ts';
import { findFairness } from './fairness.ts';
import type { Finding } from './finding.ts';
import { findForecasts } from './forecasts.ts';
import { findHarvest } from './harvest.ts';
import { findIdle } from './idle.ts';
import { findLatency } from './latency.ts';
import { SLICES, WHOLE, type Slice, type TraceFolder } from './settings.ts';

export interface Part {
  readonly title: string;
  readonly find: (folder: TraceFolder, condition: Condition, slice: Slice) => Iterable<Finding>;
}

const SEEDS = [1, 2, 3];
/** A figure off its nominal setting needs no such precision. */
const FEWER_SEEDS = [1];

function seedsFor(condition: Condition, slice: Slice): readonly number[] {
  return condition === AS_IS && slice === WHOLE ? SEEDS : FEWER_SEEDS;
}

export const PARTS: readonly Part[] = [
  { title: 'Latency and prefix hits', find: findLatency },
  { title: 'Goodput capacity', find: findCapacity },
  {
    title: 'Mixed deadlines',
    find: (folder, condition, slice) =>
      findDeadlines(folder, condition, slice, seedsFor(condition, slice)),
  },
  {
    title: 'Isolation and fairness',
    find: (folder, condition, slice) =>
      findFairness(folder, condition, slice, seedsFor(condition, slice)),
  },
  { title: 'Forecasts, started twofold wrong', find: findForecasts },
  { title: 'Batch beside interactive work', find: findHarvest },
  { title: 'Idle replicas', find: findIdle },
];

/** What is run: every part under a condition, on a slice of every trace. */
export interface Sitting {
  readonly condition: Condition;
  readonly slice: Slice;
}

/** The stated settings, then with noise, then with one replica twice as slow. */
export const WHOLE_SITTINGS: readonly Sitting[] = CONDITIONS.map((condition) => ({
  condition,
  slice: WHOLE,
}));
/** Other rows of the same traces: what holds for one slice only was tuned to it. */
export const SLICE_SITTINGS: readonly Sitting[] = SLICES.map((slice) => ({
  condition: AS_IS,
  slice,
}));

export interface Section {
  readonly title: string;
  readonly condition: string;
  /** Name of the slice. */
  readonly slice: string;
  readonly findings: readonly Finding[];
  /** Wall time of its simulations. */
  readonly tookMs: number;
}

/**
 * @param only parts whose title has this in it, in any case; all for nothing
 * @throws TraceError when a file of the folder is no trace
 */
export function* judge(
  folder: TraceFolder,
  sittings: readonly Sitting[],
  only = '',
): Generator<Section> {
  for (const { title, find } of PARTS) {
    if (!title.toLowerCase().includes(only.toLowerCase())) continue;
    for (const { condition, slice } of sittings) {
      const startedAt = performance.now();
      const findings = [...find(folder, condition, slice)];
      if (findings.length === 0) continue;
      yield {
        title,
        condition: condition.name,
        slice: slice.name,
        findings,
        tookMs: performance.now() - startedAt,
      };
    }
  }
}
