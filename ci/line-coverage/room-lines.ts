/** What is known of a room's lines when all suites are taken together. */
import { join } from 'node:path';
import { ScriptCoverages, childLines } from './child-coverage.ts';
import type { FileLines, RoomLines } from './line-report.ts';
import type { CoveredLines } from './measure-suite.ts';
import { sourcesOf } from './rooms.ts';
import type { Room } from './rooms.ts';

/** Every source of the rooms below `root`, with the lines that none of the suites ran. */
export async function roomLines(
  rooms: readonly Room[],
  root: string,
  suites: readonly CoveredLines[],
): Promise<readonly RoomLines[]> {
  const found: RoomLines[] = [];
  for (const room of rooms) {
    const files: FileLines[] = [];
    for (const path of sourcesOf(room, root)) files.push(await linesOf(path, root, suites));
    found.push({ room, files });
  }
  return found;
}

async function linesOf(
  path: string,
  root: string,
  suites: readonly CoveredLines[],
): Promise<FileLines> {
  const all = await childLines(join(root, path), new ScriptCoverages());
  const lines = [...all.keys()].sort((a, b) => a - b);
  const run = new Set(suites.flatMap((covered) => covered[path] ?? []));
  return { path, lines, uncovered: lines.filter((line) => !run.has(line)) };
}
