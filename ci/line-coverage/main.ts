/**
 * `npm run coverage`: every suite of `npm test`, measured, and then how many lines of each room they ran. With names
 * it runs only these suites (`npm run coverage -- daemon chaos`), with `--report` none, and reports on all that was
 * measured, which must have been of the same sources. It exits 1 when a room is below its bound, or a suite failed.
 */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { SUITES } from '../suites.ts';
import { faultsOf, formatLineReport } from './line-report.ts';
import { coveredLines, runMeasured } from './measure-suite.ts';
import type { CoveredLines } from './measure-suite.ts';
import { roomLines } from './room-lines.ts';
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
    // They are large, and all that counts is read. A process that outlives its suite may still write there.
    rmSync(folder, { recursive: true, maxRetries: 5 });
  }
}

if (!values.report) await measure();
const measured = SUITES.filter(({ name }) => existsSync(resultOf(name))).map(({ name }) => ({
  name,
  ...(JSON.parse(readFileSync(resultOf(name), 'utf8')) as SuiteCoverage),
}));
const rooms = await roomLines(
  ROOMS,
  ROOT,
  measured.map(({ covered }) => covered),
);
const faults = faultsOf(rooms, measured);

console.log(`\nmeasured: ${measured.map(({ name }) => name).join(', ')}\n`);
console.log(formatLineReport(rooms));
for (const fault of faults) console.error(`\n${fault}`);
process.exitCode = faults.length > 0 ? 1 : 0;
