import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FairQueue, type WaitingTask } from './fair-queue.ts';
import { InFlight } from './in-flight.ts';
import { Driver } from './testing/fixtures.ts';
import type { Priority } from './types.ts';

const weights: Readonly<Record<string, number>> = { light: 1, heavy: 4 };
const weightOf = (tenantId: string): number => weights[tenantId] ?? 1;

test('OC-CORE-1080 a flow has too much with more than twice what all others of its class have', () => {
  const inFlight = new InFlight(weightOf);
  inFlight.set('g1', 'g', 'interactive', 100);
  inFlight.set('f1', 'f', 'interactive', 150);
  inFlight.set('f2', 'f', 'interactive', 49);
  expect(inFlight.hasTooMuch('f', 'interactive')).toBe(false);
  inFlight.set('f2', 'f', 'interactive', 51);
  expect(inFlight.hasTooMuch('f', 'interactive')).toBe(true);
  expect(inFlight.hasTooMuch('g', 'interactive')).toBe(false);
  inFlight.set('h1', 'h', 'interactive', 2);
  expect(inFlight.hasTooMuch('f', 'interactive')).toBe(false);
  inFlight.end('h1');
  inFlight.end('f1');
  expect(inFlight.hasTooMuch('f', 'interactive')).toBe(false);
});

test('OC-CORE-1080 one task is never too much, and several are while nobody else has any', () => {
  const inFlight = new InFlight(weightOf);
  inFlight.set('f1', 'f', 'interactive', 1_000);
  expect(inFlight.hasTooMuch('f', 'interactive')).toBe(false);
  inFlight.set('f2', 'f', 'interactive', 1);
  expect(inFlight.hasTooMuch('f', 'interactive')).toBe(true);
});

test('OC-CORE-1080 what is too much goes by weight, and by class', () => {
  const inFlight = new InFlight(weightOf);
  for (const n of [1, 2]) {
    inFlight.set(`h${n}`, 'heavy', 'interactive', 350);
    inFlight.set(`b${n}`, 'light', 'batch', 350);
  }
  inFlight.set('l', 'light', 'interactive', 100);
  expect(inFlight.hasTooMuch('heavy', 'interactive')).toBe(false);
  inFlight.set('h2', 'heavy', 'interactive', 451);
  expect(inFlight.hasTooMuch('heavy', 'interactive')).toBe(true);
  expect(inFlight.hasTooMuch('light', 'batch')).toBe(true);
  expect(inFlight.hasTooMuch('light', 'interactive')).toBe(false);
});

/** One replica with several slots, where whoever is more urgent goes first, whatever the shares. */
function pool(slots: number): Driver {
  const driver = new Driver({ tuning: { fairnessWindow: 1e9 } });
  driver.pool({ capacity: 1_000, idleMs: 1e6 });
  driver.replica('r', { slots });
  return driver;
}

/** Sends one and waits for its first token, so that the replica is open again. */
function begin(driver: Driver, taskId: string, tenantId: string): void {
  driver.admit(taskId, { tenantId });
  driver.nowMs += 20;
  driver.progress(taskId);
}

test('OC-CORE-1080 with much in flight a tenant gets no more while another could run instead', () => {
  const driver = pool(4);
  for (const n of [1, 2, 3, 4]) begin(driver, `f${n}`, 'f');
  driver.admit('f5', { tenantId: 'f' });
  driver.nowMs += 1;
  driver.admit('g1', { tenantId: 'g' });
  driver.finish('f1');
  expect(driver.started.at(-1)).toBe('g1');
});

test('OC-CORE-1080 OC-CORE-1010 alone it gets all there is', () => {
  const driver = pool(4);
  for (const n of [1, 2, 3, 4]) begin(driver, `f${n}`, 'f');
  driver.admit('f5', { tenantId: 'f' });
  driver.finish('f1');
  expect(driver.started.at(-1)).toBe('f5');
});

test('OC-CORE-1080 it does not yield to another class', () => {
  const driver = pool(4);
  for (const n of [1, 2, 3, 4]) begin(driver, `f${n}`, 'f');
  driver.admit('f5', { tenantId: 'f' });
  driver.admit('g1', { tenantId: 'g', priority: 'batch' });
  driver.finish('f1');
  expect(driver.started.at(-1)).toBe('f5');
});

type Move =
  | {
      readonly kind: 'arrive';
      readonly tenantId: string;
      readonly priority: Priority;
      readonly cost: number;
    }
  | { readonly kind: 'dispatch'; readonly trueCost: number }
  | { readonly kind: 'end'; readonly pick: number };

const cost = fc.integer({ min: 1, max: 2_000 });
const move: fc.Arbitrary<Move> = fc.oneof(
  fc.record({
    kind: fc.constant('arrive' as const),
    tenantId: fc.constantFrom('f', 'light', 'heavy'),
    priority: fc.constantFrom<Priority>('interactive', 'batch'),
    cost,
  }),
  fc.record({ kind: fc.constant('dispatch' as const), trueCost: cost }),
  fc.record({ kind: fc.constant('end' as const), pick: fc.nat() }),
);

test('OC-CORE-1080 nobody who has too much is served while another of the class waits who has not', () => {
  let yielded = 0;
  const window = fc.constantFrom(0, 100, 1e6);
  fc.assert(
    fc.property(fc.array(move, { minLength: 20, maxLength: 120 }), window, (moves, windowCost) => {
      const inFlight = new InFlight(weightOf);
      const hasTooMuch = ({ tenantId, priority }: Pick<WaitingTask, 'tenantId' | 'priority'>) =>
        inFlight.hasTooMuch(tenantId, priority);
      const queue = new FairQueue({
        windowCost,
        weightOf,
        hasTooMuch: (tenantId, priority) => inFlight.hasTooMuch(tenantId, priority),
      });
      const running: string[] = [];
      for (const [seq, each] of moves.entries()) {
        if (each.kind === 'arrive') {
          const { tenantId, priority } = each;
          const urgencyMs = seq;
          const taskId = String(seq);
          queue.push({
            taskId,
            seq,
            tenantId,
            priority,
            lane: '',
            urgencyMs,
            cost: each.cost,
            workMs: 1,
          });
        } else if (each.kind === 'dispatch') {
          const [next] = queue.candidates(
            1,
            () => true,
            () => true,
          );
          if (next === undefined) continue;
          const { taskId, tenantId, priority } = next;
          const sameClass = queue.inArrivalOrder().filter((other) => other.priority === priority);
          if (hasTooMuch(next)) expect(sameClass.filter((other) => !hasTooMuch(other))).toEqual([]);
          else if (sameClass.some(hasTooMuch)) yielded += 1;
          queue.dispatch(taskId);
          inFlight.set(taskId, tenantId, priority, each.trueCost);
          running.push(taskId);
        } else {
          const [taskId] = running.splice(each.pick % Math.max(1, running.length), 1);
          if (taskId !== undefined) inFlight.end(taskId);
        }
      }
    }),
  );
  expect(yielded).toBeGreaterThan(0);
});
