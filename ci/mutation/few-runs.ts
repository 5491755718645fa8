/**
 * Stands in for fast-check while mutants are checked: at most 30 runs of a property, the same for each mutant, and no
 * search for a smaller failure. A mutant that lives here may still die in the everyday tests.
 */
type FastCheck = (typeof import('fast-check'))['default'];

// By its address: its name leads here.
const { default: fc } = (await import(import.meta.resolve('fast-check'))) as { default: FastCheck };

const MOST_RUNS = 30;

const assert: FastCheck['assert'] = (property, parameters = {}) =>
  fc.assert(property, {
    ...parameters,
    seed: parameters.seed ?? 5,
    numRuns: Math.min(parameters.numRuns ?? MOST_RUNS, MOST_RUNS),
    endOnFailure: true,
  });

export default { ...fc, assert };
