/**
 * What no public trace has all of: tenants and deadlines, laid over a trace by a seeded hash of the
 * row. A row's draw does not depend on other rows, so slices keep their overlay.
 */
import { uniformAt } from './seeded-random.ts';
import type { Trace } from './trace.ts';

/** Keeps the draws of different overlays apart. */
const STREAMS = { deadline: 101, tenant: 102 };

export interface DeadlineClass {
  /** Part of all rows; the parts of all classes sum to 1. */
  readonly share: number;
  readonly ttftSloMs: number;
}

/** Half the rows want their first token within 1 s, half within 20 s. */
export const MIXED_DEADLINES: readonly DeadlineClass[] = [
  { share: 0.5, ttftSloMs: 1_000 },
  { share: 0.5, ttftSloMs: 20_000 },
];

export function withDeadlines(
  trace: Trace,
  classes: readonly DeadlineClass[],
  seed: number,
): Trace {
  return trace.map((request, row) => {
    const index = drawIndex(
      classes.map(({ share }) => share),
      uniformAt(seed, STREAMS.deadline, row),
    );
    return { ...request, ttftSloMs: classes[index]?.ttftSloMs };
  });
}

/** Deals the rows to tenants, to each the same part. */
export function withTenants(trace: Trace, tenants: readonly string[], seed: number): Trace {
  return trace.map((request, row) => {
    const draw = uniformAt(seed, STREAMS.tenant, row);
    return { ...request, tenant: tenants[Math.floor(draw * tenants.length)] ?? request.tenant };
  });
}

function drawIndex(shares: readonly number[], draw: number): number {
  let upTo = 0;
  const index = shares.findIndex((share) => {
    upTo += share;
    return draw < upTo;
  });
  return index < 0 ? shares.length - 1 : index;
}
