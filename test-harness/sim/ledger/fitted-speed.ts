/**
 * Step times fitted to what a daemon recorded of its engines. Less than the formula has can be told
 * apart from outside, so the fit has four figures: a step's least time, a step's time without and per
 * prompt token, and what each further sequence adds to a step. Attention, KV reads and the daemon's
 * own share are inside them.
 */
import type { IterationConstants } from '../iteration-time.ts';
import { quantile } from '../summary.ts';
import type { RecordedTask } from './recorded-tasks.ts';

/** Taken evenly from what the ledger has. Each is held against all tasks for what ran beside it. */
const MOST_MEASURED = 2_000;
/** Slopes are taken between all pairs of these. */
const MOST_SAMPLES = 600;
/** With fewer tasks that had a replica to themselves, all are taken. */
const ENOUGH_ALONE = 8;

export interface FittedSpeed {
  readonly constants: IterationConstants;
  /** Tasks whose prefill was measured, and whether each had its replica to itself. */
  readonly prefills: number;
  readonly isUndisturbed: boolean;
}

interface Sample {
  readonly x: number;
  readonly y: number;
}

/** @param tasks at least one */
export function fitSpeed(tasks: readonly RecordedTask[]): FittedSpeed {
  const measured = thin(tasks, MOST_MEASURED).map((task) => ({
    task,
    company: companyOf(task, tasks),
  }));
  const alone = measured.filter(({ company }) => company.prefill === 0);
  const isUndisturbed = alone.length >= ENOUGH_ALONE;
  const decode = line(
    thin(measured, MOST_SAMPLES)
      .filter(({ task }) => task.usage.tokensOut > 1)
      .map(({ task, company }) => ({
        x: 1 + company.decode,
        y: task.usage.decodeMs / (task.usage.tokensOut - 1),
      })),
  );
  // A step without a prompt is no longer than decoding shows it: what prompts have beyond is their own.
  const prefill = line(
    thin(isUndisturbed ? alone : measured, MOST_SAMPLES).map(({ task }) => ({
      x: Math.max(1, task.usage.tokensIn - task.usage.cachedTokens),
      y: task.firstTokenAtMs - task.startedAtMs,
    })),
    decode.intercept > 0 ? decode.intercept : Infinity,
  );
  const constants: IterationConstants = {
    name: 'fitted',
    a0Ms: decode.intercept,
    a1Ms: 0,
    b0Ms: prefill.intercept,
    b1Ms: prefill.slope,
    hostMs: 0,
    hostPerDecodeMs: decode.slope,
    kvMs: 0,
    pairMs: 0,
  };
  return { constants, prefills: isUndisturbed ? alone.length : measured.length, isUndisturbed };
}

/** How many other tasks were on the replica, on average, while it prefilled and while it decoded. */
function companyOf(task: RecordedTask, tasks: readonly RecordedTask[]) {
  const { startedAtMs, firstTokenAtMs, endedAtMs, replicaId } = task;
  let prefill = 0;
  let decode = 0;
  for (const other of tasks) {
    if (other === task || other.replicaId !== replicaId) continue;
    prefill += overlapMs(other, startedAtMs, firstTokenAtMs);
    decode += overlapMs(other, firstTokenAtMs, endedAtMs);
  }
  return {
    prefill: prefill / Math.max(1, firstTokenAtMs - startedAtMs),
    decode: decode / Math.max(1, endedAtMs - firstTokenAtMs),
  };
}

function overlapMs(other: RecordedTask, fromMs: number, toMs: number): number {
  return Math.max(0, Math.min(toMs, other.endedAtMs) - Math.max(fromMs, other.startedAtMs));
}

/**
 * The line of median slope (Theil and Sen) and median offset, neither below zero: what disturbs a
 * measurement makes it longer, and a few long ones move it little.
 * @param most at `x` 1 it is this at the most; else it goes through that point, with the median slope
 */
function line(
  samples: readonly Sample[],
  most = Infinity,
): { readonly slope: number; readonly intercept: number } {
  if (samples.length === 0) return { slope: 0, intercept: 0 };
  const slopes: number[] = [];
  for (const [index, a] of samples.entries()) {
    for (let other = index + 1; other < samples.length; other += 1) {
      const b = samples[other];
      if (b !== undefined && Math.abs(b.x - a.x) > 1e-9) slopes.push((b.y - a.y) / (b.x - a.x));
    }
  }
  const slope = slopes.length === 0 ? 0 : Math.max(0, quantile(slopes, 0.5));
  const offsets = samples.map(({ x, y }) => y - slope * x);
  const intercept = Math.max(0, quantile(offsets, 0.5));
  if (intercept + slope <= most) return { slope, intercept };
  const through = samples.filter(({ x }) => x > 1).map(({ x, y }) => (y - most) / (x - 1));
  const steep = through.length === 0 ? 0 : Math.max(0, quantile(through, 0.5));
  return { slope: steep, intercept: most - steep };
}

function thin<T>(all: readonly T[], most: number): readonly T[] {
  const stride = Math.ceil(all.length / most);
  return all.filter((_, index) => index % stride === 0);
}
