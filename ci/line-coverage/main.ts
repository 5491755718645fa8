/**
 * `npm run coverage`: every suite of `npm test`, measured, and then how many lines of each room they ran. With names
 * it runs only these suites (`npm run coverage -- daemon chaos`), with `--report` none, and reports on what is
 * measured. It exits 1 when a room is below its bound, or a suite failed.
 */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { SUITES } from '../suites.ts';
import { ScriptCoverages, childLines } from './child-coverage.ts';
import { formatLineReport, roomsBelow } from './line-report.ts';
import type { FileLines } from './line-report.ts';
import { coveredLines, runMeasured } from './measure-suite.ts';
import type { CoveredLines } from './measure-suite.ts';
import { ROOMS, sourcesOf } from './rooms.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const FOLDER = join(ROOT, '.cache/coverage');
const ALL_FILES = ROOMS.flatMap((room) => sourcesOf(room, ROOT));

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { report: { type: 'boolean', default: false } },
});
for (const name of positionals) {
  if (!SUITES.some((suite) => suite.name === name)) throw new Error(`there is no suite ${name}`);
}

const folderOf = (suite: string): string => join(FOLDER, suite.replaceAll(' ', '-'));
const resultOf = (suite: string): string => `${folderOf(suite)}.json`;

interface SuiteCoverage {
  readonly hasPassed: boolean;
  readonly covered: CoveredLines;
}

async function measure(): Promise<void> {
  if (positionals.length === 0) rmSync(FOLDER, { recursive: true, force: true });
  for (const suite of SUITES) {
    if (positionals.length > 0 && !positionals.includes(suite.name)) continue;
    process.stdout.write(`\n── ${suite.name}\n`);
    const folder = folderOf(suite.name);
    const hasPassed = runMeasured(suite, folder);
    const covered = await coveredLines(folder, ROOT, ALL_FILES);
    writeFileSync(resultOf(suite.name), JSON.stringify({ hasPassed, covered }));
    // Gigabytes of them, and all that counts is read.
    rmSync(folder, { recursive: true });
  }
}

async function linesOf(path: string, suites: readonly SuiteCoverage[]): Promise<FileLines> {
  const lines = [...(await childLines(join(ROOT, path), new ScriptCoverages())).keys()].sort(
    (a, b) => a - b,
  );
  const run = new Set(suites.flatMap(({ covered }) => covered[path] ?? []));
  return { path, lines, uncovered: lines.filter((line) => !run.has(line)) };
}

if (!values.report) await measure();
const measured = SUITES.filter(({ name }) => existsSync(resultOf(name))).map(({ name }) => ({
  name,
  ...(JSON.parse(readFileSync(resultOf(name), 'utf8')) as SuiteCoverage),
}));
const rooms = await Promise.all(
  ROOMS.map(async (room) => ({
    room,
    files: await Promise.all(sourcesOf(room, ROOT).map((path) => linesOf(path, measured))),
  })),
);
const failed = measured.filter(({ hasPassed }) => !hasPassed);
const below = roomsBelow(rooms);

console.log(`\nmeasured: ${measured.map(({ name }) => name).join(', ')}\n`);
console.log(formatLineReport(rooms));
for (const { name } of failed) console.error(`\nfailed: ${name}`);
for (const { room } of below) console.error(`\nbelow its bound: ${room.name}`);
process.exitCode = failed.length + below.length > 0 ? 1 : 0;
