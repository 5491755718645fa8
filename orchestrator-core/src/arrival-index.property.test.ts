import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ArrivalIndex } from './arrival-index.ts';

const operations = fc.array(
  fc.record({ kind: fc.constantFrom('add', 'add', 'remove', 'count'), seq: fc.nat(120) }),
  { maxLength: 400 },
);

test('OC-CORE-1003 counting below a number agrees with a plain sorted list', () => {
  fc.assert(
    fc.property(operations, fc.boolean(), (steps, ascending) => {
      const index = new ArrivalIndex();
      let members: number[] = [];
      let next = 0;
      for (const step of steps) {
        const seq = ascending && step.kind === 'add' ? next++ : step.seq;
        if (step.kind === 'add' && !members.includes(seq)) {
          index.add(seq);
          members.push(seq);
        } else if (step.kind === 'remove' && members.includes(seq)) {
          index.remove(seq);
          members = members.filter((member) => member !== seq);
        }
        expect(index.countBelow(seq)).toBe(members.filter((member) => member < seq).length);
        expect(index.size).toBe(members.length);
      }
    }),
  );
});

test('a member returns to its place, also after the holes were cleared away', () => {
  const index = new ArrivalIndex();
  for (let seq = 0; seq < 200; seq += 1) index.add(seq);
  for (let seq = 0; seq < 150; seq += 1) index.remove(seq);
  index.add(7);
  index.add(149);
  index.add(200);
  expect(index.countBelow(149)).toBe(1);
  expect(index.countBelow(150)).toBe(2);
  expect(index.countBelow(1_000)).toBe(index.size);
});

test('adding a member twice or removing a stranger throws', () => {
  const index = new ArrivalIndex();
  index.add(1);
  index.add(2);
  expect(() => index.add(1)).toThrow('in the index already');
  index.remove(1);
  expect(() => index.remove(1)).toThrow('not in the index');
  expect(() => index.remove(9)).toThrow('not in the index');
});
