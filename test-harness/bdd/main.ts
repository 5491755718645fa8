/**
 * `npm run bdd`: every feature, or what `LLORCH_BDD_FEATURE_PATH` names (a file, a folder, or `file:line`). With
 * `-- --dry-run` nothing runs: it only checks that every step has one definition, every definition a step, and
 * every scenario a requirement.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import { runFeatures } from './run-features.ts';
import { toReport } from './scenario-results.ts';

const FEATURES = 'test-harness/bdd/features';

const { values } = parseArgs({ options: { 'dry-run': { type: 'boolean', default: false } } });
const isDry = values['dry-run'];
/** Set to nothing it selects nothing. */
const chosen = process.env['LLORCH_BDD_FEATURE_PATH'] || undefined;
const report = process.env['SUITE_REPORT'] ?? '.cache/bdd.json';

const run = await runFeatures([chosen ?? FEATURES], isDry);
const faults = [
  ...(!isDry && run.scenarios.length === 0 ? [`no scenario in ${chosen ?? FEATURES}`] : []),
  ...run.unmatched,
  // A selection does not need every step, and one that is run need not be complete yet.
  ...(chosen === undefined ? run.unused.map((pattern) => `unused: ${pattern}`) : []),
  ...(chosen === undefined || isDry
    ? run.untraced.map((scenario) => `shows no requirement: ${scenario}`)
    : []),
];
for (const fault of faults) console.error(fault);
if (!isDry) {
  mkdirSync(dirname(report), { recursive: true });
  writeFileSync(report, `${JSON.stringify(toReport(run.scenarios), null, 2)}\n`);
}
process.exitCode = run.hasPassed && faults.length === 0 ? 0 : 1;
