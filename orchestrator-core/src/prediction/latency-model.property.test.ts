import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LatencyModel, prefillWork } from './latency-model.ts';

/** Anything a bug or a broken clock could feed: huge, tiny, negative and not numbers at all. */
const wild = fc.oneof(
  fc.double(),
  fc.constantFrom(0, -1, NaN, Infinity, -Infinity, Number.MAX_VALUE, Number.MIN_VALUE),
  fc.integer({ min: 0, max: 200_000 }),
);
const sample = fc.record({ uncached: wild, cached: wild, decoding: wild, context: wild, ms: wild });
const sane = fc.record({
  uncached: fc.integer({ min: 1, max: 150_000 }),
  cached: fc.integer({ min: 0, max: 100_000 }),
  decoding: fc.integer({ min: 0, max: 256 }),
  context: fc.integer({ min: 0, max: 1_000_000 }),
  ms: fc.double({ min: 0, max: 1e6, noNaN: true }),
});
type Sample = typeof sane extends fc.Arbitrary<infer T> ? T : never;

function fed(samples: readonly Sample[]): LatencyModel {
  const model = new LatencyModel();
  for (const { uncached, cached, decoding, context, ms } of samples) {
    const load = { decoding, decodeContext: context, sinceTokenMs: ms };
    model.observePrefill(prefillWork(uncached, cached), load, ms);
    model.observeDecode(load, uncached, ms);
  }
  return model;
}

test('whatever is fed, every prediction is finite and not negative', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(sample, sane), { maxLength: 60 }), sample, (samples, query) => {
      const model = fed(samples);
      const load = { decoding: query.decoding, decodeContext: query.context };
      for (const ms of [
        model.prefillMs(prefillWork(query.uncached, query.cached), load),
        model.tokenMs(load),
        model.joinMs({ ...load, sinceTokenMs: query.ms }),
      ]) {
        expect(Number.isFinite(ms)).toBe(true);
        expect(ms).toBeGreaterThanOrEqual(0);
      }
    }),
  );
});

test('whatever was learned, more uncached tokens never take less time', () => {
  const more = fc.integer({ min: 1, max: 10_000 });
  fc.assert(
    fc.property(fc.array(sane, { maxLength: 60 }), sane, more, (samples, query, extra) => {
      const model = fed(samples);
      const { uncached, cached, decoding, context } = query;
      const load = { decoding, decodeContext: context };
      const shortMs = model.prefillMs(prefillWork(uncached, cached), load);
      const longMs = model.prefillMs(prefillWork(uncached + extra, cached), load);
      expect(longMs).toBeGreaterThanOrEqual(shortMs * (1 - 1e-9));
    }),
  );
});

test('saving and loading keeps whatever was learned', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(sample, sane), { maxLength: 60 }), (samples) => {
      const saved = fed(samples).save();
      const copy = new LatencyModel();
      copy.load(JSON.parse(JSON.stringify(saved)) as typeof saved);
      expect(copy.save()).toEqual(saved);
    }),
  );
});
