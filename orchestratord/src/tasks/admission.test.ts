import { isUuid, type TaskRequest } from '@llama-orch/contracts';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { boundPromptTokens, deriveSeed, hashRequest, taskIdForKey } from './admission.ts';

test('ORCH-3045 a derived seed depends only on the task id and fits every engine', () => {
  fc.assert(
    fc.property(fc.uuid(), (taskId) => {
      const seed = deriveSeed(taskId);
      expect(deriveSeed(taskId)).toBe(seed);
      expect(seed >= 0n && seed < 0xffff_ffffn).toBe(true);
    }),
  );
});

test('ORCH-3024 an idempotency key names one task per tenant, by a well-formed id', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), (key) => {
      const id = taskIdForKey('a', key);
      expect(isUuid(id)).toBe(true);
      expect(taskIdForKey('a', key)).toBe(id);
      expect(taskIdForKey('b', key)).not.toBe(id);
    }),
  );
});

test('the hash of a request ignores the order of its fields and nothing else', () => {
  const a: TaskRequest = { prompt: 'x', seed: 1, metadata: { k: 'v', l: 'w' } };
  const b: TaskRequest = { metadata: { l: 'w', k: 'v' }, seed: 1, prompt: 'x' };
  expect(hashRequest(a, undefined)).toBe(hashRequest(b, undefined));
  expect(hashRequest({ ...a, seed: 2 }, undefined)).not.toBe(hashRequest(a, undefined));
  expect(hashRequest(a, 9007199254740993n)).not.toBe(hashRequest(a, 9007199254740992n));
});

test('ORCH-3015 the bound on prompt tokens covers every byte of the text', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (prompt) => {
      expect(boundPromptTokens({ prompt })).toBeGreaterThanOrEqual(Buffer.byteLength(prompt));
      const messages = [{ role: 'user' as const, content: prompt }];
      expect(boundPromptTokens({ messages })).toBeGreaterThanOrEqual(Buffer.byteLength(prompt));
    }),
  );
});
