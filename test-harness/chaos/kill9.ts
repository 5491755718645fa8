/**
 * Kills the daemon with SIGKILL at random moments under load and starts it again, round after round:
 *
 *     node test-harness/chaos/kill9.ts [--rounds 30] [--seed N]
 *
 * Prints a table and exits with status 1 when anything accepted was lost or anything sent was wrong.
 */
import { parseArgs } from 'node:util';
import { runChaos } from './chaos-run.ts';
import { formatReport } from './chaos-report.ts';

const { values } = parseArgs({
  options: {
    help: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '30' },
    seed: { type: 'string' },
  },
});
const rounds = Number(values.rounds);
const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 32) : Number(values.seed);

if (values.help || !Number.isInteger(rounds) || rounds < 1 || !Number.isInteger(seed)) {
  console.log('node test-harness/chaos/kill9.ts [--rounds N] [--seed N of the kill moments]');
  process.exit(values.help ? 0 : 2);
}
console.log(`seed ${seed}`);
const report = await runChaos({
  rounds,
  seed,
  onRound: ({ round, killAfterMs, open, midStream }) => {
    console.log(
      `round ${round}: killed after ${killAfterMs} ms, ${open} tasks open, ${midStream} in mid-stream`,
    );
  },
});
console.log(formatReport(report));
process.exit(report.violations.length === 0 ? 0 : 1);
