import fc from 'fast-check';
import { expect, test } from 'vitest';

import { hasAtMostValues, nestsAtMost } from './json-size.ts';

const childrenOf = (value: unknown): unknown[] =>
  typeof value === 'object' && value !== null ? Object.values(value) : [];
const valuesIn = (value: unknown): number =>
  1 + childrenOf(value).reduce<number>((sum, child) => sum + valuesIn(child), 0);
const depthOf = (value: unknown): number =>
  typeof value === 'object' && value !== null
    ? 1 + Math.max(0, ...childrenOf(value).map(depthOf))
    : 0;

test('counting agrees with the recursive definition at the limit and below it', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => {
      const count = valuesIn(value);
      expect(hasAtMostValues(value, count)).toBe(true);
      expect(hasAtMostValues(value, count - 1)).toBe(false);
    }),
  );
});

test('depth agrees with the recursive definition at the limit and below it', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => {
      const depth = depthOf(value);
      expect(nestsAtMost(value, depth)).toBe(true);
      if (depth > 0) expect(nestsAtMost(value, depth - 1)).toBe(false);
    }),
  );
});
