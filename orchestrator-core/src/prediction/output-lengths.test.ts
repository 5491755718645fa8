import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { LengthQuery } from './output-lengths.ts';
import { OutputLengths } from './output-lengths.ts';
import type { Chance } from './testing/engine-fixture.ts';
import { seededChance } from './testing/engine-fixture.ts';

function query(overrides: Partial<LengthQuery> = {}): LengthQuery {
  const plain = { maxTokens: undefined, expectedTokens: undefined };
  return { tenantId: 'a', priority: 'interactive', ...plain, ...overrides };
}

/** Bell-shaped on a logarithmic scale around `median`, at least one token. */
function someLength(chance: Chance, median: number, spread = 0.5): number {
  return Math.max(1, Math.round(median * Math.exp(spread * chance.normal())));
}

test('mean and quantiles of a tenant are learned', () => {
  const lengths = new OutputLengths();
  const chance = seededChance(1);
  for (let i = 0; i < 1_000; i++) lengths.observe(query(), someLength(chance, 300), false);
  const { mean, p50, p90 } = lengths.expect(query());
  expect(p50 / 300).toBeCloseTo(1, 0.7);
  expect(mean / (300 * Math.exp(0.125))).toBeCloseTo(1, 0.7);
  expect(p90 / (300 * Math.exp(0.64))).toBeCloseTo(1, 0.7);
});

test('tenants and classes differ; one without samples has those of the pool', () => {
  const lengths = new OutputLengths();
  const chance = seededChance(2);
  for (let i = 0; i < 300; i++) {
    lengths.observe(query({ tenantId: 'short' }), someLength(chance, 20), false);
    lengths.observe(query({ tenantId: 'long' }), someLength(chance, 2_000), false);
    lengths.observe(query({ tenantId: 'long', priority: 'batch' }), someLength(chance, 50), false);
  }
  expect(lengths.expect(query({ tenantId: 'short' })).p50).toBeLessThan(30);
  expect(lengths.expect(query({ tenantId: 'long' })).p50).toBeGreaterThan(1_400);
  expect(lengths.expect(query({ tenantId: 'long', priority: 'batch' })).p50).toBeLessThan(80);
  const unknown = lengths.expect(query({ tenantId: 'new' })).p50;
  expect(unknown).toBeGreaterThan(20);
  expect(unknown).toBeLessThan(2_000);
});

describe('max_tokens', () => {
  test('caps the mean as it caps each answer', () => {
    const lengths = new OutputLengths();
    for (let i = 0; i < 400; i++) lengths.observe(query(), i % 2 === 0 ? 10 : 1_000, false);
    const { mean, p90 } = lengths.expect(query({ maxTokens: 100 }));
    expect(mean).toBeGreaterThan(45);
    expect(mean).toBeLessThan(65);
    expect(p90).toBe(100);
  });

  test('answers cut off do not make uncut ones look short', () => {
    const lengths = new OutputLengths();
    const chance = seededChance(4);
    for (let i = 0; i < 2_000; i++) {
      const length = someLength(chance, 400);
      const cap = i % 2 === 0 ? 200 : Infinity;
      lengths.observe(query(), Math.min(length, cap), length >= cap);
    }
    expect(lengths.expect(query()).p50).toBeGreaterThan(300);
    expect(lengths.expect(query()).p50).toBeLessThan(520);
  });
});

describe("the client's own estimate", () => {
  function afterHints(hintOf: (length: number, chance: Chance) => number): OutputLengths {
    const lengths = new OutputLengths();
    const chance = seededChance(6);
    for (let i = 0; i < 300; i++) {
      const length = someLength(chance, 300, 1);
      const expectedTokens = Math.max(1, hintOf(length, chance));
      lengths.observe(query({ expectedTokens }), length, false);
    }
    return lengths;
  }

  test('is followed where it has been right, also when it is always half', () => {
    expect(
      afterHints((length) => length).expect(query({ expectedTokens: 2_000 })).p50,
    ).toBeGreaterThan(1_600);
    const half = afterHints((length) => length / 2).expect(query({ expectedTokens: 1_000 })).p50;
    expect(half).toBeGreaterThan(1_600);
    expect(half).toBeLessThan(2_500);
  });

  test('is hardly followed where it has been noise', () => {
    const lengths = afterHints((_length, chance) => chance.between(1, 100_000));
    const { p50 } = lengths.expect(query({ expectedTokens: 50_000 }));
    expect(p50 / lengths.expect(query()).p50).toBeLessThan(3);
  });
});

