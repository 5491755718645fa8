import { isUuid, type TaskRequest } from '@llama-orch/contracts';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  boundPromptTokens,
  deriveSeed,
  hashRequest,
  taskIdForKey,
  toTaskSpec,
} from './admission.ts';
import type { TaskRecord } from './live-task.ts';

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

test('ORCH-3024 ids, seeds and hashes are those that ledgers hold already', () => {
  expect(taskIdForKey('acme', 'key-1')).toBe('8a2b0b89-7e29-8deb-aad3-c414c14deaf8');
  expect(deriveSeed('6f1c1f0e-0000-4000-8000-000000000001')).toBe(249986053n);
  expect(hashRequest({ prompt: 'x', stop: ['a', 'b'] }, undefined)).toBe(
    '6e6760b7e53c3c740f8a23c549decdc1f3ae73ea62d48f1639610bbd65c235ed',
  );
  expect(hashRequest({ prompt: 'x', seed: 9007199254740992 }, 9007199254740993n)).toBe(
    '3c65da7f22a57c896609acbd81fd960d2c2ed21ebd8dfc8c24ce1790db9bdbe3',
  );
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

test('OC-CTRL-2090 all that an engine reads for an embedding or a ranking counts', () => {
  const inputs = ['a'.repeat(100), 'b'.repeat(300)];
  expect(boundPromptTokens({ workload: 'embedding', inputs })).toBeGreaterThanOrEqual(400);
  const rerank = { workload: 'rerank', query: 'q'.repeat(50), documents: inputs } as const;
  expect(boundPromptTokens(rerank)).toBeGreaterThanOrEqual(400 + 2 * 50);
});

test.each([
  [{ prompt: 'p' }, 'strict', { rerunnable: true }],
  [{ prompt: 'p' }, 'best_effort', { rerunnable: false }],
  [{ prompt: 'p', determinism: 'best_effort' }, undefined, { rerunnable: false }],
  [{ prompt: 'p' }, undefined, { rerunnable: true }],
  [{ workload: 'embedding', prompt: 'p' }, 'best_effort', { rerunnable: true, answersWhole: true }],
] as const)('OC-CTRL-2089 %j given %s may run again: %j', (request, determinism, spec) => {
  const record: TaskRecord = {
    taskId: 't',
    tenantId: 'default',
    poolId: 'p',
    modelId: 'm',
    engine: 'vllm',
    correlationId: 'c',
    request,
    promptFormat: 'auto',
    determinism,
    seed: '1',
    requestHash: undefined,
    acceptedAtMs: 0,
    deadlineAtMs: undefined,
  };
  expect(toTaskSpec(record, { count: 1, exact: true }, undefined)).toMatchObject(spec);
});
