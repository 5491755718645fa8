import fc from 'fast-check';
import { expect, test } from 'vitest';
import { KeyedHeap } from './keyed-heap.ts';

test('items leave by key, equals in the order they came', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(20)), (keys) => {
      const heap = new KeyedHeap<number>();
      for (const [order, key] of keys.entries()) heap.push(key, order);
      const left = [];
      while (heap.size > 0) {
        const key = heap.leastKey;
        left.push({ key, order: heap.pop() });
      }
      const expected = keys
        .map((key, order) => ({ key, order }))
        .toSorted((a, b) => a.key - b.key || a.order - b.order);
      expect(left).toEqual(expected);
      expect(heap.leastKey).toBe(Infinity);
      expect(heap.pop()).toBeUndefined();
    }),
  );
});
