import type { Lease, ReplicaHandle, ReplicaSnapshot } from '@llama-orch/pool-managerd';
import type { EnginePrompt, WorkerAdapter } from '@llama-orch/worker-adapters';
import { expect, test } from 'vitest';
import type { PoolEntry } from './pool-directory.ts';
import { TokenCounts } from './token-counts.ts';
import { textsOf } from './whole-answers.ts';

const POOL: PoolEntry = {
  poolId: 'p',
  engine: 'llamacpp',
  modelId: 'm',
  aliases: [],
  ctx: 100,
  promptFormat: 'raw',
  workloads: ['completion', 'embedding', 'rerank'],
  features: [],
  determinism: 'exact',
};
const LEASE: Lease = { replicaId: 'p-0', holder: 'h', token: 1, expiresAtMs: 1 };

/** An engine in which four bytes are a token. */
function counts(
  countTokens: WorkerAdapter['countTokens'] = (prompt) => Promise.resolve(lengthOf(prompt) / 4),
  leases: readonly Lease[] = [LEASE],
) {
  const asked: EnginePrompt[] = [];
  const adapter = {
    countTokens: (prompt: EnginePrompt, signal?: AbortSignal) => {
      asked.push(prompt);
      return countTokens(prompt, signal);
    },
  } as WorkerAdapter;
  const pools = {
    replicas: () => [{ replicaId: 'p-0' } as ReplicaSnapshot],
    use: () => ({ adapter, envelope: 'engine' }) as ReplicaHandle,
  };
  return { asked, counts: new TokenCounts({ pools, leaseOf: () => leases[0] }) };
}
const lengthOf = (prompt: EnginePrompt): number =>
  typeof prompt === 'string' ? prompt.length : prompt.map(({ content }) => content).join('').length;

const embedding = (...inputs: string[]) => textsOf({ workload: 'embedding', inputs });

test('OC-CTRL-2091 only texts that might not fit are counted, and those that do not are named', async () => {
  const { asked, counts: each } = counts();
  const texts = ['short', 'x'.repeat(400), 'y'.repeat(404), 'z'.repeat(200)];
  const faults = await each.tooLong(POOL, embedding(...texts));
  expect(asked).toEqual(texts.slice(1));
  expect(faults).toEqual([
    { path: '/inputs/2', message: "has 101 tokens, and the pool's context is 100" },
  ]);
});

test('OC-CTRL-2091 the query counts with each document, and is counted once', async () => {
  const { asked, counts: each } = counts();
  const request = { query: 'q'.repeat(200), documents: ['a'.repeat(204), 'b'.repeat(200)] };
  const faults = await each.tooLong(POOL, textsOf({ workload: 'rerank', ...request }));
  expect(faults.map(({ path }) => path)).toEqual(['/documents/0']);
  expect(asked).toEqual([request.query, ...request.documents]);
});

test('OC-CTRL-2091 what the engine cannot count, or nobody can be asked, is not refused', async () => {
  const long = embedding('x'.repeat(999));
  const silent = counts(() => Promise.resolve(undefined));
  expect(await silent.counts.tooLong(POOL, long)).toEqual([]);
  const broken = counts(() => Promise.reject(new Error('gone')));
  expect(await broken.counts.tooLong(POOL, long)).toEqual([]);
  expect(await broken.counts.ofPrompt(POOL, { prompt: 'p' })).toBeUndefined();
  const nobody = counts(undefined, []);
  expect(await nobody.counts.tooLong(POOL, long)).toEqual([]);
  expect(await nobody.counts.ofPrompt(POOL, { prompt: 'p' })).toBeUndefined();
});

test('at most as many texts are named as an envelope may list', async () => {
  const texts = embedding(...Array.from({ length: 40 }, (_, n) => `${n}`.padEnd(500, 'x')));
  expect(await counts().counts.tooLong(POOL, texts)).toHaveLength(32);
});

test('messages that only the engine renders are counted as messages, where it can', async () => {
  const messages = [{ role: 'user' as const, content: 'x'.repeat(40) }];
  const { asked, counts: each } = counts();
  expect(await each.ofPrompt(POOL, { messages })).toBe(10);
  expect(asked).toEqual([messages]);
});
