import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LineRing } from './line-ring.ts';

test('lines are found however the output was cut into pieces', () => {
  const line = fc.stringMatching(/^[a-z ]{0,12}[a-z]$/);
  fc.assert(
    fc.property(fc.array(line, { minLength: 1 }), fc.array(fc.nat()), (lines, cuts) => {
      const text = lines.map((each) => `${each}\n`).join('');
      const at = [0, ...cuts.map((cut) => cut % text.length).sort((a, b) => a - b), text.length];
      const ring = new LineRing(5, 100);
      const found = at.slice(1).flatMap((end, i) => ring.push(text.slice(at[i], end)));
      expect(found).toEqual(lines);
      expect(ring.lines().at(-1)).toBe(lines.at(-1));
    }),
  );
});

test('an endless line without an end keeps bounded memory', () => {
  const ring = new LineRing(2, 10);
  for (let piece = 0; piece < 1000; piece++) ring.push('0123456789');
  expect(ring.lines().at(-1)).toBe('0123456789');
});

test('empty lines do not push out what was said', () => {
  const ring = new LineRing(2, 10);
  ring.push('reason\n\n\n\n');
  expect(ring.lines().at(-1)).toBe('reason');
});
