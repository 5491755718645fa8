/** Where a suite that is measured leaves what it ran. */
import { join } from 'node:path';

/** The variable that tells vitest and its workers of the folder. */
export const COVERAGE_FOLDER = 'COVERAGE_FOLDER';

/** Istanbul's JSON, written by vitest. */
export const vitestReport = (folder: string): string => join(folder, 'vitest/coverage-final.json');

/** V8's JSON, written by Node: one file for each process and thread. */
export const childrenFolder = (folder: string): string => join(folder, 'children');

/** What makes Node measure a process and all that it starts. */
export function childEnvironment(folder: string): Readonly<Record<string, string>> {
  // Of code out of the compile cache only whole functions are measured.
  return { NODE_V8_COVERAGE: childrenFolder(folder), NODE_DISABLE_COMPILE_CACHE: '1' };
}
