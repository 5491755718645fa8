/**
 * `npm run requirements` writes requirements/*.yaml and COMPLIANCE.md from the specs and from the ids
 * that contracts, code and tests name. With `--check` it writes nothing, and exits 1 when a file would
 * change. Either way it exits 1 when specs, contracts and tests do not fit together, and says where.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { reportsOf } from './reports.ts';
import { drift, presentReports, sourceFiles } from './repository-files.ts';
import { traceRequirements } from './trace.ts';

const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } });
const root = fileURLToPath(new URL('../..', import.meta.url));

const trace = traceRequirements(sourceFiles(root));
const reports = reportsOf(trace);
const present = presentReports(root);
const drifted = drift(reports, present);

for (const { at, message } of trace.faults) console.error(`${at}: ${message}`);
if (values.check) {
  for (const { at, message } of drifted) console.error(`${at}: ${message}`);
  if (drifted.length > 0) console.error('run `npm run requirements`, and commit what it writes');
} else {
  mkdirSync(join(root, 'requirements'), { recursive: true });
  for (const path of present.keys()) if (!reports.has(path)) rmSync(join(root, path));
  for (const [path, text] of reports) writeFileSync(join(root, path), text);
  console.log(`${drifted.length} of ${reports.size} files changed`);
}
process.exitCode = trace.faults.length > 0 || (values.check && drifted.length > 0) ? 1 : 0;
