/** Provider verification: Pact's own verifier sends every request of the pacts to a daemon. */
import '../without-tracking.ts';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { Verifier, type VerifierOptions } from '@pact-foundation/pact';
import type { RequestHandler } from 'express';
import { KEYS, PROVIDER, type KeyName } from '../pact-case.ts';
import type { Interaction, PactFile } from '../pact-files.ts';
import type { Situation, SituationName } from '../situations.ts';
import type { Provider } from './daemons.ts';
import { STATES, type State } from './states.ts';

export interface Verification {
  readonly verified: number;
  /** What was wrong, for people; undefined when nothing was. */
  readonly failure: string | undefined;
}

export interface VerifyOptions {
  readonly provider: Provider;
  readonly pacts: readonly PactFile[];
  /** What is sent for the keys of the pacts; those that are left out are sent as they stand. */
  readonly keys?: Partial<Readonly<Record<KeyName, string>>>;
}

/** How long a daemon may take to answer, or to be brought into a situation, ms. */
const ANSWER_MS = 120_000;
/** More than any report of a host (pool.yaml) can be. */
const LARGE_SYNC_BYTES = 4 * 1024 * 1024 + 1;

/** @throws Error when the verifier itself cannot run */
export async function verify({ provider, pacts, keys = {} }: VerifyOptions): Promise<Verification> {
  const verified = pacts.reduce((sum, { interactions }) => sum + interactions.length, 0);
  if (verified === 0) return { verified, failure: undefined };
  const directory = await mkdtemp(join(tmpdir(), 'llama-orch-verify-'));
  try {
    const files = await Promise.all(
      pacts
        .filter(({ interactions }) => interactions.length > 0)
        .map(async (pact) => {
          const file = join(directory, `${pact.consumer.name}.json`);
          await writeFile(file, JSON.stringify(pact));
          return file;
        }),
    );
    return { verified, failure: await failureOf(files, provider, keys) };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function failureOf(
  files: string[],
  provider: Provider,
  keys: Partial<Readonly<Record<KeyName, string>>>,
): Promise<string | undefined> {
  // The verifier goes on when a state could not be set up, and only prints it.
  const failures: string[] = [];
  let current: SituationName = 'a daemon';
  const setUp = async (name: SituationName, parameters: unknown): Promise<void> => {
    current = name;
    try {
      await (STATES[name] as State<SituationName>).setUp(provider, parameters as never);
    } catch (error) {
      failures.push(`"${name}" could not be set up: ${String(error)}`);
    }
  };
  const options: VerifierOptions = {
    provider: PROVIDER,
    providerBaseUrl: provider.url,
    pactUrls: files,
    logLevel: 'error',
    timeout: ANSWER_MS,
    stateHandlers: Object.fromEntries(
      (Object.keys(STATES) as SituationName[]).map((name) => [
        name,
        (parameters: unknown) => setUp(name, parameters),
      ]),
    ),
    requestFilter: requestFilter(keys, () => current),
  };
  try {
    await new Verifier(options).verifyProvider();
  } catch (error) {
    failures.push(readable(error));
  }
  return failures.length === 0 ? undefined : failures.join('\n');
}

/** Puts in the caller's own keys, and makes a request as large as its situation says. */
function requestFilter(
  keys: Partial<Readonly<Record<KeyName, string>>>,
  situation: () => SituationName,
): RequestHandler {
  const names = Object.keys(KEYS) as KeyName[];
  const replaced = new Map(names.map((name) => [`Bearer ${KEYS[name]}`, keys[name]]));
  return (req, _res, next) => {
    const key = replaced.get(req.headers.authorization ?? '');
    if (key !== undefined) req.headers.authorization = `Bearer ${key}`;
    const isSync = req.method === 'POST' && req.path.endsWith('/sync');
    if (isSync && situation() === 'a request made larger than a sync may be') {
      // Blanks behind the JSON. A pact with the bytes themselves would be as large.
      req.body = Buffer.from(JSON.stringify(req.body).padEnd(LARGE_SYNC_BYTES));
      req.headers['content-length'] = String(LARGE_SYNC_BYTES);
    }
    next();
  };
}

/** The verifier's report of what did not match, without its colours. */
function readable(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  try {
    const { output = [] } = JSON.parse(message) as { readonly output?: readonly string[] };
    const from = output.findIndex((line) => line.includes('Failures:'));
    return stripVTControlCharacters(output.slice(Math.max(0, from)).join('\n'));
  } catch {
    return message;
  }
}

export function situationOf({ providerStates }: Interaction): Situation {
  const [{ name, params = {} } = { name: '', params: {} }] = providerStates;
  if (!Object.hasOwn(STATES, name)) throw new Error(`nobody can set up "${name}"`);
  return { name, parameters: params } as unknown as Situation;
}

/** The pacts with only those interactions. */
export function onlyThose(
  pacts: readonly PactFile[],
  wanted: (interaction: Interaction) => boolean,
): readonly PactFile[] {
  return pacts.map((pact) => ({ ...pact, interactions: pact.interactions.filter(wanted) }));
}
