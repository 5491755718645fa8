/**
 * `npm run pact:verify`: verifies the pacts against daemons that it starts, or with `--base-url URL`
 * against one that runs already. There, situations that it cannot be brought into are skipped, by name.
 */
import { parseArgs } from 'node:util';
import { request } from 'undici';
import { readPacts, type PactFile } from '../pact-files.ts';
import { providerAt, startDaemons } from './daemons.ts';
import { daemonFor, STATES } from './states.ts';
import { onlyThose, situationOf, verify, type Verification } from './verify.ts';

const USAGE = `usage: pact:verify [--base-url URL [--key KEY]] [--only TEXT]
  --base-url  verify the daemon at this address instead of starting some
  --key       a key of it with every scope; without, it must ask for none
  --only      only interactions whose description contains this
`;

/** How long a daemon that is there takes to say so, ms. */
const HEALTH_MS = 10_000;

interface Options {
  readonly baseUrl: string | undefined;
  readonly key: string | undefined;
  readonly only: string;
}

function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      'base-url': { type: 'string' },
      key: { type: 'string' },
      only: { type: 'string', default: '' },
    },
  });
  const { 'base-url': baseUrl, key, only } = values;
  if (baseUrl !== undefined && !URL.canParse(baseUrl)) throw new Error(`${baseUrl} is not a URL`);
  return { baseUrl: baseUrl?.replace(/\/$/, ''), key, only };
}

/** Against daemons of our own: every interaction. */
async function verifyOurs(pacts: readonly PactFile[]): Promise<readonly Verification[]> {
  await using daemons = await startDaemons();
  const results: Verification[] = [];
  // One after the other: the native verifier runs once at a time.
  for (const name of ['main', 'tight'] as const) {
    const wanted = onlyThose(pacts, (each) => daemonFor(situationOf(each)) === name);
    results.push(await verify({ provider: daemons[name], pacts: wanted }));
  }
  return results;
}

/** Against a daemon that is not ours: what can be had there without harm. */
async function verifyThere(
  pacts: readonly PactFile[],
  url: string,
  key: string | undefined,
): Promise<readonly Verification[]> {
  const health = await request(`${url}/healthz`, { headersTimeout: HEALTH_MS }).catch(
    () => undefined,
  );
  if (health === undefined) return [{ verified: 0, failure: `nothing answers at ${url}` }];
  await health.body.dump();
  const ours = { client: key, operator: key, host: key };
  const others = { hurried: key, reader: key, observer: key, unknown: undefined };
  await using provider = providerAt(url, { ...ours, ...others });
  const reasons = new Map<string, number>();
  const possible = onlyThose(pacts, (interaction) => {
    const { name } = situationOf(interaction);
    const { elsewhere } = STATES[name];
    if (elsewhere === 'any' || (elsewhere === 'keys' && key !== undefined)) return true;
    const reason = `"${name}": ${elsewhere === 'keys' ? 'needs --key' : `needs ${elsewhere.no}`}`;
    reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
    return false;
  });
  const keys = key === undefined ? {} : { client: key, operator: key, host: key };
  const verification = await verify({ provider, pacts: possible, keys });
  // Behind the verifier's own long report.
  for (const [reason, count] of reasons) process.stdout.write(`SKIPPED ${count} of ${reason}\n`);
  return [verification];
}

async function main(args: readonly string[]): Promise<number> {
  let options: Options;
  try {
    options = readOptions(args);
  } catch (error) {
    process.stderr.write(`${String(error)}\n${USAGE}`);
    return 2;
  }
  const { baseUrl, key, only } = options;
  const pacts = onlyThose(await readPacts(), ({ description }) => description.includes(only));
  const results =
    baseUrl === undefined ? await verifyOurs(pacts) : await verifyThere(pacts, baseUrl, key);
  const verified = results.reduce((sum, each) => sum + each.verified, 0);
  const failures = results.flatMap(({ failure }) => failure ?? []);
  if (verified === 0 && failures.length === 0) failures.push('no interaction was verified');
  for (const failure of failures) process.stderr.write(`${failure}\n`);
  const verdict = failures.length === 0 ? 'all kept' : 'BROKEN';
  process.stdout.write(`${verified} interactions verified: ${verdict}\n`);
  return failures.length === 0 ? 0 : 1;
}

process.exitCode = await main(process.argv.slice(2));
