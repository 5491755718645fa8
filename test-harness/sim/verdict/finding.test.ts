import { expect, test } from 'vitest';
import { distance, isMet, type Finding } from './finding.ts';

function finding(overrides: Partial<Finding>): Finding {
  return {
    metric: '',
    setting: '',
    condition: 'as is',
    reached: 0,
    target: undefined,
    limit: undefined,
    beside: [],
    digits: 2,
    ...overrides,
  };
}

test.each([
  [{ atMost: 1.2 }, 1.2, true],
  [{ atMost: 1.2 }, 1.21, false],
  [{ atLeast: 0.95 }, 0.95, true],
  [{ atLeast: 0.95 }, 0.94, false],
  [{ from: 0.78, to: 0.82 }, 0.8, true],
  [{ from: 0.78, to: 0.82 }, 0.83, false],
  [{ atMost: 1 }, NaN, false],
  [undefined, 1, undefined],
])('with target %j the figure %s is met: %s', (target, reached, met) => {
  expect(isMet(finding({ target, reached }))).toBe(met);
});

test('distance is 0 at the limit and 1 at the target, whichever way is better', () => {
  const stretch = finding({ target: { atMost: 1.2 }, limit: 1 });
  expect([1, 1.2, 1.4].map((value) => distance(stretch, value))).toEqual([0, 1, expect.closeTo(2)]);
  const share = finding({ target: { atLeast: 0.9 }, limit: 1 });
  expect([1, 0.9, 0.8].map((value) => distance(share, value))).toEqual([
    0,
    expect.closeTo(1),
    expect.closeTo(2),
  ]);
  const range = finding({ target: { from: 0.5, to: 1 } });
  expect([0.75, 1, 0.5, 0.25].map((value) => distance(range, value))).toEqual([0, 1, 1, 2]);
});

test('without a limit, or beyond it, distance is the ratio to the target', () => {
  expect(distance(finding({ target: { atLeast: 2 } }), 4)).toBe(0.5);
  expect(distance(finding({ target: { atMost: 2 } }), 4)).toBe(2);
  expect(distance(finding({ target: { atMost: 2 }, limit: 3 }), 4)).toBe(2);
  expect(distance(finding({ target: { atMost: 0 }, limit: 0 }), 0)).toBe(0);
  expect(distance(finding({ target: { atMost: 0 }, limit: 0 }), 0.1)).toBe(Infinity);
  expect(distance(finding({}), 4)).toBeUndefined();
});
