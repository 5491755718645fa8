import fc from 'fast-check';
import { expect, test } from 'vitest';
import { WaitingBatch, type Arrived } from './waiting-batch.ts';

const POOLS = ['p', 'q'];

test('OC-METRICS-7120 it is told whether an older task waits, whoever came, left or returned', () => {
  const action = fc.record({
    act: fc.constantFrom('add', 'remove', 'return'),
    pool: fc.constantFrom(...POOLS),
    pick: fc.nat(),
  });
  fc.assert(
    fc.property(fc.array(action, { maxLength: 400 }), (actions) => {
      const waiting = new WaitingBatch<Arrived>();
      const model = new Set<Arrived>();
      const gone: Arrived[] = [];
      let arrival = 0;
      for (const { act, pool, pick } of actions) {
        if (act === 'add') {
          const task = { poolId: pool, arrival: (arrival += 1) };
          waiting.add(task);
          model.add(task);
        } else if (act === 'remove' && model.size > 0) {
          const task = [...model][pick % model.size]!;
          waiting.remove(task);
          model.delete(task);
          gone.push(task);
        } else if (act === 'return' && gone.length > 0) {
          const [task] = gone.splice(pick % gone.length, 1);
          waiting.addReturned(task!);
          model.add(task!);
        }
        for (const poolId of POOLS) {
          const oldest = Math.min(
            Infinity,
            ...[...model].filter((each) => each.poolId === poolId).map((each) => each.arrival),
          );
          for (const than of [pick % (arrival + 2), oldest, oldest + 1]) {
            expect(waiting.hasOlderThan({ poolId, arrival: than })).toBe(oldest < than);
          }
        }
      }
    }),
  );
});

test('when most of a long line has left, the oldest of those that stay is still known', () => {
  const waiting = new WaitingBatch<Arrived>();
  const tasks = Array.from({ length: 500 }, (_, arrival) => ({ poolId: 'p', arrival }));
  for (const task of tasks) waiting.add(task);
  const [first, ...others] = tasks;
  const staying = others.filter(({ arrival }) => arrival % 100 === 50);
  // The first one waits on, so that the others leave from the middle.
  for (const task of others) if (!staying.includes(task)) waiting.remove(task);
  for (const { arrival } of [first!, ...staying]) {
    expect(waiting.hasOlderThan({ poolId: 'p', arrival })).toBe(false);
    expect(waiting.hasOlderThan({ poolId: 'p', arrival: arrival + 1 })).toBe(true);
    waiting.remove(tasks[arrival]!);
  }
  expect(waiting.hasOlderThan({ poolId: 'p', arrival: Infinity })).toBe(false);
});
