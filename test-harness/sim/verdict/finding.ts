/** One figure of the verdict: what was reached, what was aimed at, and what is possible at all. */

export type Target =
  | { readonly atMost: number }
  | { readonly atLeast: number }
  | { readonly from: number; readonly to: number };

export interface Beside {
  readonly policy: string;
  readonly value: number;
}

export interface Finding {
  readonly metric: string;
  /** Trace, speed and fleet. */
  readonly setting: string;
  /** Name of a `Condition`. */
  readonly condition: string;
  readonly reached: number;
  readonly target: Target | undefined;
  /** What no policy can beat, in the unit of the figure; undefined where no bound is known. */
  readonly limit: number | undefined;
  /** The same figure of other policies, from the same run. */
  readonly beside: readonly Beside[];
  readonly digits: number;
  /** What the figure was made of. */
  readonly note?: string;
}

/** Undefined without a target. */
export function isMet({ target, reached }: Finding): boolean | undefined {
  if (target === undefined) return undefined;
  if ('from' in target) return reached >= target.from && reached <= target.to;
  return 'atMost' in target ? reached <= target.atMost : reached >= target.atLeast;
}

/**
 * How far a value is from the limit, as a multiple of how far the target may be: 0 at the limit, 1 at
 * the target, more beyond it. A range is aimed at in its middle. Where the limit lies on the target's far side or is not known, the plain
 * ratio of value and target, turned so that less is better.
 */
export function distance({ target, limit }: Finding, value: number): number | undefined {
  if (target === undefined) return undefined;
  if ('from' in target) {
    const middle = (target.from + target.to) / 2;
    return Math.abs(value - middle) / (target.to - middle);
  }
  if ('atMost' in target) {
    const from = limit !== undefined && limit < target.atMost ? limit : 0;
    if (target.atMost === from) return value <= from ? 0 : Infinity;
    return Math.max(0, value - from) / (target.atMost - from);
  }
  if (limit !== undefined && limit > target.atLeast) {
    return Math.max(0, limit - value) / (limit - target.atLeast);
  }
  return target.atLeast / Math.max(value, Number.MIN_VALUE);
}
