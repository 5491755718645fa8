import { expect, test } from 'vitest';
import { DRAWN_KINDS, drawnKindOf, FaultDraw, parseDrawnKinds, parseFault } from './faults.ts';
import type { DrawnKind } from './faults.ts';

const drawn = (draw: FaultDraw, completions: number): readonly (DrawnKind | undefined)[] =>
  Array.from({ length: completions }, () => {
    const fault = draw.next();
    return fault === undefined ? undefined : drawnKindOf(fault);
  });

test('a draw is the same for the same seed, and another one for another', () => {
  const first = drawn(new FaultDraw(10, 7), 1_000);
  expect(drawn(new FaultDraw(10, 7), 1_000)).toEqual(first);
  expect(drawn(new FaultDraw(10, 8), 1_000)).not.toEqual(first);
});

test('about the share asked for is hit, and every kind as often as any other', () => {
  const hit = drawn(new FaultDraw(11, 3), 10_000).filter((kind) => kind !== undefined);
  expect(hit.length).toBeGreaterThan(900);
  expect(hit.length).toBeLessThan(1_300);
  const counts = DRAWN_KINDS.map((kind) => hit.filter((each) => each === kind).length);
  expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
});

test('only the kinds asked for are drawn', () => {
  const kinds = parseDrawnKinds('exit-137,http-418,cut');
  const hit = drawn(new FaultDraw(100, 1, kinds), 30);
  expect(new Set(hit)).toEqual(new Set(kinds));
});

test('what is no kind is refused by its name', () => {
  expect(() => parseDrawnKinds('cut,exit')).toThrow('exit');
  expect(() => parseDrawnKinds('')).toThrow(TypeError);
});

test('a fault has the fields of its kind, whether it was given or drawn', () => {
  expect(parseFault({ kind: 'slow-first' })).toEqual({ kind: 'slow-first', ms: 0 });
  expect(parseFault({ kind: 'cut' })).toEqual({ kind: 'cut', after_tokens: 0 });
  expect(parseFault({ kind: 'http', status: 418 })).toEqual({ kind: 'http', status: 418 });
  expect(() => parseFault({ kind: 'toString' })).toThrow(TypeError);
  expect(() => parseFault(null)).toThrow(TypeError);
  const slow = new FaultDraw(100, 1, ['slow-first']).next();
  expect(slow).toEqual({ kind: 'slow-first', ms: expect.any(Number) as number });
});
