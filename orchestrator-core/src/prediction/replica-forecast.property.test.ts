import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LatencyModel } from './latency-model.ts';
import { ReplicaForecast } from './replica-forecast.ts';

const IDS = ['a', 'b', 'c', 'd'];

/** News in any order, also such as no engine sends. */
const news = fc.record({
  kind: fc.constantFrom('dispatched', 'firstToken', 'progress', 'ended'),
  id: fc.constantFrom(...IDS),
  uncached: fc.nat(50_000),
  cached: fc.nat(50_000),
  tokensOut: fc.nat(5_000),
  afterMs: fc.nat(5_000),
});

test('whatever is told in whatever order, forecasts are finite, not negative, and not less for longer prompts', () => {
  fc.assert(
    fc.property(fc.array(news, { maxLength: 80 }), (all) => {
      const forecast = new ReplicaForecast(new LatencyModel());
      const present = new Set<string>();
      let nowMs = 0;
      for (const { kind, id, uncached, cached, tokensOut, afterMs } of all) {
        nowMs += afterMs;
        if (kind === 'progress') forecast.progress(id, tokensOut, nowMs);
        if (kind === 'firstToken') forecast.firstToken(id, nowMs);
        if (kind === 'dispatched' && !present.has(id)) {
          forecast.dispatched(id, uncached, cached, nowMs);
          present.add(id);
        }
        if (kind === 'ended') {
          forecast.ended(id, nowMs);
          present.delete(id);
        }
        const shortMs = forecast.firstTokenMs(100, cached, nowMs);
        expect(shortMs).toBeGreaterThanOrEqual(0);
        expect(shortMs).toBeLessThan(Infinity);
        const longMs = forecast.firstTokenMs(5_000, cached, nowMs);
        expect(longMs).toBeGreaterThanOrEqual(shortMs * (1 - 1e-9));
      }
      for (const id of IDS) forecast.ended(id, nowMs);
      expect(forecast.load(nowMs)).toMatchObject({ decoding: 0, decodeContext: 0 });
      const idle = new ReplicaForecast(forecast.model);
      const endMs = forecast.firstTokenMs(1_000, 0, nowMs);
      expect(endMs).toBeCloseTo(idle.firstTokenMs(1_000, 0, nowMs), 6);
    }),
  );
});
