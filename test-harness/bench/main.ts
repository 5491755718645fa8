/** `npm run bench`: runs the benchmarks one after the other and prints one table. */
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { addedLatency } from './added-latency.ts';
import { admissions, deepQueue } from './admissions.ts';
import { createContext, type Bench } from './bench.ts';
import { decisionCost } from './decision-cost.ts';
import { gateway } from './gateway.ts';
import { relay } from './relay.ts';
import { scheduling } from './scheduling.ts';
import { sessionAffinity } from './session-affinity.ts';
import { startup } from './startup.ts';
import { streamMemory } from './stream-memory.ts';
import { formatTable, type Report } from './table.ts';

const BENCHES: readonly Bench[] = [
  admissions,
  deepQueue,
  addedLatency,
  decisionCost,
  relay,
  gateway,
  scheduling,
  sessionAffinity,
  streamMemory,
  startup,
];

const USAGE = `npm run bench -- [--only NAME]… [--quick] [--json FILE] [--cpu-profile]

${BENCHES.map(({ name, about }) => `  ${name.padEnd(18)}${about}`).join('\n')}

  --only NAME     just this one; may be repeated
  --quick         a short form that shows that everything runs; its figures say little
  --json FILE     writes the figures as JSON too
  --cpu-profile   prints where the daemon's main thread spent each measured phase
`;

const { values: flags } = parseArgs({
  options: {
    help: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true },
    quick: { type: 'boolean', default: false },
    json: { type: 'string' },
    'cpu-profile': { type: 'boolean', default: false },
  },
});

if (flags.help) {
  process.stdout.write(USAGE);
  process.exit(0);
}
const unknown = flags.only?.find((name) => !BENCHES.some((bench) => bench.name === name));
if (unknown !== undefined) {
  process.stderr.write(`no benchmark is called ${unknown}\n\n${USAGE}`);
  process.exit(2);
}

const reports: Report[] = [];
{
  using context = createContext({ quick: flags.quick, cpuProfile: flags['cpu-profile'] });
  for (const bench of BENCHES) {
    if (flags.only !== undefined && !flags.only.includes(bench.name)) continue;
    context.say(`${bench.name}: ${bench.about}`);
    reports.push({ bench: bench.name, rows: await bench.run(context) });
  }
}
const machine = `${cpus().length} × ${cpus()[0]?.model ?? 'unknown CPU'}, Node ${process.versions.node}`;
process.stdout.write(`\n${formatTable(reports)}\n\n${machine}\n`);
if (flags.json !== undefined) {
  const options = { quick: flags.quick, cpuProfile: flags['cpu-profile'] };
  writeFileSync(flags.json, `${JSON.stringify({ machine, options, reports }, null, 2)}\n`);
}
