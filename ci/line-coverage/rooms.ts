/** What is measured, and the least share of its lines that tests must run. */
import { globSync } from 'node:fs';
import { sep } from 'node:path';

export interface Room {
  readonly name: string;
  /** Below the repository's root; every file of it counts that is no test. */
  readonly folder: string;
  readonly minPercent: number;
}

export const ROOMS: readonly Room[] = [
  { name: 'contracts', folder: 'contracts/src', minPercent: 85 },
  { name: 'orchestrator-core', folder: 'orchestrator-core/src', minPercent: 95 },
  { name: 'worker-adapters', folder: 'worker-adapters', minPercent: 85 },
  { name: 'pool-managerd', folder: 'pool-managerd/src', minPercent: 85 },
  { name: 'orchestratord', folder: 'orchestratord/src', minPercent: 85 },
];

const SOURCES = '**/*.{ts,js}';
const NO_SOURCES = ['**/node_modules/**', '**/*.test.ts', '**/*.d.ts'];

/** Globs of all that counts, as vitest's coverage takes them. */
export const INCLUDED: readonly string[] = ROOMS.map(({ folder }) => `${folder}/${SOURCES}`);
export const EXCLUDED: readonly string[] = NO_SOURCES;

/** The room's files below `root`, as paths from there with slashes, whether a test loads them or not. */
export function sourcesOf({ folder }: Room, root: string): readonly string[] {
  return globSync(`${folder}/${SOURCES}`, { cwd: root, exclude: NO_SOURCES })
    .map((path) => path.replaceAll(sep, '/'))
    .sort();
}
