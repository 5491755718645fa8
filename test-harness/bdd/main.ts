/**
 * `npm run bdd`: every feature, or what `LLORCH_BDD_FEATURE_PATH` names (a file, a folder, or `file:line`). With
 * `-- --dry-run` nothing runs: it only checks that every step has one definition, every definition a step, and
 * every scenario a requirement.
 */
import { parseArgs } from 'node:util';
import { runFeatures } from './run-features.ts';

const FEATURES = 'test-harness/bdd/features';

const { values } = parseArgs({
  options: {
    'dry-run': { type: 'boolean', default: false },
    report: { type: 'string', default: '.cache/bdd.xml' },
  },
});
const chosen = process.env['LLORCH_BDD_FEATURE_PATH'];
const { hasPassed, unmatched, unused, untraced } = await runFeatures([chosen ?? FEATURES], {
  isDry: values['dry-run'],
  report: values.report,
});
const faults = [
  ...unmatched,
  ...untraced.map((scenario) => `shows no requirement of the specs: ${scenario}`),
  // A selection does not need every step.
  ...(chosen === undefined ? unused.map((pattern) => `no feature uses the step: ${pattern}`) : []),
];
for (const fault of faults) console.error(fault);
process.exitCode = hasPassed && faults.length === 0 ? 0 : 1;
