import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LatencyModel } from './prediction/latency-model.ts';
import { ReplicaLoad } from './replica-load.ts';

const news = fc.record({
  kind: fc.constantFrom('begin', 'begin', 'progress', 'end'),
  id: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
  promptTokens: fc.integer({ min: 1, max: 5_000 }),
  outputTokens: fc.integer({ min: 1, max: 2_000 }),
  afterMs: fc.nat(500),
  asked: fc.array(fc.nat(40_000), { maxLength: 4 }),
});

interface Sequence {
  readonly promptTokens: number;
  reserved: number;
  produced: number;
}

/** The rule in its plainest form, in tokens owed instead of time. */
function owedUntilFreed(sequences: Iterable<Sequence>, tokens: number): number {
  const ends = [...sequences]
    .map(({ promptTokens, reserved, produced }) => ({
      reserved,
      owed: Math.max(reserved - promptTokens - produced, produced / 2, 1),
    }))
    .sort((a, b) => a.owed - b.owed);
  let freed = 0;
  for (const { reserved, owed } of ends) {
    freed += reserved;
    if (freed >= tokens) return owed;
  }
  return Infinity;
}

test('KV is freed when enough of those that are expected to end first have ended, after any news', () => {
  fc.assert(
    fc.property(fc.array(news, { maxLength: 60 }), (all) => {
      const load = new ReplicaLoad(new LatencyModel());
      const sequences = new Map<string, Sequence>();
      let nowMs = 0;
      for (const { kind, id, promptTokens, outputTokens, afterMs, asked } of all) {
        nowMs += afterMs;
        const sequence = sequences.get(id);
        if (kind === 'begin' && sequence === undefined) {
          const prompt = { uncachedTokens: promptTokens, cachedTokens: 0 };
          load.begin(id, prompt, outputTokens, undefined, nowMs);
          sequences.set(id, { promptTokens, reserved: promptTokens + outputTokens, produced: 0 });
        }
        if (kind === 'progress' && sequence !== undefined) {
          sequence.produced = Math.max(sequence.produced, outputTokens);
          sequence.reserved = Math.max(
            sequence.reserved,
            sequence.promptTokens + sequence.produced,
          );
          load.progress(id, sequence.produced, nowMs);
        }
        if (kind === 'end') {
          load.end(id, nowMs);
          sequences.delete(id);
        }
        const noTokenYet = [...sequences.values()].filter(({ produced }) => produced === 0);
        expect(load.prefilling).toBe(noTokenYet.length);
        const reserved = [...sequences.values()].map((each) => each.reserved);
        expect(load.reservedTokens).toBe(reserved.reduce((sum, tokens) => sum + tokens, 0));
        const tokenMs = load.msUntilFreed(0, nowMs) / owedUntilFreed(sequences.values(), 0);
        for (const tokens of asked) {
          const owed = owedUntilFreed(sequences.values(), tokens);
          const expectedMs = owed === Infinity ? Infinity : owed * tokenMs;
          expect(load.msUntilFreed(tokens, nowMs)).toBeCloseTo(expectedMs, 6);
        }
      }
    }),
  );
});
