import { expect, test } from 'vitest';
import { findServedModel } from './openai-models.ts';

const base = { id: 'm', object: 'model', root: '/models/m', parent: null, max_model_len: 8192 };
const lora = { ...base, id: 'm-lora', parent: 'm', root: '/loras/a' };
const list = (...data: unknown[]) => ({ object: 'list', data });

test('without a name it is the first that is no adapter', () => {
  expect(findServedModel(list(lora, base), undefined)).toEqual({
    id: 'm',
    root: '/models/m',
    maxModelLen: 8192,
  });
});

test('by name it is any of them', () => {
  expect(findServedModel(list(base, lora), 'm-lora')).toMatchObject({ id: 'm-lora' });
});

test('what a server does not tell is unknown', () => {
  const told = findServedModel(list({ id: 'other', object: 'model' }), undefined);
  expect(told).toEqual({ id: 'other', root: undefined, maxModelLen: undefined });
});

test.each([null, {}, { data: 'm' }, list(), list(null), list({ id: 3 }), list(base)])(
  'a model that is not listed is not found: %j',
  (answer) => {
    expect(findServedModel(answer, 'absent')).toBeUndefined();
  },
);