test('a thousand tenants are remembered, the least recently used forgotten', () => {
  const lengths = new OutputLengths();
  for (let i = 0; i < 30; i++) lengths.observe(query({ tenantId: 'kept' }), 5_000, false);
  for (let i = 0; i < 999; i++) lengths.observe(query({ tenantId: `t${i}` }), 10, false);
  expect(lengths.expect(query({ tenantId: 'kept' })).p50).toBeGreaterThan(3_000);
  lengths.observe(query({ tenantId: 'one more' }), 10, false);
  expect(lengths.expect(query({ tenantId: 'kept' })).p50).toBeLessThan(100);
  expect(lengths.save().entries.length).toBe(1_000);
});

test('whatever is fed, an expectation lies in 1..max_tokens, in order, and is saved whole', () => {
  const wild = fc.oneof(fc.double(), fc.constantFrom(0, -5, NaN, Infinity), fc.nat(1e6));
  const cap = fc.option(fc.integer({ min: 1, max: 100_000 }), { nil: undefined });
  const hint = fc.option(wild, { nil: undefined });
  const task = fc.record({
    tenantId: fc.constantFrom('a', 'b'),
    maxTokens: cap,
    expectedTokens: hint,
  });
  const ended = fc.record({ task, tokens: wild, cutOff: fc.boolean() });
  fc.assert(
    fc.property(fc.array(ended), task, (history, next) => {
      const lengths = new OutputLengths();
      for (const { task: past, tokens, cutOff } of history) {
        lengths.observe(query(past), tokens, cutOff);
      }
      const { mean, p50, p90 } = lengths.expect(query(next));
      for (const tokens of [mean, p50, p90]) {
        expect(tokens).toBeGreaterThanOrEqual(1);
        expect(tokens).toBeLessThanOrEqual(next.maxTokens ?? Number.MAX_VALUE);
      }
      expect(p90).toBeGreaterThanOrEqual(p50);
      const copy = new OutputLengths();
      copy.load(JSON.parse(JSON.stringify(lengths.save())) as ReturnType<OutputLengths['save']>);
      expect(copy.expect(query(next))).toEqual({ mean, p50, p90 });
    }),
  );
});

test('what cannot have been saved is refused, whichever part of it is wrong', () => {
  const lengths = new OutputLengths();
  lengths.observe(query({ expectedTokens: 20 }), 10, false);
  const saved = JSON.parse(JSON.stringify(lengths.save())) as { entries: { hints: object }[] };
  expect(new OutputLengths().load(saved)).toBe(true);
  const wrong = { bias: 1e9, error: -1, medianError: 1e9, samples: -1 };
  for (const [name, value] of Object.entries(wrong)) {
    const changed = structuredClone(saved);
    for (const entry of changed.entries) entry.hints = { ...entry.hints, [name]: value };
    const copy = new OutputLengths();
    expect(copy.load(changed), name).toBe(false);
    expect(copy.save(), name).toEqual(new OutputLengths().save());
  }
});

test('answers of a single token are learned, and what is no number of tokens is not', () => {
  const lengths = new OutputLengths();
  for (let i = 0; i < 200; i++) lengths.observe(query(), 1, false);
  expect(lengths.expect(query()).p50).toBeLessThan(2);
  const before = lengths.save();
  for (const tokens of [0, -1, NaN, Infinity]) lengths.observe(query(), tokens, false);
  expect(lengths.save()).toEqual(before);
});
