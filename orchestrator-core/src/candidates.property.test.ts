import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FairQueue, type WaitingTask } from './fair-queue.ts';
import {
  flowOf,
  naiveCandidates,
  turnsOf,
  type Conditions,
  type Turn,
} from './testing/naive-candidates.ts';
import { flowId } from './testing/slot-server.ts';
import { PRIORITIES, type Priority } from './types.ts';

const LANES = ['', 'x', 'y'];
/** A failure is reported in time, if not in its smallest form. */
const LIMIT = { interruptAfterTimeLimit: 20_000 };

const priority = fc.constantFrom<Priority[]>('interactive', 'interactive', 'interactive', 'batch');

type Op =
  | { readonly kind: 'arrive'; readonly fields: ArrivalFields }
  | { readonly kind: 'take'; readonly limit: number }
  | { readonly kind: 'leave'; readonly pick: number }
  | { readonly kind: 'correct'; readonly pick: number; readonly cost: number }
  | { readonly kind: 'block' | 'burden'; readonly tenant: number; readonly priority: Priority }
  | { readonly kind: 'lane'; readonly name: string };

type ArrivalFields = Pick<WaitingTask, 'priority' | 'lane' | 'urgencyMs' | 'cost'> & {
  readonly tenant: number;
};

const TENANTS = 40;
const tenant = fc.nat(TENANTS - 1);
const arrival = fc.record({
  tenant,
  priority,
  lane: fc.constantFrom('', '', ...LANES),
  urgencyMs: fc.nat(30),
  cost: fc.integer({ min: 1, max: 60 }),
});
const op: fc.Arbitrary<Op> = fc.oneof(
  { weight: 8, arbitrary: arrival.map((fields): Op => ({ kind: 'arrive', fields })) },
  {
    weight: 8,
    arbitrary: fc.constantFrom(1, 2, 5, 30).map((limit): Op => ({ kind: 'take', limit })),
  },
  { weight: 1, arbitrary: fc.nat().map((pick): Op => ({ kind: 'leave', pick })) },
  {
    weight: 2,
    arbitrary: fc
      .record({ pick: fc.nat(), cost: fc.integer({ min: -60, max: 20 }) })
      .map((fields): Op => ({ kind: 'correct', ...fields })),
  },
  {
    weight: 1,
    arbitrary: fc
      .record({ kind: fc.constantFrom('block', 'burden'), tenant, priority })
      .map((fields): Op => fields),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(...LANES).map((name): Op => ({ kind: 'lane', name })),
  },
);

/** A queue, and beside it what it was told. */
class World {
  readonly queue: FairQueue;
  readonly #conditions;
  readonly #waiting: WaitingTask[] = [];
  readonly #taken: WaitingTask[] = [];
  #seq = 0;

  constructor(windowCost: number, creditCost: number) {
    const tooMuch = new Set<string>();
    this.#conditions = {
      windowCost,
      openLanes: new Set(LANES),
      blockedTenants: new Set<string>(),
      tooMuch,
    };
    this.queue = new FairQueue({
      windowCost,
      creditCosts: { interactive: creditCost },
      weightOf: (tenantId) => 1 + (Number(tenantId) % 3),
      hasTooMuch: (tenantId, p) => tooMuch.has(flowId(tenantId, p)),
    });
  }

  run(operation: Op): void {
    const { blockedTenants, openLanes, tooMuch } = this.#conditions;
    switch (operation.kind) {
      case 'arrive':
        return this.#arrive(operation.fields);
      case 'take':
        return this.#take(operation.limit);
      case 'leave': {
        const [left] = this.#waiting.splice(operation.pick % (this.#waiting.length || 1), 1);
        this.queue.remove(left?.taskId ?? 'stranger');
        return;
      }
      case 'correct': {
        const task = this.#taken[operation.pick % (this.#taken.length || 1)];
        if (task !== undefined) this.queue.charge(task.tenantId, task.priority, operation.cost);
        return;
      }
      case 'block':
        return toggle(blockedTenants, `${operation.tenant}`);
      case 'burden':
        return toggle(tooMuch, flowId(`${operation.tenant}`, operation.priority));
      case 'lane':
        return toggle(openLanes, operation.name);
    }
  }

  #arrive({ tenant: number, ...fields }: ArrivalFields): void {
    const seq = this.#seq++;
    const task = { ...fields, taskId: `t${seq}`, seq, tenantId: `${number}`, workMs: 1 };
    this.queue.push(task);
    this.#waiting.push(task);
  }

  #take(limit: number): void {
    const { openLanes, blockedTenants } = this.#conditions;
    const { within, beyond, edge } = naiveCandidates(this.#waiting, this.queue, this.#conditions);
    const offered = this.queue.candidates(
      limit,
      (lane) => openLanes.has(lane),
      (tenantId) => !blockedTenants.has(tenantId),
    );
    expect(offered.slice(0, within.length)).toEqual(within.slice(0, limit));
    const rest = offered.slice(within.length);
    const turns = turnsByFlow(this.#waiting, this.queue, this.#conditions);
    expect(rest.map((task) => turns.get(flowOf(task)))).toEqual(
      beyond.slice(0, Math.max(0, limit - within.length)),
    );
    const [next] = offered;
    if (next === undefined) return;
    expect(this.queue.edge).toBe(edge);
    this.queue.dispatch(next.taskId);
    this.#waiting.splice(this.#waiting.indexOf(next), 1);
    this.#taken.push(next);
  }
}

function turnsByFlow(
  waiting: readonly WaitingTask[],
  queue: FairQueue,
  conditions: Conditions,
): ReadonlyMap<string, Turn> {
  const turns = turnsOf(waiting, queue, conditions);
  return new Map(turns.map(({ time, yields, tasks }) => [flowOf(tasks[0]!), { time, yields }]));
}

function toggle<T>(set: Set<T>, item: T): void {
  if (!set.delete(item)) set.add(item);
}

test('OC-CORE-1052 OC-CORE-1080 candidates come in the order of a plain sort, few flows in the window or many', () => {
  const worlds = fc.record({
    windowCost: fc.constantFrom(0, 32, 500),
    creditCost: fc.constantFrom(0, 100),
    /** So many flows wait at the start, all with the same virtual time. */
    crowd: fc.constantFrom(0, TENANTS),
    ops: fc.array(op, { maxLength: 150, size: 'max' }),
  });
  fc.assert(
    fc.property(worlds, ({ windowCost, creditCost, crowd, ops }) => {
      const world = new World(windowCost, creditCost);
      for (let number = 0; number < crowd; number += 1) {
        const fields = { tenant: number, lane: '', urgencyMs: (number * 7) % 30, cost: 20 };
        world.run({
          kind: 'arrive',
          fields: { ...fields, priority: PRIORITIES[Number(number % 5 === 0)]! },
        });
      }
      for (const each of ops) world.run(each);
    }),
    { numRuns: 200, ...LIMIT },
  );
});
