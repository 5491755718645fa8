import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ArrivalList } from './arrival-list.ts';

interface Item {
  readonly arrival: number;
}

test('lists what was pushed and not removed, newest first, from any place', () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('push' as const), gap: fc.integer({ min: 1, max: 5 }) }),
    fc.record({ kind: fc.constant('remove' as const), pick: fc.nat() }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 400, size: 'max' }), fc.nat(1000), (steps, below) => {
      const list = new ArrivalList<Item>();
      let model: Item[] = [];
      let arrival = 0;
      for (const each of steps) {
        if (each.kind === 'push') {
          arrival += each.gap;
          const item = { arrival };
          list.push(item);
          model.push(item);
          continue;
        }
        const gone = model[each.pick % Math.max(1, model.length)];
        if (gone === undefined) continue;
        list.remove(gone);
        list.remove(gone);
        model = model.filter((item) => item !== gone);
      }
      expect(list.size).toBe(model.length);
      expect([...list.newestFirst()]).toEqual(model.toReversed());
      expect([...list.newestFirst(below)]).toEqual(
        model.filter((item) => item.arrival < below).toReversed(),
      );
    }),
  );
});
