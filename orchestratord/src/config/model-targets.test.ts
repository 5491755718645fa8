import { expect, test } from 'vitest';
import { modelFinder } from './model-targets.ts';

const SHA = 'a'.repeat(64);
const find = modelFinder({
  models: [{ id: 'next', path: '/m/next.gguf', sha256: SHA }],
  pools: [],
});

test('ORCH-2102 a model is found by its id in the configuration, with the digest it must have', () => {
  expect(find('next', 'default')).toEqual({
    modelId: 'next',
    modelPath: '/m/next.gguf',
    modelDigest: `sha256:${SHA}`,
  });
});

test('or by the absolute path of its file, which then names it', () => {
  expect(find('/m/My Model (v2).gguf', 'default')).toEqual({
    modelId: 'My_Model__v2_',
    modelPath: '/m/My Model (v2).gguf',
    modelDigest: undefined,
  });
  expect(find('/m/.gguf', 'default').modelId).toBe('model');
});

test('OC-POOL-3130 of a pool on hosts only the id is used, and the digest that is configured here', () => {
  const pool = { id: 'far', launch: 'remote', model: { id: 'm' } };
  const findFar = modelFinder({
    models: [{ id: 'next', path: '/m/next.gguf', sha256: SHA }],
    pools: [pool as unknown as Parameters<typeof modelFinder>[0]['pools'][number]],
  });
  const unknown = { modelId: 'there', modelPath: undefined, modelDigest: undefined };
  expect(findFar('there', 'far')).toEqual(unknown);
  expect(findFar('next', 'far')).toEqual({
    modelId: 'next',
    modelPath: undefined,
    modelDigest: `sha256:${SHA}`,
  });
  expect(() => findFar('/m/next.gguf', 'far')).toThrow(
    expect.objectContaining({ kind: 'INVALID_PARAMS' }),
  );
});

test('and anything else is refused without repeating it', () => {
  expect(() => find('../secret', 'default')).toThrow(
    expect.objectContaining({
      kind: 'INVALID_PARAMS',
      details: [
        {
          path: '/new_model_ref',
          message: 'is neither the id of a configured model nor an absolute path',
        },
      ],
    }),
  );
});
