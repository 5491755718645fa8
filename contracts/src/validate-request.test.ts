import { describe, expect, test } from 'vitest';

import type { FaultDetail } from './errors.ts';
import { validateDrainRequest, validateTaskRequest } from './validate-request.ts';

const faultsOf = (value: unknown): readonly FaultDetail[] => {
  const result = validateTaskRequest(value);
  return result.ok ? [] : result.details;
};
const EXACTLY_ONE = [{ path: '', message: 'needs exactly one of prompt and messages' }];

describe('ORCH-2001 a task', () => {
  test('is a prompt alone', () => {
    expect(faultsOf({ prompt: 'hello' })).toEqual([]);
  });

  test('is given back as it came, without defaults', () => {
    const value = { prompt: 'hello' };
    expect(validateTaskRequest(value)).toEqual({ ok: true, value: { prompt: 'hello' } });
  });

  test.each([
    [{}],
    [{ prompt: 'a', messages: [{ role: 'user', content: 'b' }] }],
    [{ workload: 'completion' }],
  ])('to complete needs exactly one of prompt and messages: %j', (value) => {
    expect(faultsOf(value)).toEqual(EXACTLY_ONE);
  });

  test('to complete takes no inputs: there would be nothing to complete', () => {
    const inputs = ['a'];
    const fault = { path: '/inputs', message: 'is used only by the workload embedding' };
    expect(faultsOf({ prompt: 'p', inputs })).toEqual([fault]);
    expect(faultsOf({ inputs })).toEqual([...EXACTLY_ONE, fault]);
    expect(faultsOf({ workload: 'completion', inputs })).toEqual([...EXACTLY_ONE, fault]);
  });

  test('to embed takes exactly one of prompt and inputs', () => {
    const workload = 'embedding';
    const message = 'needs exactly one of prompt and inputs';
    expect(faultsOf({ workload, inputs: ['a', 'b'] })).toEqual([]);
    expect(faultsOf({ workload, prompt: 'a' })).toEqual([]);
    expect(faultsOf({ workload })).toEqual([{ path: '', message }]);
    expect(faultsOf({ workload, prompt: 'a', inputs: ['b'] })).toEqual([{ path: '', message }]);
  });

  test.each([
    { messages: [{ role: 'user', content: 'c' }] },
    { prompt_format: 'raw' },
    { session_id: '0b5b7a1e-6a0e-4f0e-8f57-6a3f6f0f7d10' },
    { sampler_profile_version: 'v1' },
    { max_tokens: 1 },
    { expected_tokens: 1 },
    { deadline_for: 'end' },
    { kv_hint: 'cold' },
    { temperature: 0 },
    { top_k: 1 },
    { top_p: 1 },
    { min_p: 0 },
    { stop: [] },
    { grammar: 'g' },
    { json_schema: {} },
    { logprobs: 0 },
  ])('to embed or rerank takes nothing that only a completion has: %j', (field) => {
    const [path] = Object.keys(field).map((key) => `/${key}`);
    const message = 'is used only by the workload completion';
    for (const task of [
      { workload: 'embedding', inputs: ['a'] },
      { workload: 'rerank', query: 'q', documents: ['d'] },
    ]) {
      expect(faultsOf({ ...task, ...field })).toEqual([{ path, message }]);
    }
  });

  test.each([[[]], ['text'], [7], [null], [true]])('is an object, not %j', (value) => {
    expect(faultsOf(value)).toEqual([{ path: '', message: 'must be an object' }]);
  });

  test('to rerank takes query and documents, and nothing to complete', () => {
    expect(faultsOf({ workload: 'rerank', query: 'q', documents: ['d'], top_n: 1 })).toEqual([]);
    expect(faultsOf({ workload: 'rerank', prompt: 'p', documents: ['d'] })).toEqual([
      { path: '/query', message: 'is required' },
      { path: '/prompt', message: 'is not used by the workload rerank' },
    ]);
    expect(faultsOf({ prompt: 'p', top_n: 1 })).toEqual([
      { path: '/top_n', message: 'is used only by the workload rerank' },
    ]);
  });

  test('may say where it runs and what its deadline is for', () => {
    const placement = { labels: { zone: 'a' }, devices: ['cuda:0'], anti_affinity: 'nightly' };
    for (const deadline_for of ['end', 'first_token']) {
      expect(faultsOf({ prompt: 'p', deadline_ms: 1, deadline_for, placement })).toEqual([]);
    }
    expect(faultsOf({ prompt: 'p', placement: {} })).toEqual([]);
  });

  test.each([
    [{ deadline_for: 'start' }, '/deadline_for'],
    [{ placement: { node: 'a' } }, '/placement/node'],
    [{ placement: { labels: { zone: '' } } }, '/placement/labels/zone'],
    [{ placement: { labels: { 'a b': 'c' } } }, '/placement/labels/a b'],
    [
      {
        placement: {
          labels: Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`l${i}`, 'v'])),
        },
      },
      '/placement/labels',
    ],
    [{ placement: { devices: [] } }, '/placement/devices'],
    [{ placement: { devices: Array.from({ length: 17 }, () => 'cpu') } }, '/placement/devices'],
    [{ placement: { devices: ['../cpu'] } }, '/placement/devices/0'],
    [{ placement: { anti_affinity: 'x'.repeat(65) } }, '/placement/anti_affinity'],
  ])('is refused with the place: %j', (fields, path) => {
    expect(faultsOf({ prompt: 'p', ...fields }).map((fault) => fault.path)).toEqual([path]);
  });

  test('takes a grammar or a JSON schema, not both', () => {
    expect(faultsOf({ prompt: 'p', grammar: 'root ::= "a"', json_schema: {} })).toEqual([
      { path: '/json_schema', message: 'cannot be given together with grammar' },
    ]);
  });

  test.each([-9007199254740993n, -9223372036854775808n, 9223372036854775807n])(
    'takes the 64-bit seed %d as JSON.parse gives it',
    (seed) => {
      expect(faultsOf(JSON.parse(`{"prompt":"p","seed":${seed}}`))).toEqual([]);
    },
  );

  test('takes ids in either letter case', () => {
    const task_id = '0B5B7A1E-6a0e-4f0e-8f57-6a3f6f0f7d10';
    expect(faultsOf({ prompt: 'p', task_id })).toEqual([]);
  });
});

