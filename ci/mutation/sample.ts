/**
 * A sample of the mutants, for Stryker, which knows none: a whole run takes many hours. As a plugin it is
 * loaded before the code is changed, and has Stryker's mutators make one change in `LLORCH_MUTATION_ONE_IN`.
 * Which ones is drawn from their place and kind, so that the same code has the same sample and every file its
 * share; `LLORCH_MUTATION_SEED` draws another.
 */
import { hash } from 'node:crypto';

interface Mutator {
  readonly name: string;
  mutate(path: Path, context: unknown): Iterable<unknown>;
}

interface Path {
  readonly node: {
    readonly loc: { readonly start: { readonly line: number; readonly column: number } };
  };
}

const ONE_IN = Number(process.env['LLORCH_MUTATION_ONE_IN'] ?? 25);
const SEED = process.env['LLORCH_MUTATION_SEED'] ?? '1';

/** The mutators are no part of what the package exports: this is the layout of the version that README.md names. */
const mutators = new URL('mutators/index.js', import.meta.resolve('@stryker-mutator/instrumenter'));
const { allMutators } = (await import(mutators.href)) as { allMutators: readonly Mutator[] };

for (const mutator of allMutators) {
  const all = mutator.mutate.bind(mutator);
  mutator.mutate = (path, context) => {
    const { line, column } = path.node.loc.start;
    return [...all(path, context)].filter((_, index) => {
      const key = [SEED, mutator.name, line, column, index].join(' ');
      return parseInt(hash('sha256', key, 'hex').slice(0, 8), 16) % ONE_IN === 0;
    });
  };
}

export const strykerPlugins = [] as const;
