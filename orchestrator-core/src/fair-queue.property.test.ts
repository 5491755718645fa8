import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { WaitingTask } from './fair-queue.ts';
import { FairQueue } from './fair-queue.ts';
import type { Arrival } from './testing/slot-server.ts';
import { flowId, SlotServer } from './testing/slot-server.ts';
import type { Priority } from './types.ts';
import { PRIORITIES } from './types.ts';

const TENANTS = ['a', 'b', 'c'];
const LANES = ['', 'x', 'y'];

/** A failure is reported in time, if not in its smallest form. */
const LIMIT = { interruptAfterTimeLimit: 20_000 };

const tenantId = fc.constantFrom(...TENANTS);
const priority = fc.constantFrom<Priority[]>(...PRIORITIES);
const cost = fc.integer({ min: 1, max: 400 });

const options = fc.record({
  slots: fc.integer({ min: 1, max: 6 }),
  windowCost: fc.constantFrom(0, 50, 1_000),
  creditCost: fc.constantFrom(0, 0, 300),
  weights: fc.dictionary(
    fc.tuple(tenantId, priority).map(([tenant, p]) => flowId(tenant, p)),
    fc.constantFrom(0.5, 1, 2, 4, 7),
    { maxKeys: 6 },
  ),
  correctsWhileRunning: fc.boolean(),
});

type ServerOp =
  | { readonly kind: 'arrive'; readonly count: number; readonly arrival: Arrival }
  | { readonly kind: 'deliver'; readonly slot: number; readonly cost: number }
  | { readonly kind: 'withdraw'; readonly pick: number }
  | { readonly kind: 'tenant' | 'lane'; readonly id: string; readonly isOpen: boolean };

const serverOp: fc.Arbitrary<ServerOp> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('arrive'),
      count: fc.integer({ min: 1, max: 6 }),
      arrival: fc.record({
        tenantId,
        priority,
        lane: fc.constantFrom('', '', ...LANES),
        predicted: cost,
        true: cost,
        urgencyMs: fc.integer({ min: 0, max: 50 }),
      }),
    }),
  },
  {
    weight: 14,
    arbitrary: fc.record({ kind: fc.constant('deliver'), slot: fc.nat(5), cost }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('withdraw'), pick: fc.nat(20) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('tenant'), id: tenantId, isOpen: fc.boolean() }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('lane'),
      id: fc.constantFrom(...LANES),
      isOpen: fc.boolean(),
    }),
  },
);

function runOp(server: SlotServer, op: ServerOp): void {
  switch (op.kind) {
    case 'arrive':
      for (let i = 0; i < op.count; i += 1) server.arrive(op.arrival);
      break;
    case 'deliver':
      server.deliver(op.slot, op.cost);
      break;
    case 'withdraw':
      server.withdraw(op.pick);
      break;
    case 'tenant':
    case 'lane': {
      const closed = op.kind === 'tenant' ? server.blockedTenants : server.closedLanes;
      if (op.isOpen) closed.delete(op.id);
      else closed.add(op.id);
    }
  }
  server.dispatchAll();
}

/** Opens everything and serves until nothing is left; throws when that never comes. */
function settle(server: SlotServer): void {
  server.blockedTenants.clear();
  server.closedLanes.clear();
  server.dispatchAll();
  for (let left = server.queue.size + server.runningCount; left > 0; left -= 1) {
    server.deliver(0, Infinity);
    server.dispatchAll();
  }
}

test('OC-CORE-1050 OC-CORE-1053 no flow gets more than the bound ahead of one that stays eligible', () => {
  fc.assert(
    fc.property(options, fc.array(serverOp, { maxLength: 300, size: 'max' }), (opts, ops) => {
      const server = new SlotServer(opts);
      for (const op of ops) runOp(server, op);
      settle(server);
      expect(server.queue.size).toBe(0);
      expect(server.runningCount).toBe(0);
    }),
    { numRuns: 150, ...LIMIT },
  );
});

