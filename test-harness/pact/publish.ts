/**
 * `npm run pact:publish`: hands the pacts to a broker, under the version of the consumers that made them.
 * (https://docs.pact.io/pact_broker/advanced_topics/api_docs/publish_pact)
 */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { request } from 'undici';
import { readPacts, type PactFile } from './pact-files.ts';

export interface Broker {
  readonly url: string;
  /** Undefined where it asks for none. */
  readonly token: string | undefined;
  /** Of the consumers; a broker keeps one pact for each. */
  readonly version: string;
}

/** How long a broker may take for one pact, ms. */
const BROKER_MS = 30_000;

/** @throws Error that says which variable to set */
export function brokerFrom(env: NodeJS.ProcessEnv, headCommit: () => string): Broker {
  const url = env['PACT_BROKER_BASE_URL'];
  if (url === undefined || url === '') {
    throw new Error(
      'nothing was published: set PACT_BROKER_BASE_URL to the address of a broker, and PACT_BROKER_TOKEN where it asks for one',
    );
  }
  if (!URL.canParse(url)) throw new Error(`PACT_BROKER_BASE_URL is not a URL: ${url}`);
  const token = env['PACT_BROKER_TOKEN'];
  return {
    url: url.replace(/\/$/, ''),
    token: token === '' ? undefined : token,
    version: env['PACT_CONSUMER_VERSION'] ?? headCommit(),
  };
}

/** @throws Error when the broker does not take it */
export async function publish({ url, token, version }: Broker, pact: PactFile): Promise<void> {
  const { consumer, provider } = pact;
  const path = ['pacts', 'provider', provider.name, 'consumer', consumer.name, 'version', version];
  const answer = await request(`${url}/${path.map(encodeURIComponent).join('/')}`, {
    method: 'PUT',
    headers: {
      'content-type': 'application/json',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify(pact),
    signal: AbortSignal.timeout(BROKER_MS),
  });
  const text = await answer.body.text();
  if (answer.statusCode < 300) return;
  const reason = `${answer.statusCode} ${text.slice(0, 500)}`;
  throw new Error(`the broker did not take the pact of ${consumer.name}: ${reason}`);
}

function headCommit(): string {
  return execFileSync('git', ['rev-parse', 'HEAD'], { encoding: 'utf8' }).trim();
}

async function main(): Promise<void> {
  const broker = brokerFrom(process.env, headCommit);
  for (const pact of await readPacts()) {
    await publish(broker, pact);
    process.stdout.write(`${pact.consumer.name} ${broker.version} is published\n`);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    await main();
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
}
