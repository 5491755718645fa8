/** What `npm test` runs, in this order, and CI with it: from what is quick and tells most to what drives whole daemons. */

export interface Suite {
  /** As the summary names it; of a vitest suite also the project's name in `vitest.config.ts`. */
  readonly name: string;
  /** Without one it is a project of vitest. */
  readonly command?: readonly [string, ...string[]];
  /** How many of its files run at once on each core, 1 unless said: what waits for processes takes more. */
  readonly filesPerCore?: number;
  /** Globs of the test files that are its own; all others are `unit and property`. */
  readonly files: readonly string[];
}

const folder = (name: string): string => `test-harness/${name}/**/*.test.ts`;

export const UNIT = 'unit and property';

export const SUITES: readonly Suite[] = [
  { name: UNIT, files: ['**/*.test.ts'] },
  { name: 'pact', filesPerCore: 1.5, files: [folder('pact')] },
  { name: 'generated', files: [folder('generated-requests')] },
  { name: 'engines', files: [folder('engines')] },
  { name: 'daemon', filesPerCore: 2, files: [folder('daemon'), folder('hosts')] },
  { name: 'determinism', filesPerCore: 1.5, files: [folder('determinism')] },
  { name: 'metrics', files: [folder('metrics')] },
  // Its own tests, which run features that must fail, and then the features.
  { name: 'bdd', files: [folder('bdd')] },
  { name: 'features', command: ['node', 'test-harness/bdd/main.ts'], files: [] },
  { name: 'chaos', filesPerCore: 1.5, files: [folder('chaos')] },
  { name: 'e2e', files: [folder('e2e-haiku')] },
];

/** Projects of vitest: each file belongs to one of them. */
export function vitestProjects(): readonly {
  readonly name: string;
  readonly include: readonly string[];
  readonly exclude: readonly string[];
}[] {
  const others = SUITES.filter(({ name }) => name !== UNIT).flatMap(({ files }) => files);
  return SUITES.filter(({ command }) => command === undefined).map(({ name, files }) => ({
    name,
    include: files,
    exclude: name === UNIT ? others : [],
  }));
}
