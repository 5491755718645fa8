/**
 * Stands in for fast-check while mutants are checked: at most 30 runs of a property, the same for each mutant, and no
 * search for a smaller failure. A mutant that lives here may still die in the everyday tests.
 */
interface FastCheck {
  readonly assert: (property: unknown, parameters: Parameters) => unknown;
}

interface Parameters {
  readonly seed?: number;
  readonly numRuns?: number;
}

// By its address: its name leads here.
const { default: fc } = (await import(import.meta.resolve('fast-check'))) as { default: FastCheck };

const MOST_RUNS = 30;

function assert(property: unknown, parameters: Parameters = {}): unknown {
  const { seed = 5, numRuns = MOST_RUNS } = parameters;
  const few = { seed, numRuns: Math.min(numRuns, MOST_RUNS), endOnFailure: true };
  return fc.assert(property, { ...parameters, ...few });
}

// Its users import the default.
const fewRuns = { ...fc, assert };
export { fewRuns as default };