describe('OC-CTRL-2031 a fault', () => {
  test('names the unknown field itself', () => {
    expect(faultsOf({ prompt: 'p', 'max/~tokens': 1 })).toEqual([
      { path: '/max~1~0tokens', message: 'is not a known field' },
    ]);
    expect(faultsOf({ messages: [{ role: 'user', content: '', name: 'x' }] })).toEqual([
      { path: '/messages/0/name', message: 'is not a known field' },
    ]);
  });

  test('names a prototype key like any other', () => {
    expect(faultsOf(JSON.parse('{"prompt":"p","__proto__":{"ctx":0}}'))).toEqual([
      { path: '/__proto__', message: 'is not a known field' },
    ]);
  });

  test('names the missing field', () => {
    expect(faultsOf({ messages: [{ role: 'user' }] })).toEqual([
      { path: '/messages/0/content', message: 'is required' },
    ]);
  });

  test.each([
    [{ task_id: 'x' }, '/task_id', 'must be a UUID'],
    [{ engine: 'llama' }, '/engine', 'must be one of llamacpp, vllm, tgi, triton, openai'],
    [{ ctx: '512' }, '/ctx', 'must be an integer'],
    [{ max_tokens: 0 }, '/max_tokens', 'must be at least 1'],
    [{ max_tokens: 1.5 }, '/max_tokens', 'must be an integer'],
    [{ temperature: NaN }, '/temperature', 'must be a number'],
    [{ temperature: Infinity }, '/temperature', 'must be a number'],
    [{ temperature: 5.1 }, '/temperature', 'must be at most 5'],
    [{ stop: Array(17).fill('a') }, '/stop', 'must have at most 16 entries'],
    [{ stop: [''] }, '/stop/0', 'must not be empty'],
    [{ stop: ['a'.repeat(257)] }, '/stop/0', 'must have at most 256 characters'],
    [{ metadata: { a: 1 } }, '/metadata/a', 'must be a string'],
    [{ metadata: { '': 'x' } }, '/metadata/', 'is not an allowed name'],
    [{ metadata: null }, '/metadata', 'must be an object'],
  ])('says what %j should be', (fields, path, message) => {
    expect(faultsOf({ prompt: 'p', ...fields })).toEqual([{ path, message }]);
  });

  test('lists each place once and at most 32 of them', () => {
    const unknown = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`f${i}`, i]));
    const faults = faultsOf({ prompt: 'p', ...unknown });
    expect(faults).toHaveLength(32);
    expect(new Set(faults.map((f) => f.path)).size).toBe(32);
  });

  test('in a huge body is the only one told, with a short path', () => {
    const faults = faultsOf({
      prompt: 'p',
      messages: Array(5_000).fill({ ['k'.repeat(9_000)]: 1 }),
    });
    expect(faults).toHaveLength(1);
    expect(faults[0]!.path.length).toBeLessThanOrEqual(256);
  });

  test('never repeats a value', () => {
    const secret = 'sk-do-not-print';
    const faults = faultsOf({
      prompt: 7,
      engine: secret,
      task_id: secret,
      stop: secret,
      ctx: secret,
    });
    expect(faults).toHaveLength(5);
    expect(JSON.stringify(faults)).not.toContain(secret);
  });
});

