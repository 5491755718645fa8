/**
 * What gives away an engine that computes nothing. No one sign is proof: a name is soon borrowed, and the
 * digest is that of a file the engine need not have read. So it is also asked for probabilities, which it
 * cannot know without the weights, and held against the model's own vocabulary.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { ReplicaSetList } from '@llama-orch/contracts';
import type { DaemonClient } from '../src/daemon-client.ts';

export interface Suspect {
  readonly client: DaemonClient;
  /** The file that the engine is said to have loaded, where it can be read. */
  readonly modelPath: string | undefined;
}

/** `node-llama-cpp-3.22.1/…` of the embedded engine, `b6123-0a1b2c3` of llama-server. */
const REAL_VERSION = /^(?:node-llama-cpp-\d+\.\d+|b\d+-[0-9a-f]{7,40}\b)/;
const TOP = 5;
const ALMOST = 1e-3;

/** Signs that no model is behind a daemon's pool, one line each; none for a real one. */
export async function mockSigns({ client, modelPath }: Suspect): Promise<readonly string[]> {
  return [
    ...(await signsOfName(client)),
    ...(await signsOfModel(client, modelPath)),
    ...(await signsOfProbabilities(client)),
  ];
}

async function replicaSets(client: DaemonClient): Promise<ReplicaSetList['items']> {
  const { body } = await client.call('listReplicaSets');
  return (body as ReplicaSetList).items;
}

async function signsOfName(client: DaemonClient): Promise<string[]> {
  const sets = await replicaSets(client);
  if (sets.length === 0) return ['there is no replica'];
  return sets.flatMap(({ engine_version: version }) =>
    REAL_VERSION.test(version) ? [] : [`'${version}' is no version of llama.cpp`],
  );
}

/** Digest and vocabulary; both need the file. */
async function signsOfModel(client: DaemonClient, path: string | undefined): Promise<string[]> {
  if (path === undefined) return [];
  const file = readFileSync(path);
  const signs: string[] = [];
  if (file.subarray(0, 4).toString('latin1') !== 'GGUF') signs.push('its model is no GGUF file');
  const digest = `sha256:${createHash('sha256').update(file).digest('hex')}`;
  for (const set of await replicaSets(client)) {
    if (set.model_digest !== digest) signs.push(`'${set.model_digest}' is not its model's digest`);
  }
  const { tokens } = await client.run({ prompt: 'Write a haiku about rain.', max_tokens: 24 });
  const foreign = tokens.map(({ data }) => data.t).filter((token) => !isInVocabulary(file, token));
  if (tokens.length === 0) signs.push('it says nothing');
  if (foreign.length > 0) signs.push(`${foreign.length} of its tokens are not in its model`);
  return signs;
}

/** A byte-level BPE writes a space as Ġ and a line feed as Ċ; GGUF puts the length before each token. */
function isInVocabulary(file: Buffer, token: string): boolean {
  const written = Buffer.from(token.replaceAll(' ', 'Ġ').replaceAll('\n', 'Ċ'), 'utf8');
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(written.length));
  return file.includes(Buffer.concat([length, written]));
}

/** A greedy token is the likeliest, likelihoods add up to less than 1, and another prompt has others. */
async function signsOfProbabilities(client: DaemonClient): Promise<string[]> {
  const [rain, again, moon] = [
    await likelihoods(client, 'Write a haiku about rain.'),
    await likelihoods(client, 'Write a haiku about rain.'),
    await likelihoods(client, 'Tell me of the moon'),
  ];
  if (rain === undefined || again === undefined || moon === undefined) {
    return ['it knows no probabilities'];
  }
  const signs: string[] = [];
  for (const { chosen, top } of [rain, moon]) {
    const sum = top.reduce((total, logprob) => total + Math.exp(logprob), 0);
    if (sum > 1 + ALMOST) signs.push('its probabilities add up to more than 1');
    if (Math.abs(chosen - Math.max(...top)) > ALMOST) signs.push('its best token is not its best');
  }
  if (isSame(rain.top, moon.top)) signs.push('its probabilities are those of every prompt');
  if (!isSame(rain.top, again.top)) signs.push('its probabilities change from time to time');
  return signs;
}

async function likelihoods(client: DaemonClient, prompt: string) {
  const { tokens } = await client.run({ prompt, max_tokens: 1, temperature: 0, logprobs: TOP });
  const [first] = tokens[0]?.data.logprobs ?? [];
  if (first === undefined) return undefined;
  return { chosen: first.logprob, top: (first.top ?? []).map(({ logprob }) => logprob) };
}

function isSame(one: readonly number[], other: readonly number[]): boolean {
  return (
    one.length === other.length && one.every((x, at) => Math.abs(x - (other[at] ?? 0)) < ALMOST)
  );
}
