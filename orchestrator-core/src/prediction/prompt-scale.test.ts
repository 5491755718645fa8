import { expect, test } from 'vitest';
import { PromptScale } from './prompt-scale.ts';

test('an exact count is taken as it is', () => {
  expect(new PromptScale().promptTokens(1_234, true)).toBe(1_234);
});

test('the ratio of the pool is learned, and followed when its prompts change', () => {
  const scale = new PromptScale();
  for (let i = 0; i < 100; i++) scale.observe(4_000, 2_000);
  expect(scale.promptTokens(1_000, false) / 500).toBeCloseTo(1, 1);
  for (let i = 0; i < 4_000; i++) scale.observe(4_000, 800);
  expect(scale.promptTokens(1_000, false) / 200).toBeCloseTo(1, 1);
});

test('the estimate is at least one token and never above the bound', () => {
  const scale = new PromptScale();
  expect(scale.promptTokens(1, false)).toBe(1);
  scale.observe(100_000, 900_000);
  expect(scale.promptTokens(1_000, false)).toBeLessThanOrEqual(1_000);
});

test('counts that cannot be are passed over', () => {
  const scale = new PromptScale();
  const before = scale.save();
  for (const [bytes, tokens] of [
    [0, 5],
    [NaN, 5],
    [Infinity, 5],
    [100, NaN],
    [100, -1],
  ] as const) {
    scale.observe(bytes, tokens);
  }
  expect(scale.save()).toEqual(before);
});

test('what was saved goes on', () => {
  const scale = new PromptScale();
  scale.observe(5_000, 3_000);
  const copy = new PromptScale();
  copy.load(JSON.parse(JSON.stringify(scale.save())) as ReturnType<PromptScale['save']>);
  expect(copy.promptTokens(777, false)).toBe(scale.promptTokens(777, false));
});

test.each([{ tokens: 0, bytes: 10 }, { tokens: 11, bytes: 10 }, { tokens: 1, bytes: 0 }, null])(
  'what cannot have been saved changes nothing (%j)',
  (saved) => {
    const scale = new PromptScale();
    expect(scale.load(saved)).toBe(false);
    expect(scale.save()).toEqual(new PromptScale().save());
  },
);
