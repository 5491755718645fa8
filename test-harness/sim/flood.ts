/** A tenant that floods: its requests look like the trace's own and come at a fixed rate. */
import { uniformAt } from './seeded-random.ts';
import { mergeTraces, type Trace } from './trace.ts';

export const FLOODING_TENANT = 'flood';

/** Keeps its draws apart from other uses of the seed. */
const STREAM = 301;

/** The trace with a flooding tenant beside it, from its first to its last arrival. */
export function withFlood(trace: Trace, requestsPerS: number, seed: number): Trace {
  const endMs = trace.at(-1)?.arrivalMs ?? 0;
  const flood = Array.from({ length: Math.ceil((endMs / 1000) * requestsPerS) }, (_, index) => {
    const like = trace[Math.floor(uniformAt(seed, STREAM, index) * trace.length)];
    if (like === undefined) throw new RangeError('an empty trace cannot be flooded');
    return { ...like, arrivalMs: (index * 1000) / requestsPerS, tenant: FLOODING_TENANT };
  });
  return mergeTraces(trace, flood);
}
