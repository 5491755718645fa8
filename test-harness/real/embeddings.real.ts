/** Vectors from llama-server, and its refusal where it was not started for them. */
import { failureOf } from '@llama-orch/worker-adapters/conformance';
import { expect, test } from 'vitest';
import { serve, serveAll } from './server-fixture.ts';

const all = serveAll();

const EMBEDDING_LENGTH = 192;
const embedRequest = { taskId: 'task', correlationId: 'correlation' };
const never = new AbortController().signal;

// With a KV buffer for each slot, llama.cpp computes inputs of unequal length in several steps and
// pools only the last of them: such vectors are wrong whenever two inputs meet.
test('each input gets the vector that it gets alone, in order', async () => {
  const flags = ['--embedding', '--pooling', 'mean', '--kv-unified'];
  await using embedder = await serve({ slots: 2, flags });
  const inputs = ['rain on the pond', 'snow', 'a third, longer than the others by far', 'snow'];
  const embed = (texts: readonly string[]) =>
    embedder.adapter.embed({ ...embedRequest, inputs: texts }, never);
  const together = await embed(inputs);
  expect(together.embeddings).toHaveLength(inputs.length);
  for (const [at, text] of inputs.entries()) {
    const [alone = []] = (await embed([text])).embeddings;
    const vector = together.embeddings[at] ?? [];
    expect(vector).toHaveLength(EMBEDDING_LENGTH);
    // Not to the last bit: another place in a batch is another order of additions.
    expect(cosine(vector, alone)).toBeGreaterThan(0.99999);
  }
  expect(cosine(together.embeddings[0] ?? [], together.embeddings[1] ?? [])).toBeLessThan(0.99);
  const counted = await Promise.all(inputs.map((text) => embedder.adapter.countTokens(text)));
  expect(together.tokensIn).toBe(counted.reduce<number>((sum, count) => sum + (count ?? 0), 0));
});

test('OC-ADAPT-5004 a server that was not started for it refuses for good', async () => {
  const failure = await failureOf(all.adapter.embed({ ...embedRequest, inputs: ['rain'] }, never));
  expect(failure).toMatchObject({ name: 'EngineError', fault: 'permanent', status: 501 });
  const ranking = { ...embedRequest, query: 'rain', documents: ['snow'], topN: undefined };
  expect(await failureOf(all.adapter.rerank(ranking, never))).toMatchObject({
    name: 'EngineError',
    fault: 'permanent',
    status: 501,
  });
});

function cosine(a: readonly number[], b: readonly number[]): number {
  const dot = (x: readonly number[], y: readonly number[]): number =>
    x.reduce((sum, value, at) => sum + value * (y[at] ?? 0), 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}
