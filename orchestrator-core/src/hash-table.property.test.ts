import fc from 'fast-check';
import { expect, test } from 'vitest';
import { HashTable } from './hash-table.ts';

const MAX_ENTRIES = 24;
/** Multiples of 2^26 differ only in the bits that decide little about the home cell: they pile up. */
const hashes = fc.oneof(
  fc.nat(60),
  fc.integer({ min: -12, max: 12 }).map((n) => n << 26),
  fc.integer(),
);

test('finds what was added and nothing that was removed, as a plain map does', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.boolean(), hashes), { maxLength: 300, size: 'max' }),
      (steps) => {
        const table = new HashTable(MAX_ENTRIES);
        const model = new Map<number, number>();
        const free = Array.from({ length: MAX_ENTRIES }, (_, entry) => entry);
        for (const [adds, hash] of steps) {
          const entry = model.get(hash);
          expect(table.find(hash)).toBe(entry ?? -1);
          if (adds && entry === undefined) {
            const next = free.pop();
            if (next === undefined) continue;
            table.add(hash, next);
            model.set(hash, next);
          } else if (!adds && entry !== undefined) {
            table.remove(entry);
            model.delete(hash);
            free.push(entry);
          }
          for (const [held, at] of model) expect(table.find(held)).toBe(at);
        }
      },
    ),
  );
});
