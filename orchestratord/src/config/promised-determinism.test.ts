import { expect, test } from 'vitest';
import { isStrictAlone, promisedDeterminism } from './promised-determinism.ts';

const pool = { engine: 'llamacpp', launch: 'process', slots: 4 } as const;

test('OC-CTRL-2143 what the operator says goes before what the engine can promise', () => {
  for (const determinism of ['exact', 'none'] as const) {
    expect(promisedDeterminism({ ...pool, determinism })).toBe(determinism);
    expect(promisedDeterminism({ ...pool, engine: 'vllm', determinism })).toBe(determinism);
  }
});

test('OC-CTRL-2143 llama.cpp is exact when embedded or with one slot, else only for tasks alone', () => {
  expect(promisedDeterminism(pool)).toBe('alone');
  expect(promisedDeterminism({ ...pool, slots: 1 })).toBe('exact');
  expect(promisedDeterminism({ ...pool, launch: 'embedded' })).toBe('exact');
  expect(promisedDeterminism({ ...pool, launch: 'remote', slots: 1 })).toBe('alone');
});

test.each(['vllm', 'tgi', 'triton', 'openai'] as const)(
  'OC-CTRL-2143 %s promises none',
  (engine) => {
    expect(promisedDeterminism({ ...pool, engine })).toBe('none');
  },
);

test('OC-CTRL-2144 a replica goes by what it told of itself', () => {
  const replica = { engine: 'llamacpp', slots: 4, exactPrefixReuse: false } as const;
  expect(isStrictAlone({}, replica)).toBe(true);
  expect(isStrictAlone({}, { ...replica, slots: 1 })).toBe(false);
  expect(isStrictAlone({}, { ...replica, exactPrefixReuse: true })).toBe(false);
  expect(isStrictAlone({ determinism: 'exact' }, replica)).toBe(false);
  expect(isStrictAlone({}, { ...replica, engine: 'vllm' })).toBe(false);
});
