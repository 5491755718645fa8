/** The pact files of the repository: how they are made, and whether they are what would be made. */
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { format } from 'prettier';
import { PROJECT_ROOT } from '../src/temp-config.ts';
import { PACT_CASES } from './cases/index.ts';
import { scalarText, type Json, type JsonObject } from './contract-examples.ts';
import type { PactCase } from './pact-case.ts';
import { recordCase } from './record-case.ts';

export const PACTS_DIRECTORY = join(PROJECT_ROOT, 'contracts', 'pacts');

/** One request and its answer, as a pact says it (Pact Specification V4). */
export interface Interaction extends JsonObject {
  readonly description: string;
  readonly providerStates: readonly { readonly name: string; readonly params: JsonObject }[];
  readonly request: { readonly method: string; readonly path: string } & JsonObject;
  readonly response: { readonly status: number } & JsonObject;
}

export interface PactFile extends JsonObject {
  readonly consumer: { readonly name: string };
  readonly provider: { readonly name: string };
  readonly interactions: readonly Interaction[];
}

/** Runs all consumer tests. @returns file name → text; the same cases always give the same bytes */
export async function makePacts(
  cases: readonly PactCase[] = PACT_CASES,
): Promise<ReadonlyMap<string, string>> {
  const directory = await mkdtemp(join(tmpdir(), 'llama-orch-pacts-'));
  try {
    for (const each of cases) await recordCase(each, directory);
    return await canonicalPacts(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** What Pact has written to a directory, in the form in which we keep it. */
export async function canonicalPacts(directory: string): Promise<ReadonlyMap<string, string>> {
  const names = (await readdir(directory)).sort();
  const texts = names.map(async (name): Promise<[string, string]> => {
    const pact = JSON.parse(await readFile(join(directory, name), 'utf8')) as PactFile;
    return [
      name,
      await format(JSON.stringify(canonical(pact)), { parser: 'json', printWidth: 100 }),
    ];
  });
  return new Map(await Promise.all(texts));
}

export async function readPacts(directory = PACTS_DIRECTORY): Promise<readonly PactFile[]> {
  const names = (await readdir(directory)).filter((name) => name.endsWith('.json')).sort();
  return Promise.all(
    names.map(
      async (name) => JSON.parse(await readFile(join(directory, name), 'utf8')) as PactFile,
    ),
  );
}

/** One line for each file that is not what the consumer tests give. */
export async function driftOf(made: ReadonlyMap<string, string>): Promise<readonly string[]> {
  const present = await readdir(PACTS_DIRECTORY);
  const stray = present.filter((name) => !made.has(name)).map((name) => `${name}: nobody makes it`);
  const changed = await Promise.all(
    [...made].map(async ([name, wanted]) => {
      if (!present.includes(name)) return `${name}: missing`;
      const found = await readFile(join(PACTS_DIRECTORY, name), 'utf8');
      if (found === wanted) return undefined;
      const lines = found.split('\n');
      const at = wanted.split('\n').findIndex((line, n) => line !== lines[n]);
      return `${name}:${at + 1}: has "${lines[at] ?? ''}", should be "${wanted.split('\n')[at] ?? ''}"`;
    }),
  );
  return [...stray, ...changed.filter((line) => line !== undefined)];
}

/** Sorted, without the versions of the tools, and with texts as texts. */
function canonical(pact: PactFile): Json {
  const interactions = [...pact.interactions]
    .sort((a, b) => (a.description < b.description ? -1 : 1))
    .map((each) =>
      sorted({ ...each, request: readable(each.request), response: readable(each.response) }),
    );
  return sorted({
    consumer: pact.consumer,
    provider: pact.provider,
    interactions,
    metadata: { pactSpecification: { version: '4.0' } },
  });
}

/**
 * Pact takes a body that is not JSON for bytes, and adds a rule that asks for its media type as guessed from
 * its first bytes, which for a stream of events is another. As text, its own pattern is the rule.
 */
function readable<Part extends JsonObject>(part: Part): Part {
  const body = part['body'] as JsonObject | undefined;
  if (body?.['encoded'] !== 'base64') return part;
  const headers = part['headers'] as Readonly<Record<string, readonly string[]>>;
  const [, type = ['text/plain']] =
    Object.entries(headers).find(([name]) => name.toLowerCase() === 'content-type') ?? [];
  const content = Buffer.from(scalarText(body['content']), 'base64').toString('utf8');
  const { body: bodyRules, ...otherRules } = (part['matchingRules'] ?? {}) as Readonly<
    Record<
      string,
      { readonly $?: { readonly combine: string; readonly matchers: readonly JsonObject[] } }
    >
  >;
  const matchers = (bodyRules?.$?.matchers ?? []).filter((rule) => rule['match'] !== 'contentType');
  return {
    ...part,
    body: { content, contentType: type[0], encoded: false },
    matchingRules: {
      ...otherRules,
      ...(matchers.length === 0 ? {} : { body: { $: { combine: 'AND', matchers } } }),
    },
  };
}

function sorted(value: Json): Json {
  if (Array.isArray(value)) return (value as readonly Json[]).map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value as JsonObject)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, each]) => [key, sorted(each)]),
  );
}

async function main(): Promise<void> {
  const made = await makePacts();
  for (const name of await readdir(PACTS_DIRECTORY)) {
    if (!made.has(name)) await rm(join(PACTS_DIRECTORY, name));
  }
  for (const [name, text] of made) await writeFile(join(PACTS_DIRECTORY, name), text);
  process.stdout.write(`${made.size} pacts in ${PACTS_DIRECTORY}\n`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
