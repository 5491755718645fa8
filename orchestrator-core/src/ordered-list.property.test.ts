import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Ordering } from './ordered-list.ts';
import { OrderedList } from './ordered-list.ts';

interface Item {
  readonly key: number;
  readonly seq: number;
  readonly weight: number;
}

const ORDERING: Ordering<Item> = {
  key: (item) => item.key,
  seq: (item) => item.seq,
  weight: (item) => item.weight,
};
const compare = (a: Item, b: Item) => a.key - b.key || a.seq - b.seq;
const sum = (items: readonly Item[]) => items.reduce((total, { weight }) => total + weight, 0);

function expectSame(list: OrderedList<Item>, sorted: readonly Item[], at: Item): void {
  expect(list.size).toBe(sorted.length);
  expect(list.total).toBe(sum(sorted));
  expect(list.first()).toBe(sorted[0]);
  expect(list.last()).toBe(sorted.at(-1));
  const before = sorted.filter((item) => compare(item, at) < 0);
  expect(list.countBefore(at.key, at.seq)).toBe(before.length);
  expect(list.weightBefore(at.key, at.seq)).toBe(sum(before));
}

/** Bursts, so that chunks split and merge: each adds or takes out many neighbours at once. */
const bursts = fc.array(
  fc.record({
    kind: fc.constantFrom('add', 'add', 'add-descending', 'remove', 'remove-first', 'move'),
    key: fc.integer({ min: -3, max: 3 }),
    from: fc.nat(2_000),
    count: fc.integer({ min: 1, max: 600 }),
  }),
  { maxLength: 25 },
);

test('OC-CORE-1003 the list agrees with a plain sorted array', () => {
  fc.assert(
    fc.property(bursts, (steps) => {
      const list = new OrderedList(ORDERING);
      let sorted: Item[] = [];
      let nextSeq = 0;
      for (const { kind, key, from, count } of steps) {
        if (kind === 'add' || kind === 'add-descending') {
          for (let i = 0; i < count; i += 1) {
            const offset = kind === 'add' ? i : -i;
            const item = { key: key + Math.trunc(offset / 100), seq: nextSeq++, weight: i % 7 };
            list.insert(item);
            sorted.push(item);
          }
          sorted.sort(compare);
        } else {
          const start = kind === 'remove-first' ? 0 : from % (sorted.length + 1);
          const taken = sorted.splice(start, count);
          for (const item of taken) expect(list.remove(item)).toBe(item);
          for (const item of taken) expect(list.remove(item)).toBeUndefined();
          if (kind === 'move') {
            const moved = taken.map((item) => ({ ...item, key: key - item.key }));
            for (const item of moved) list.insert(item);
            sorted = [...sorted, ...moved].sort(compare);
          }
        }
        expectSame(list, sorted, { key, seq: from, weight: 0 });
        expectSame(list, sorted, sorted[from % sorted.length] ?? { key, seq: 0, weight: 0 });
      }
      expect([...list]).toEqual(sorted);
    }),
    { numRuns: 60 },
  );
});

test('a spread is everything when that is few enough, and else evenly spaced', () => {
  fc.assert(
    fc.property(fc.nat(2_000), fc.nat(2_500), fc.nat(300), (size, count, most) => {
      const list = new OrderedList(ORDERING);
      const items = Array.from({ length: size }, (_, seq) => ({ key: -seq, seq, weight: 1 }));
      for (const item of items) list.insert(item);
      const among = Math.min(size, count);
      const ranks = list.spread(count, most).map(({ seq }) => size - 1 - seq);
      expect(ranks.length).toBe(Math.min(among, most));
      const step = among / ranks.length;
      ranks.forEach((rank, index) => {
        expect(rank).toBeGreaterThanOrEqual(Math.floor(index * step));
        expect(rank).toBeLessThan((index + 1) * step);
      });
    }),
    { numRuns: 200 },
  );
});

test('an item that leaves comes back to its place', () => {
  const list = new OrderedList(ORDERING);
  const items = Array.from({ length: 1_000 }, (_, seq) => ({ key: 0, seq, weight: 1 }));
  for (const item of items) list.insert(item);
  for (const item of items.slice(0, 900)) list.remove(item);
  for (const item of [items[7]!, items[899]!]) list.insert(item);
  expect([...list].map(({ seq }) => seq).slice(0, 3)).toEqual([7, 899, 900]);
  expect(list.countBefore(0, 900)).toBe(2);
  expect(list.countBefore(Infinity, 0)).toBe(list.size);
});

test('inserting the same key and seq twice throws', () => {
  const list = new OrderedList(ORDERING);
  list.insert({ key: 1, seq: 1, weight: 0 });
  list.insert({ key: 1, seq: 2, weight: 0 });
  expect(() => list.insert({ key: 1, seq: 1, weight: 5 })).toThrow('(1, 1) is listed already');
  expect(list.size).toBe(2);
});

test('an emptied list weighs exactly nothing, whatever the rounding', () => {
  const list = new OrderedList(ORDERING);
  const items = [0.1, 0.2, 0.3, 1e9].map((weight, seq) => ({ key: 0, seq, weight }));
  for (const item of items) list.insert(item);
  for (const item of items) list.remove(item);
  expect(list.total).toBe(0);
  expect(list.weightBefore(Infinity, 0)).toBe(0);
});

test('a million items go in out of order, are counted, and come out', () => {
  const list = new OrderedList(ORDERING);
  const size = 1_000_000;
  // A fixed stride coprime to the size visits every number once, in a scattered order.
  const item = (i: number) => ({ key: (i * 611_953) % size, seq: i, weight: 1 });
  for (let i = 0; i < size; i += 1) list.insert(item(i));
  for (let i = 0; i < size; i += 5_000) {
    expect(list.countBefore(i, -1)).toBe(i);
    expect(list.weightBefore(i, -1)).toBe(i);
  }
  let found = 0;
  for (let i = 0; i < size; i += 1) if (list.remove(item(i)) !== undefined) found += 1;
  expect(found).toBe(size);
  expect(list.size).toBe(0);
});