test('a JSON schema may nest 64 levels and no more', () => {
  const nested = (levels: number): object => (levels === 1 ? {} : { a: nested(levels - 1) });
  expect(faultsOf({ prompt: 'p', json_schema: nested(64) })).toEqual([]);
  expect(faultsOf({ prompt: 'p', json_schema: nested(65) })).toEqual([
    { path: '/json_schema', message: 'must nest at most 64 levels' },
  ]);
});

test('a JSON schema may hold 4096 values and no more', () => {
  const wide = (values: number) => ({ enum: Array(values - 2).fill(0) });
  expect(faultsOf({ prompt: 'p', json_schema: wide(4_096) })).toEqual([]);
  expect(faultsOf({ prompt: 'p', json_schema: wide(4_097) })).toEqual([
    { path: '/json_schema', message: 'must hold at most 4096 values' },
  ]);
});

test('a character outside the basic plane counts once', () => {
  expect(faultsOf({ prompt: 'p', stop: ['😀'.repeat(256)] })).toEqual([]);
  expect(faultsOf({ prompt: 'p', stop: ['😀'.repeat(257)] })).toHaveLength(1);
  expect(faultsOf({ prompt: 'p', stop: ['\ud83d'.repeat(257)] })).toHaveLength(1);
});

test('JSON nested a hundred thousand deep is refused, not a crash', () => {
  const deep: unknown = JSON.parse('{"a":'.repeat(100_000) + '1' + '}'.repeat(100_000));
  expect(faultsOf({ prompt: 'p', json_schema: deep })).toHaveLength(1);
  expect(faultsOf({ prompt: deep })).toEqual([{ path: '/prompt', message: 'must be a string' }]);
});

test('ORCH-2101 a drain needs a deadline within a day', () => {
  expect(validateDrainRequest({ deadline_ms: 0 })).toEqual({ ok: true, value: { deadline_ms: 0 } });
  expect(validateDrainRequest({})).toEqual({
    ok: false,
    details: [{ path: '/deadline_ms', message: 'is required' }],
  });
  expect(validateDrainRequest({ deadline_ms: 86_400_001 })).toMatchObject({ ok: false });
});
