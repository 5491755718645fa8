/** Runs a suite, and tells which lines of the rooms it ran. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Suite } from '../suites.ts';
import { childLines, lineHits, readChildren } from './child-coverage.ts';
import type { Statements } from './child-coverage.ts';
import {
  COVERAGE_FOLDER,
  childEnvironment,
  childrenFolder,
  vitestReport,
} from './measured-folder.ts';

const CONFIG = 'ci/line-coverage/vitest.config.ts';

/** Of each file the lines that were run, from 1. */
export type CoveredLines = Readonly<Record<string, readonly number[]>>;

/** Empties `folder`, runs the suite measured into it, and returns whether it passed. */
export function runMeasured({ name, command }: Suite, folder: string): boolean {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(childrenFolder(folder), { recursive: true });
  const [program, ...args] = command ?? ['vitest', 'run', '--config', CONFIG, '--project', name];
  const { status, error } = spawnSync(program, args, {
    stdio: 'inherit',
    env: {
      ...process.env,
      // Of a command it is the whole that Node runs, of vitest only what its workers start.
      ...(command === undefined ? { [COVERAGE_FOLDER]: folder } : childEnvironment(folder)),
      SUITE_REPORT: join(folder, 'report.json'),
    },
  });
  if (error !== undefined) throw error;
  return status === 0;
}

/**
 * The lines of `files` (paths from `root`) that were run by vitest's workers or by what they started.
 * @throws Error when `folder` holds no measured suite, or vitest's report of it is damaged
 */
export async function coveredLines(
  folder: string,
  root: string,
  files: readonly string[],
): Promise<CoveredLines> {
  const report = vitestReport(folder);
  const inVitest = existsSync(report)
    ? (JSON.parse(readFileSync(report, 'utf8')) as Readonly<Record<string, Statements>>)
    : {};
  const scripts = readChildren(
    childrenFolder(folder),
    files.map((file) => resolve(root, file)),
  );
  const covered: Record<string, readonly number[]> = {};
  for (const file of files) {
    const path = resolve(root, file);
    const statements = inVitest[path];
    covered[file] = [
      ...(statements === undefined ? [] : lineHits(statements)),
      ...(scripts.has(path) ? await childLines(path, scripts) : []),
    ].flatMap(([line, isRun]) => (isRun ? [line] : []));
  }
  return covered;
}