test('OC-CORE-1050 the bound holds while every flow stays backlogged', () => {
  const arrivals = fc.array(fc.record({ predicted: cost, true: cost }), {
    minLength: 8,
    maxLength: 8,
  });
  fc.assert(
    fc.property(
      options,
      arrivals,
      fc.array(fc.tuple(fc.nat(5), cost), { minLength: 200, maxLength: 400 }),
      (opts, costs, deliveries) => {
        const server = new SlotServer(opts);
        const refill = () => {
          TENANTS.forEach((tenant, index) => {
            while (server.queue.sizeOfTenant(tenant) < 2) {
              // Each tenant errs in its own way, always the same one: errors must not add up.
              const { predicted, true: trueCost } = costs[index]!;
              server.arrive({ tenantId: tenant, predicted, true: trueCost });
            }
          });
        };
        refill();
        for (const [slot, amount] of deliveries) {
          server.deliver(slot, amount);
          refill();
          server.dispatchAll();
        }
      },
    ),
    { numRuns: 100, ...LIMIT },
  );
});

interface Model {
  waiting: WaitingTask[];
  taken: WaitingTask[];
  nextSeq: number;
}

const byUrgency = (a: WaitingTask, b: WaitingTask) => a.urgencyMs - b.urgencyMs || a.seq - b.seq;
const flowOf = (task: WaitingTask) => flowId(task.tenantId, task.priority);
const sumOf = (tasks: readonly WaitingTask[]) => ({
  tasks: tasks.length,
  workMs: tasks.reduce((sum, task) => sum + task.workMs, 0),
});

/** The order that `candidates` promises, from the virtual times that the queue itself reports. */
function inOrder(
  model: Model,
  queue: FairQueue,
  windowCost: number,
  open: string[],
  may: string[],
) {
  const eligible = model.waiting.filter((t) => open.includes(t.lane) && may.includes(t.tenantId));
  const timeOf = (task: WaitingTask) => queue.virtualTime(task.tenantId, task.priority)!;
  const edge = Math.min(...eligible.map(timeOf)) + windowCost;
  const within = eligible.filter((task) => timeOf(task) <= edge).sort(byUrgency);
  const beyond = eligible.filter((task) => timeOf(task) > edge);
  return { within, beyond, timeOf };
}

type QueueCommand = fc.Command<Model, FairQueue>;

