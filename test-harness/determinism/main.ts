/**
 * Proves what a running daemon promises, and compares proofs:
 *
 *     npm run determinism -- --base-url http://127.0.0.1:8080 --pool default --seeds 64 [--compare old.json]
 *
 * Exits with 1 when bytes differ, with 2 when there is nothing to tell of. `LLAMA_ORCH_KEY` is the key it shows, with the scopes `tasks:write`,
 * `tasks:read` and `control:read`.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { DaemonClient } from '../src/daemon-client.ts';
import { proofOf } from './ask-daemon.ts';
import { firstDifference, parseBundle, writeBundle } from './proof-bundle.ts';

const USAGE = `npm run determinism -- --base-url URL --pool ID [--seeds 64] [--out FILE] [--compare OLD]
npm run determinism -- --bundle NEW --compare OLD`;

const { values } = parseArgs({
  options: {
    help: { type: 'boolean', default: false },
    'base-url': { type: 'string' },
    pool: { type: 'string' },
    seeds: { type: 'string', default: '64' },
    out: { type: 'string' },
    bundle: { type: 'string' },
    compare: { type: 'string' },
  },
});
const { 'base-url': baseUrl, pool, bundle: file, compare } = values;
const seeds = Number(values.seeds);
const isAsking =
  baseUrl !== undefined && pool !== undefined && seeds >= 1 && Number.isInteger(seeds);
const isComparing = file !== undefined && compare !== undefined;
if (values.help || (!isAsking && !isComparing)) {
  console.log(USAGE);
  process.exit(values.help ? 0 : 2);
}

try {
  process.exitCode = (await isSound()) ? 0 : 1;
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
}

async function isSound(): Promise<boolean> {
  // Before the daemon is asked for long.
  const older = compare === undefined ? undefined : read(compare);
  const bundle = file === undefined ? await ask(baseUrl ?? '', pool ?? '') : read(file);
  const isWithoutMismatch = bundle.situations.every(({ mismatches }) => mismatches.length === 0);
  if (older === undefined) return isWithoutMismatch;
  const difference = firstDifference(older, bundle);
  if (difference === undefined) {
    console.log(`the same as ${compare}`);
    return isWithoutMismatch;
  }
  const { path, before, after } = difference;
  console.log(`first difference to ${compare} at ${path}: ${before} then, ${after} now`);
  return false;
}

async function ask(url: string, poolId: string) {
  const key = process.env['LLAMA_ORCH_KEY'];
  const headers = key === undefined ? {} : { authorization: `Bearer ${key}` };
  await using client = new DaemonClient(() => url.replace(/\/$/, ''), headers);
  const made = await proofOf(client, {
    poolId,
    seeds,
    onSeed(seed, mismatch) {
      if (mismatch === undefined) return;
      const { replica_id: id, index, expected = 'the end', actual = 'the end' } = mismatch;
      const [said, again] = [JSON.stringify(expected), JSON.stringify(actual)];
      console.log(`seed ${seed}: ${id} said ${again} at token ${index} instead of ${said}`);
    },
  });
  const path = values.out ?? `.cache/determinism/${poolId}.json`;
  writeBundle(path, made);
  console.log(`${seeds} seeds on replica set ${made.pinned.replica_set_id}: ${path}`);
  return made;
}

function read(path: string) {
  return parseBundle(readFileSync(path, 'utf8'));
}
