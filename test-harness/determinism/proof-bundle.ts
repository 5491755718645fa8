/**
 * What a run of the determinism suite leaves behind: which bytes a pinned set of replicas gave for which
 * seeds, as digests, so that an operator can keep it and hold a later run against it. It holds no text but
 * the tokens that differ.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { arch, cpus, platform } from 'node:os';
import { dirname } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { sha256 } from '../src/stream-check.ts';

export const FORMAT = 'llama-orch/determinism-proof/1';
/** How many tokens have a digest of their own: enough to tell an early difference from a late one. */
export const FIRST_TOKENS = 32;

export interface Pinned {
  readonly engine: string;
  readonly engine_version: string;
  readonly model_digest: string;
  readonly sampler_profile_version: string;
  readonly replica_set_id: string;
  readonly ctx: number;
  readonly quant: string;
  readonly device: string;
}

export interface SeedProof {
  readonly seed: number;
  readonly tokens: number;
  readonly first_tokens_sha256: string;
  /** Of the texts of the tokens, as a JSON array. */
  readonly tokens_sha256: string;
  /** Of their bytes. */
  readonly output_sha256: string;
}

export interface Mismatch {
  readonly seed: number;
  readonly replica_id: string;
  /** Of the first token that differs; a side that has ended by then has none. */
  readonly index: number;
  readonly expected?: string;
  readonly actual?: string;
}

export interface SituationProof {
  readonly name: string;
  readonly runs: number;
  readonly replicas: readonly string[];
  readonly mismatches: readonly Mismatch[];
}

export interface ProofBundle {
  readonly format: typeof FORMAT;
  readonly made_at: string;
  readonly pinned: Pinned;
  readonly request: { readonly prompt_sha256: string; readonly max_tokens: number };
  readonly seeds: readonly SeedProof[];
  readonly situations: readonly SituationProof[];
  readonly environment: Readonly<Record<'node' | 'platform' | 'arch' | 'cpu', string>>;
}

/** The output of one seed, as a stream told it. */
export interface SeedRun {
  readonly seed: number;
  readonly replicaId: string;
  readonly tokens: readonly string[];
}

export function seedProof({ seed, tokens }: SeedRun): SeedProof {
  return {
    seed,
    tokens: tokens.length,
    first_tokens_sha256: sha256(JSON.stringify(tokens.slice(0, FIRST_TOKENS))),
    tokens_sha256: sha256(JSON.stringify(tokens)),
    output_sha256: sha256(tokens.join('')),
  };
}

/** Undefined when both gave the same tokens. */
export function mismatchOf(expected: SeedRun, actual: SeedRun): Mismatch | undefined {
  const length = Math.max(expected.tokens.length, actual.tokens.length);
  for (let index = 0; index < length; index += 1) {
    const [its, other] = [expected.tokens[index], actual.tokens[index]];
    if (its === other) continue;
    return {
      seed: actual.seed,
      replica_id: actual.replicaId,
      index,
      ...(its === undefined ? {} : { expected: its }),
      ...(other === undefined ? {} : { actual: other }),
    };
  }
  return undefined;
}

/** What one situation gave, beside what the seeds gave alone. */
export function judge(
  name: string,
  alone: readonly SeedRun[],
  runs: readonly SeedRun[],
): SituationProof {
  const expected = new Map(alone.map((each) => [each.seed, each]));
  const mismatches = runs.flatMap((each): readonly Mismatch[] => {
    const its = expected.get(each.seed);
    const mismatch = its && mismatchOf(its, each);
    return mismatch === undefined ? [] : [mismatch];
  });
  const replicas = [...new Set(runs.map(({ replicaId }) => replicaId))].sort();
  return { name, runs: runs.length, replicas, mismatches };
}

export function proofBundle(
  parts: Pick<ProofBundle, 'pinned' | 'seeds' | 'situations'> & {
    readonly prompt: string;
    readonly maxTokens: number;
  },
): ProofBundle {
  const { pinned, seeds, situations, prompt, maxTokens } = parts;
  return {
    format: FORMAT,
    made_at: new Date().toISOString(),
    pinned,
    request: { prompt_sha256: sha256(prompt), max_tokens: maxTokens },
    seeds,
    situations,
    environment: {
      node: process.version,
      platform: platform(),
      arch: arch(),
      cpu: cpus()[0]?.model ?? '',
    },
  };
}

const schemaFile = new URL('./proof-bundle.schema.json', import.meta.url);
const isBundle = new Ajv2020({ formats: { 'date-time': true } }).compile<ProofBundle>(
  JSON.parse(readFileSync(schemaFile, 'utf8')) as object,
);

/** @throws Error that says what is wrong with it */
export function parseBundle(text: string): ProofBundle {
  const value: unknown = JSON.parse(text);
  if (isBundle(value)) return value;
  const faults = (isBundle.errors ?? []).map(({ instancePath, message }) => {
    return `${instancePath} ${message ?? 'is wrong'}`;
  });
  throw new Error(`not a proof bundle: ${faults.join('; ')}`);
}

/** @throws Error when it does not follow the schema */
export function writeBundle(path: string, bundle: ProofBundle): void {
  const text = `${JSON.stringify(bundle, null, 2)}\n`;
  parseBundle(text);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

export interface BundleDifference {
  /** Where in the bundles, as a JSON pointer with the seed instead of an index. */
  readonly path: string;
  readonly before: string;
  readonly after: string;
}

/**
 * The first difference that says something about bytes: what was pinned, what was asked, then the seeds of
 * the older bundle in order. When it was made, by what machine and in which situations is left aside.
 */
export function firstDifference(
  before: ProofBundle,
  after: ProofBundle,
): BundleDifference | undefined {
  const pinned = differenceIn('/pinned', before.pinned, after.pinned);
  if (pinned !== undefined) return pinned;
  const asked = differenceIn('/request', before.request, after.request);
  if (asked !== undefined) return asked;
  const bySeed = new Map(after.seeds.map((each) => [each.seed, each]));
  for (const { seed, ...proof } of before.seeds) {
    const again = bySeed.get(seed);
    const path = `/seeds/${seed}`;
    if (again === undefined) return { path, before: 'was run', after: 'was not run' };
    const difference = differenceIn(path, proof, again);
    if (difference !== undefined) return difference;
  }
  return undefined;
}

function differenceIn(path: string, before: object, after: object): BundleDifference | undefined {
  const other = new Map<string, unknown>(Object.entries(after));
  for (const [name, value] of Object.entries(before) as [string, unknown][]) {
    if (value === other.get(name)) continue;
    return { path: `${path}/${name}`, before: String(value), after: String(other.get(name)) };
  }
  return undefined;
}
