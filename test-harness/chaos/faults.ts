/**
 * Sends many tasks of many kinds through a pool of each engine while the engines fail in every way:
 *
 *     node test-harness/chaos/faults.ts [--tasks 20000] [--percent 1] [--seed N]
 *
 * Prints tables and exits with status 1 when a task did not end as it may, or when anything is left behind.
 */
import { parseArgs } from 'node:util';
import { formatFaultReport } from './fault-report.ts';
import { runFaults } from './fault-run.ts';

const { values } = parseArgs({
  options: {
    help: { type: 'boolean', default: false },
    tasks: { type: 'string', default: '20000' },
    percent: { type: 'string', default: '1' },
    open: { type: 'string', default: '96' },
    seed: { type: 'string' },
  },
});
const tasks = Number(values.tasks);
const percent = Number(values.percent);
const open = Number(values.open);
const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 32) : Number(values.seed);
const isUsable =
  [tasks, open].every((count) => Number.isInteger(count) && count > 0) &&
  Number.isInteger(seed) &&
  percent >= 0 &&
  percent <= 100;

if (values.help || !isUsable) {
  console.log(
    'node test-harness/chaos/faults.ts [--tasks N] [--percent N of completions that fail] [--open N tasks at once] [--seed N]',
  );
  process.exit(values.help ? 0 : 2);
}
const PROGRESS_EVERY = 1_000;
console.log(`seed ${seed}`);
const report = await runFaults({
  tasks,
  percent,
  open,
  seed,
  replicas: 2,
  killEvery: 500,
  onProgress: (done) => {
    if (done % PROGRESS_EVERY === 0) console.log(`${done} tasks are over`);
  },
});
console.log(formatFaultReport(report));
process.exit(report.violations.length === 0 ? 0 : 1);
