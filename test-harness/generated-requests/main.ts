/**
 * The long form: requests generated from the contract, many at once, against a daemon of its own.
 *
 *     npm run test:generated -- [--requests 100000] [--at-once 64] [--seed N]
 *
 * Prints how often each operation answered what, and exits with status 1 when an answer broke the contract:
 * a status, code, body, header or event that it does not allow, or a refusal that nothing explains.
 */
import { parseArgs } from 'node:util';
import { readContracts } from './generators.ts';
import { formatReport } from './report.ts';
import { runGenerated } from './run.ts';
import { startTarget } from './target.ts';

const { values } = parseArgs({
  options: {
    help: { type: 'boolean', default: false },
    requests: { type: 'string', default: '100000' },
    'at-once': { type: 'string', default: '64' },
    seed: { type: 'string' },
  },
});
const requests = Number(values.requests);
const concurrency = Number(values['at-once']);
const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed);
const isUsable =
  [requests, concurrency].every((count) => Number.isInteger(count) && count > 0) &&
  Number.isInteger(seed);
if (values.help || !isUsable) {
  console.log(
    'npm run test:generated -- [--requests N of each operation] [--at-once N] [--seed N]',
  );
  process.exit(values.help ? 0 : 2);
}

const PROGRESS_EVERY_MS = 10_000;
console.log(`seed ${seed}`);
await using target = await startTarget();
let toldAtMs = performance.now();
const report = await runGenerated(await readContracts(), target, {
  requests,
  concurrency,
  seed,
  onProgress: (done, total) => {
    if (performance.now() - toldAtMs < PROGRESS_EVERY_MS) return;
    toldAtMs = performance.now();
    console.log(`${done} of ${total}`);
  },
});
console.log(formatReport(report));
const errors = target.daemon.logs().filter(({ level }) => level === 'error' || level === 'fatal');
if (errors.length > 0) console.log(`! the daemon logged ${JSON.stringify(errors.slice(0, 5))}`);
process.exitCode = report.violated + errors.length === 0 ? 0 : 1;
