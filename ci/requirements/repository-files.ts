/** Reads what the trace is made of, and compares what was made with what is committed. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import type { Fault } from './requirement-ids.ts';
import type { Files } from './trace.ts';

const TEXTS = /\.(ts|js|yaml|md|feature)$|^\.ci\//;
const GENERATED = /(^|\/)generated\/|^requirements\/|^COMPLIANCE\.md$/;

/** Texts that may state or name requirements: those git knows and those it does not ignore. */
export function sourceFiles(root: string): Files {
  return texts(
    root,
    (path) => (TEXTS.test(path) && !GENERATED.test(path)) || path === 'package.json',
  );
}

/** The reports as they are on disk. */
export function presentReports(root: string): Files {
  return texts(root, (path) => /^requirements\/[^/]+\.yaml$|^COMPLIANCE\.md$/.test(path));
}

function texts(root: string, isWanted: (path: string) => boolean): Files {
  const listed = execFileSync('git', ['ls-files', '-z', '-co', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
    timeout: 30_000,
    maxBuffer: 2 ** 26,
  });
  // A file that was deleted and not committed is still listed.
  const paths = listed.split('\0').filter((path) => isWanted(path) && existsSync(join(root, path)));
  return new Map(paths.map((path) => [path, readFileSync(join(root, path), 'utf8')]));
}

/** One fault for each report that differs from what is on disk. */
export function drift(wanted: Files, present: Files): readonly Fault[] {
  const stray = [...present.keys()].filter((path) => !wanted.has(path));
  return [
    ...stray.map((at) => ({ at, message: 'belongs to no spec' })),
    ...[...wanted].flatMap(([path, text]) => {
      const found = present.get(path);
      if (found === undefined) return [{ at: path, message: 'is missing' }];
      if (found === text) return [];
      const lines = found.split('\n');
      const line = text.split('\n').findIndex((wantedLine, i) => wantedLine !== lines[i]);
      return [{ at: `${path}:${line + 1}`, message: 'is not what specs and tests give' }];
    }),
  ];
}
