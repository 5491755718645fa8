import { expect, test } from 'vitest';
import { parseCompletion } from './completion-request.ts';
import { createFakeModel } from './fake-token-model.ts';

const model = createFakeModel({ ctx: 32 });
const parse = (body: Record<string, unknown>) => parseCompletion(body, model, () => 77);

test('a bare prompt takes llama-server’s defaults, and null counts as absent', () => {
  const bare = parse({ prompt: 'hi' });
  expect(bare).toMatchObject({
    prompt: [104, 105],
    maxTokens: Infinity,
    stream: false,
    cachePrompt: true,
    pinnedSlot: undefined,
    sampling: {
      temperature: 0.8,
      topK: 40,
      topP: 0.95,
      minP: 0.05,
      seed: 77,
      repeatLastN: 32,
    },
  });
  expect(parse({ prompt: 'hi', temperature: null, stop: null, grammar: null })).toEqual(bare);
});

test('an open seed is drawn, any other is kept', () => {
  expect(parse({ prompt: 'x', seed: -1 }).sampling.seed).toBe(77);
  expect(parse({ prompt: 'x', seed: 4294967295 }).sampling.seed).toBe(77);
  expect(parse({ prompt: 'x', seed: 4294967294 }).sampling.seed).toBe(4294967294);
  expect(parse({ prompt: 'x', seed: 0 }).sampling.seed).toBe(0);
});

test('values out of range clamp where llama-server clamps them', () => {
  const { sampling } = parse({ prompt: 'x', temperature: -1, top_k: -5, top_p: 7, min_p: -1 });
  expect(sampling).toMatchObject({ temperature: 0, topK: 0, topP: 1, minP: 0 });
});

test('n_predict 0 yields one token, -1 has no limit, and its aliases count', () => {
  expect(parse({ prompt: 'x', n_predict: 0 }).maxTokens).toBe(1);
  expect(parse({ prompt: 'x', n_predict: -1 }).maxTokens).toBe(Infinity);
  expect(parse({ prompt: 'x', max_tokens: 3 }).maxTokens).toBe(3);
});

test('a prompt may be text, tokens or both', () => {
  expect(parse({ prompt: [1, 2] }).prompt).toEqual([1, 2]);
  expect(parse({ prompt: ['a', 2] }).prompt).toEqual([97, 2]);
  expect(parse({ prompt: ['a'] }).prompt).toEqual([97]);
  expect(parse({ prompt: [[7]] }).prompt).toEqual([7]);
});

test('samplers left out are switched off, and another order is refused', () => {
  expect(parse({ prompt: 'x', samplers: ['top_k', 'temperature'] }).sampling).toMatchObject({
    topK: 40,
    topP: 1,
    minP: 0,
    repeatLastN: 0,
    temperature: 0.8,
  });
  expect(parse({ prompt: 'x', samplers: [] }).sampling).toMatchObject({ temperature: 1, topK: 0 });
  const swapped = { prompt: 'x', samplers: ['temperature', 'top_k'] };
  expect(() => parse(swapped)).toThrow(expect.objectContaining({ type: 'not_supported_error' }));
});

test('OC-EMBED-4142 a prompt that leaves no room for a token is refused with both numbers', () => {
  expect(parse({ prompt: 'x'.repeat(31) }).prompt).toHaveLength(31);
  expect(() => parse({ prompt: 'x'.repeat(32) })).toThrow(
    expect.objectContaining({
      type: 'exceed_context_size_error',
      extra: { n_prompt_tokens: 32, n_ctx: 32 },
    }),
  );
});

test.each([
  [{}],
  [{ prompt: 3 }],
  [{ prompt: { a: 1 } }],
  [{ prompt: [999] }],
  [{ prompt: [1.5] }],
  [{ prompt: [-1] }],
  [{ prompt: [null, 1] }],
  [{ prompt: 'x', temperature: 'hot' }],
  [{ prompt: 'x', temperature: Infinity }],
  [{ prompt: 'x', seed: 2 ** 32 }],
  [{ prompt: 'x', seed: 0.5 }],
  [{ prompt: 'x', n_predict: -2 }],
  [{ prompt: 'x', id_slot: 'one' }],
  [{ prompt: 'x', stop: [1] }],
  [{ prompt: 'x', stop: 'a'.repeat(2000) }],
  [{ prompt: 'x', stream: 'yes' }],
  [{ prompt: 'x', grammar: 5 }],
  [{ prompt: 'x', json_schema: [] }],
  [{ prompt: 'x', samplers: 'kt' }],
  [{ prompt: 'x', n_probs: 21 }],
  [{ prompt: 'x', n_probs: -1 }],
  [{ prompt: 'x', n_probs: true }],
])('OC-EMBED-4141 %j is an invalid request', (body) => {
  expect(() => parse(body)).toThrow(expect.objectContaining({ type: 'invalid_request_error' }));
});

test.each([
  [{ post_sampling_probs: true }],
  [{ logprobs: 3 }],
  [{ logit_bias: [[1, false]] }],
  [{ lora: [{ id: 0, scale: 1 }] }],
  [{ n: 2 }],
  [{ mirostat: 2 }],
  [{ dry_multiplier: 0.8 }],
  [{ prompt: ['a', 'b'] }],
  [{ samplers: ['mirostat'] }],
])('OC-EMBED-4143 %j would be ignored, so it is refused', (fields) => {
  const body = { prompt: 'x', ...fields };
  expect(() => parse(body)).toThrow(expect.objectContaining({ type: 'not_supported_error' }));
});

test('OC-EMBED-4146 n_probs is refused by a model whose newest batch cannot be computed again', () => {
  expect(parse({ prompt: 'x', n_probs: 20 }).probs).toBe(20);
  const [sequence] = model.sequences;
  const recurrent = { ...model, sequences: [{ ...sequence!, keepsPrefix: false }] };
  expect(() => parseCompletion({ prompt: 'x', n_probs: 1 }, recurrent, () => 77)).toThrow(
    expect.objectContaining({ type: 'not_supported_error' }),
  );
});

test('the same fields at their neutral value are accepted', () => {
  expect(() =>
    parse({
      prompt: 'x',
      n_probs: 0,
      logit_bias: [],
      lora: [],
      n: 1,
      dry_multiplier: 0,
      typical_p: 1,
    }),
  ).not.toThrow();
});