class Arrive implements QueueCommand {
  readonly #fields: Pick<WaitingTask, 'tenantId' | 'priority' | 'lane' | 'urgencyMs' | 'cost'>;
  constructor(fields: Pick<WaitingTask, 'tenantId' | 'priority' | 'lane' | 'urgencyMs' | 'cost'>) {
    this.#fields = fields;
  }
  check = () => true;
  run(model: Model, queue: FairQueue): void {
    const seq = model.nextSeq++;
    const task = { ...this.#fields, taskId: `t${seq}`, seq, workMs: this.#fields.cost };
    const ahead = queue.aheadOfArrival(task.tenantId, task.priority, task.urgencyMs, task.cost);
    queue.push(task);
    expect(queue.ahead(task.taskId)).toEqual(ahead);
    model.waiting.push(task);
    expect(() => queue.push(task)).toThrow('waits already');
  }
  toString = () => `arrive(${JSON.stringify(this.#fields)})`;
}

class Take implements QueueCommand {
  readonly #windowCost: number;
  readonly #limit: number;
  readonly #open: string[];
  readonly #may: string[];
  constructor(windowCost: number, limit: number, open: string[], may: string[]) {
    this.#windowCost = windowCost;
    this.#limit = limit;
    this.#open = open;
    this.#may = may;
  }
  check = () => true;
  run(model: Model, queue: FairQueue): void {
    const { within, beyond, timeOf } = inOrder(
      model,
      queue,
      this.#windowCost,
      this.#open,
      this.#may,
    );
    const offered = queue.candidates(
      this.#limit,
      (lane) => this.#open.includes(lane),
      (tenant) => this.#may.includes(tenant),
    );
    expect(offered.length).toBe(Math.min(this.#limit, within.length + beyond.length));
    expect(offered.slice(0, within.length)).toEqual(within.slice(0, this.#limit));
    const rest = offered.slice(within.length);
    expect(rest.map(timeOf)).toEqual(
      beyond
        .map(timeOf)
        .sort((a, b) => a - b)
        .slice(0, rest.length),
    );
    rest.slice(1).forEach((task, index) => {
      if (flowOf(task) === flowOf(rest[index]!))
        expect(byUrgency(rest[index]!, task)).toBeLessThan(0);
    });
    const [next] = offered;
    if (next === undefined) return;
    expect(queue.dispatch(next.taskId)).toBe(next);
    model.waiting = model.waiting.filter((task) => task !== next);
    model.taken.push(next);
  }
  toString = () => `take(${this.#limit}, lanes ${this.#open.join()}, tenants ${this.#may.join()})`;
}

class Return implements QueueCommand {
  readonly #pick: number;
  readonly #lane: string;
  constructor(pick: number, lane: string) {
    this.#pick = pick;
    this.#lane = lane;
  }
  check = (model: Readonly<Model>) => model.taken.length > 0;
  run(model: Model, queue: FairQueue): void {
    const [task] = model.taken.splice(this.#pick % model.taken.length, 1);
    const back = { ...task!, lane: this.#lane };
    queue.push(back);
    model.waiting.push(back);
  }
  toString = () => `return(${this.#pick}, ${this.#lane})`;
}

class Correct implements QueueCommand {
  readonly #pick: number;
  readonly #cost: number;
  constructor(pick: number, correction: number) {
    this.#pick = pick;
    this.#cost = correction;
  }
  check = (model: Readonly<Model>) => model.taken.length > 0;
  run(model: Model, queue: FairQueue): void {
    const task = model.taken[this.#pick % model.taken.length]!;
    queue.charge(task.tenantId, task.priority, Math.max(this.#cost, -task.cost));
  }
  toString = () => `correct(${this.#pick}, ${this.#cost})`;
}

class Remove implements QueueCommand {
  readonly #pick: number;
  constructor(pick: number) {
    this.#pick = pick;
  }
  check = () => true;
  run(model: Model, queue: FairQueue): void {
    const task = model.waiting[this.#pick];
    expect(queue.remove(task?.taskId ?? 'stranger')).toBe(task);
    expect(queue.dispatch(task?.taskId ?? 'stranger')).toBeUndefined();
    model.waiting = model.waiting.filter((other) => other !== task);
  }
  toString = () => `remove(${this.#pick})`;
}

class Look implements QueueCommand {
  check = () => true;
  run({ waiting }: Model, queue: FairQueue): void {
    const arrivals = waiting.toSorted((a, b) => a.seq - b.seq);
    expect(queue.size).toBe(waiting.length);
    expect(queue.inArrivalOrder()).toEqual(arrivals);
    expect(queue.lanes()).toEqual([...new Set(waiting.map((task) => task.lane))].sort());
    for (const lane of [...LANES, 'none']) {
      const head = queue.headOf(lane);
      expect(head?.lane).toBe(waiting.find((task) => task.lane === lane)?.lane);
    }
    for (const p of PRIORITIES) {
      const members = arrivals.filter((task) => task.priority === p);
      expect(queue.sizeOf(p)).toBe(members.length);
      expect(queue.oldest(p)).toBe(members[0]);
      expect(queue.newest(p)).toBe(members.at(-1));
    }
    for (const tenant of TENANTS) {
      const members = waiting.filter((task) => task.tenantId === tenant);
      expect(queue.sizeOfTenant(tenant)).toBe(members.length);
    }
    for (const task of waiting) {
      expect(queue.get(task.taskId)).toBe(task);
      const own = waiting.filter((t) => flowOf(t) === flowOf(task) && byUrgency(t, task) < 0);
      const others = waiting.filter((t) => flowOf(t) !== flowOf(task));
      const ahead = queue.ahead(task.taskId)!;
      expect(ahead.tasks).toBeGreaterThanOrEqual(sumOf(own).tasks);
      expect(ahead.tasks).toBeLessThanOrEqual(sumOf(own).tasks + sumOf(others).tasks);
      if (others.length === 0) expect(ahead).toEqual(sumOf(own));
    }
    expect(queue.ahead('stranger')).toBeUndefined();
    expect(queue.get('stranger')).toBeUndefined();
  }
  toString = () => 'look';
}

test('OC-CORE-1003 OC-CORE-1004 OC-CORE-1052 the queue agrees with a plain array', () => {
  const commandsFor = (windowCost: number) =>
    fc.commands(
      [
        fc
          .record({
            tenantId,
            priority,
            lane: fc.constantFrom(...LANES),
            urgencyMs: fc.nat(20),
            cost: fc.integer({ min: 1, max: 100 }),
          })
          .map((fields) => new Arrive(fields)),
        fc
          .tuple(fc.integer({ min: 0, max: 12 }), fc.subarray(LANES), fc.subarray(TENANTS))
          .map(([limit, open, may]) => new Take(windowCost, limit, open, may)),
        fc.constant(new Take(windowCost, 1, LANES, TENANTS)),
        fc
          .tuple(fc.nat(50), fc.constantFrom(...LANES))
          .map(([pick, lane]) => new Return(pick, lane)),
        fc
          .tuple(fc.nat(50), fc.integer({ min: -100, max: 100 }))
          .map(([pick, correction]) => new Correct(pick, correction)),
        fc.nat(20).map((pick) => new Remove(pick)),
        fc.constant(new Look()),
      ],
      { maxCommands: 150, size: '+1' },
    );
  const cases = fc
    .constantFrom(0, 60, 1e6)
    .chain((windowCost) => fc.tuple(fc.constant(windowCost), commandsFor(windowCost)));
  fc.assert(
    fc.property(cases, ([windowCost, steps]) => {
      const model: Model = { waiting: [], taken: [], nextSeq: 1 };
      const real = new FairQueue({ windowCost, weightOf: (tenant) => TENANTS.indexOf(tenant) + 1 });
      fc.modelRun(() => ({ model, real }), [...steps, new Look()]);
    }),
    LIMIT,
  );
});

test('OC-CORE-1050 weights that change at any moment leave the queue sound', () => {
  const step = fc.record({
    tenantId,
    cost,
    weight: fc.constantFrom(0.01, 1, 100),
    take: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200, size: 'max' }), (steps) => {
      const weights = new Map<string, number>();
      const queue = new FairQueue({ windowCost: 10, weightOf: (t) => weights.get(t) ?? 1 });
      let taken = 0;
      const takeOne = () => {
        const [next] = queue.candidates(
          1,
          () => true,
          () => true,
        );
        if (next === undefined) return;
        queue.dispatch(next.taskId);
        taken += 1;
      };
      steps.forEach((s, seq) => {
        weights.set(s.tenantId, s.weight);
        const rest = { priority: 'batch' as const, lane: '', urgencyMs: seq, workMs: 1 };
        queue.push({ ...rest, taskId: `t${seq}`, seq, tenantId: s.tenantId, cost: s.cost });
        if (s.take) takeOne();
        queue.charge(s.tenantId, 'batch', -s.cost / 2);
      });
      for (let left = queue.size; left > 0; left -= 1) takeOne();
      expect(taken).toBe(steps.length);
      expect(queue.flowCount).toBeLessThanOrEqual(TENANTS.length);
    }),
  );
});
