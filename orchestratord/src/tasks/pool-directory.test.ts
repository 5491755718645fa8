import { OrchError, type TaskRequest } from '@llama-orch/contracts';
import { expect, test } from 'vitest';
import { PoolDirectory, type PoolEntry } from './pool-directory.ts';

const EXACT: PoolEntry = {
  poolId: 'exact',
  engine: 'llamacpp',
  modelId: 'm',
  aliases: [],
  ctx: 100,
  promptFormat: 'auto',
  workloads: ['completion', 'embedding'],
  features: ['grammar', 'json_schema', 'logprobs', 'min_p', 'top_k'],
  determinism: 'exact',
};
const LOOSE: PoolEntry = {
  ...EXACT,
  poolId: 'loose',
  engine: 'openai',
  workloads: ['completion'],
  features: ['logprobs'],
  determinism: 'none',
};

function directory(pools: readonly PoolEntry[], load: Readonly<Record<string, number>> = {}) {
  return new PoolDirectory({ pools, loadedIn: () => [], loadOf: (id) => load[id] ?? 0 });
}
/** Paths at fault. */
function faultsOf(pools: readonly PoolEntry[], request: TaskRequest): readonly string[] {
  try {
    directory(pools).resolve(request);
  } catch (error) {
    if (!(error instanceof OrchError)) throw error;
    expect(error.kind).toBe('INVALID_PARAMS');
    return (error.details ?? []).map(({ path }) => path);
  }
  return [];
}

const ASKING: readonly (readonly [Partial<TaskRequest>, string])[] = [
  [{ grammar: 'root ::= "a"' }, '/grammar'],
  [{ json_schema: {} }, '/json_schema'],
  [{ min_p: 0.1 }, '/min_p'],
  [{ top_k: 1 }, '/top_k'],
  [{ determinism: 'strict' }, '/determinism'],
];

test.each(ASKING)('OC-CTRL-2019 %j is refused where the pool cannot do it', (fields, path) => {
  expect(faultsOf([LOOSE], { prompt: 'p', ...fields })).toEqual([path]);
  expect(faultsOf([EXACT], { prompt: 'p', ...fields })).toEqual([]);
});

test('OC-CTRL-2019 every field at fault is named, and the pool is named as it is', () => {
  const request: TaskRequest = { prompt: 'p', top_k: 3, min_p: 0.1, determinism: 'strict' };
  expect(faultsOf([LOOSE], request)).toEqual(['/min_p', '/top_k', '/determinism']);
  expect(() => directory([LOOSE]).resolve({ prompt: 'p', top_k: 3 })).toThrow(
    /\/top_k is not supported by the engine openai/,
  );
});

test('OC-CTRL-2019 0 asks for nothing, and what the pool has is not refused', () => {
  const request: TaskRequest = { prompt: 'p', min_p: 0, top_k: 0, logprobs: 3 };
  expect(faultsOf([LOOSE], { ...request, determinism: 'best_effort' })).toEqual([]);
  expect(faultsOf([{ ...LOOSE, features: [] }], { prompt: 'p', logprobs: 0 })).toEqual([]);
});

test('OC-CTRL-2019 of the pools of a model, one that can do it is taken', () => {
  const pools = directory([LOOSE, EXACT], { exact: 9 });
  expect(pools.resolve({ prompt: 'p', model_ref: 'm' }).poolId).toBe('loose');
  expect(pools.resolve({ prompt: 'p', model_ref: 'm', min_p: 0.1 }).poolId).toBe('exact');
  expect(pools.resolve({ workload: 'embedding', prompt: 'p' }).poolId).toBe('exact');
});

test('ORCH-2008 the engine that a request names filters the pools', () => {
  const pools = directory([EXACT, LOOSE]);
  expect(pools.resolve({ prompt: 'p', engine: 'openai' }).poolId).toBe('loose');
  expect(pools.resolve({ prompt: 'p', engine: 'llamacpp' }).poolId).toBe('exact');
  expect(() => pools.resolve({ prompt: 'p', engine: 'tgi' })).toThrow(
    'no pool serves it with this engine',
  );
});

test('OC-CTRL-2019 who names no model is not sent to another one for the sake of a field', () => {
  const other = { ...EXACT, modelId: 'other' };
  expect(faultsOf([LOOSE, other], { prompt: 'p', min_p: 0.1 })).toEqual(['/min_p']);
});
