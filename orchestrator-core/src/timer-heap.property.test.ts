import fc from 'fast-check';
import { expect, test } from 'vitest';
import { TimerHeap } from './timer-heap.ts';

const operations = fc.array(
  fc.record({
    kind: fc.constantFrom('set', 'set', 'set', 'cancel', 'take'),
    key: fc.constantFrom(...'abcdefghijklmnop'),
    dueMs: fc.nat(20),
  }),
  { maxLength: 300 },
);

test('entries come out by time, then key, and only when due', () => {
  fc.assert(
    fc.property(operations, (steps) => {
      const heap = new TimerHeap<number>();
      const model = new Map<string, number>();
      const first = () =>
        [...model].sort(([a, x], [b, y]) => x - y || (a < b ? -1 : 1))[0] ?? [undefined, Infinity];
      for (const { kind, key, dueMs } of steps) {
        if (kind === 'set') {
          heap.set(key, dueMs, dueMs);
          model.set(key, dueMs);
        } else if (kind === 'cancel') {
          heap.cancel(key);
          model.delete(key);
        } else {
          const [firstKey, firstDueMs] = first();
          const due = heap.takeDue(dueMs);
          expect(due?.key).toBe(firstDueMs <= dueMs ? firstKey : undefined);
          if (due !== undefined) model.delete(due.key);
        }
        expect(heap.peek()?.key).toBe(first()[0]);
        expect(heap.size).toBe(model.size);
      }
    }),
  );
});
