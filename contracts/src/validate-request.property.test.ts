import fc from 'fast-check';
import { expect, test } from 'vitest';

import { jsonPointer } from './faults.ts';
import type { TaskRequest } from './types.ts';
import { validateTaskRequest } from './validate-request.ts';

const text = (maxLength: number) => fc.string({ minLength: 1, maxLength });
const name = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,20}$/);
const other = fc.oneof(fc.boolean(), fc.constant(null), fc.constant({}));

/** For each field: what it may be, and what it may not be. */
const FIELDS = {
  task_id: [fc.uuid(), fc.oneof(other, text(35))],
  session_id: [fc.uuid(), fc.oneof(other, text(35))],
  model_ref: [name, fc.oneof(other, fc.constant(''), fc.constant('a b'))],
  engine: [fc.constantFrom('llamacpp', 'vllm', 'tgi', 'triton', 'openai'), other],
  ctx: [fc.integer({ min: 1, max: 16_777_216 }), fc.oneof(other, fc.integer({ max: 0 }))],
  priority: [fc.constantFrom('interactive', 'batch'), fc.oneof(other, fc.constant('urgent'))],
  seed: [fc.integer(), fc.oneof(other, fc.constant('1'), fc.constant(0.5), fc.constant(1e300))],
  determinism: [fc.constantFrom('strict', 'best_effort'), other],
  sampler_profile_version: [name, fc.oneof(other, fc.constant('-'))],
  prompt_format: [fc.constantFrom('auto', 'raw', 'chat'), other],
  max_tokens: [
    fc.integer({ min: 1, max: 1_000_000 }),
    fc.oneof(other, fc.integer({ min: 1_000_001 })),
  ],
  deadline_ms: [fc.integer({ min: 1, max: 604_800_000 }), fc.oneof(other, fc.integer({ max: 0 }))],
  expected_tokens: [fc.integer({ min: 1, max: 1_000_000 }), other],
  kv_hint: [fc.constantFrom('reuse', 'cold'), other],
  temperature: [fc.double({ min: 0, max: 5, noNaN: true }), fc.oneof(other, fc.constant(-0.1))],
  top_k: [fc.integer({ min: 0, max: 1_000_000 }), fc.oneof(other, fc.constant(-1))],
  top_p: [fc.double({ min: 0, max: 1, noNaN: true }), fc.oneof(other, fc.constant(1.01))],
  min_p: [fc.double({ min: 0, max: 1, noNaN: true }), fc.oneof(other, fc.constant('0'))],
  stop: [fc.array(text(64), { maxLength: 16 }), fc.oneof(other, fc.constant('a'))],
  grammar: [text(100), fc.oneof(other, fc.constant(''))],
  logprobs: [fc.integer({ min: 0, max: 20 }), fc.oneof(other, fc.constant(21))],
  metadata: [fc.dictionary(name, fc.string(), { maxKeys: 32 }), fc.constantFrom(null, [], 'a', 1)],
} as const satisfies Partial<Record<keyof TaskRequest, readonly [unknown, unknown]>>;
type Field = keyof typeof FIELDS;
const fieldNames = Object.keys(FIELDS) as Field[];

const source = fc.oneof(
  fc.record({ prompt: text(50) }),
  fc.record({
    messages: fc.array(
      fc.record({ role: fc.constantFrom('system', 'user', 'assistant'), content: fc.string() }),
      { minLength: 1, maxLength: 5 },
    ),
  }),
);
const valid: fc.Arbitrary<Record<string, unknown>> = fc
  .tuple(
    source,
    fc.record(
      Object.fromEntries(fieldNames.map((field) => [field, FIELDS[field][0]])) as Record<
        Field,
        fc.Arbitrary<unknown>
      >,
      { requiredKeys: [] },
    ),
  )
  .map(([content, fields]) => ({ ...content, ...fields }));

test('every combination of valid fields is valid', () => {
  fc.assert(
    fc.property(valid, (task) => {
      expect(validateTaskRequest(task)).toEqual({ ok: true, value: task });
    }),
  );
});

test('OC-CTRL-2031 each field at fault is named by its own path, and nothing else is', () => {
  const fault = fc
    .constantFrom(...fieldNames)
    .chain((field) => fc.tuple(fc.constant(field), FIELDS[field][1] as fc.Arbitrary<unknown>));
  const faults = fc.uniqueArray(fault, { minLength: 1, maxLength: 4, selector: ([f]) => f });
  fc.assert(
    fc.property(valid, faults, (task, wrong) => {
      const result = validateTaskRequest({ ...task, ...Object.fromEntries(wrong) });
      const paths = result.ok ? [] : result.details.map((d) => d.path);
      expect(new Set(paths)).toEqual(new Set(wrong.map(([field]) => `/${field}`)));
    }),
  );
});

test('OC-CTRL-2031 an unknown field is named by its own path', () => {
  fc.assert(
    fc.property(valid, fc.string({ maxLength: 40 }), (task, field) => {
      fc.pre(!(field in FIELDS) && !['prompt', 'messages', 'inputs'].includes(field));
      fc.pre(!['workload', 'query', 'documents', 'top_n', 'json_schema'].includes(field));
      const wrong = { ...task };
      Object.defineProperty(wrong, field, { value: 1, enumerable: true });
      const details = [{ path: jsonPointer(field), message: 'is not a known field' }];
      expect(validateTaskRequest(wrong)).toEqual({ ok: false, details });
    }),
  );
});

test('any JSON gets an answer: valid, or faults that say where', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const result = validateTaskRequest(value);
      if (!result.ok) expect(result.details.length).toBeGreaterThan(0);
    }),
  );
});
