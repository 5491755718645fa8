/**
 * `npm run bdd`: every feature, or what `LLORCH_BDD_FEATURE_PATH` names. With `-- --dry-run` it only looks whether
 * every step has one definition, and every definition a step.
 */
import { parseArgs } from 'node:util';
import { runFeatures } from './run-features.ts';

const FEATURES = 'test-harness/bdd/features';

const { values } = parseArgs({ options: { 'dry-run': { type: 'boolean', default: false } } });
const isDry = values['dry-run'];
const chosen = process.env['LLORCH_BDD_FEATURE_PATH'];
const { isGood, unused } = await runFeatures([chosen ?? FEATURES], isDry);
// A selection leaves most definitions unused.
const isUnused = isDry && chosen === undefined && unused.length > 0;
if (isUnused) console.error(`Steps that no feature uses:\n  ${unused.join('\n  ')}`);
process.exitCode = isGood && !isUnused ? 0 : 1;
