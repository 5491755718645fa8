import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  A100_8B,
  decodeStepsWithin,
  decodeStretchMs,
  H100_8B,
  idlePrefillMs,
  iterationMs,
} from './iteration-time.ts';

test('a step of one decode costs the weight read, the host and its context', () => {
  // 10.3 + 0.027 + 1.15 + 0.0044 + 1000 · 0.000125
  expect(iterationMs(A100_8B, 1, 1, 1000, 0)).toBeCloseTo(11.6064, 9);
});

test('a full prefill step is bound by compute and pays for its attention', () => {
  // 2 + 0.0668 · 2048 + 1.15 + 3.36e-6 · 2048 · 1024
  expect(iterationMs(A100_8B, 2048, 0, 0, 2048 * 1024)).toBeCloseTo(147.00283072, 8);
  // 1 + 0.0216 · 2048 + 1.15 + 1.06e-6 · 2048 · 1024
  expect(iterationMs(H100_8B, 2048, 0, 0, 2048 * 1024)).toBeCloseTo(48.60978112, 8);
});

test('a prompt of two and a half steps takes three of them, later ones with more attention', () => {
  const full = (context: number) => 2 + 0.0668 * 2048 + 1.15 + 3.36e-6 * 2048 * (context + 1024);
  const half = 2 + 0.0668 * 1024 + 1.15 + 3.36e-6 * 1024 * (4096 + 512);
  expect(idlePrefillMs(A100_8B, 5120, 0, 2048)).toBeCloseTo(full(0) + full(2048) + half, 9);
});

const stretches = fc.record({
  decodes: fc.integer({ min: 1, max: 400 }),
  context: fc.integer({ min: 1, max: 400_000 }),
  steps: fc.integer({ min: 1, max: 500 }),
});

test('decode-only steps in closed form take as long as one after the other', () => {
  fc.assert(
    fc.property(stretches, ({ decodes, context, steps }) => {
      let oneByOne = 0;
      for (let step = 0; step < steps; step += 1) {
        oneByOne += iterationMs(A100_8B, decodes, decodes, context + step * decodes, 0);
      }
      expect(decodeStretchMs(A100_8B, decodes, context, steps)).toBeCloseTo(oneByOne, 6);
    }),
  );
});

test('the steps within a time are those whose stretch is not longer', () => {
  fc.assert(
    fc.property(stretches, fc.double({ min: 0, max: 50_000, noNaN: true }), (stretch, ms) => {
      const { decodes, context } = stretch;
      const steps = decodeStepsWithin(A100_8B, decodes, context, ms);
      expect(decodeStretchMs(A100_8B, decodes, context, steps)).toBeLessThanOrEqual(ms);
      expect(decodeStretchMs(A100_8B, decodes, context, steps + 1)).toBeGreaterThan(ms);
    }),
  );
});
