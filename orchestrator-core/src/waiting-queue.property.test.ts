import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Priority } from './types.ts';
import { PRIORITIES } from './types.ts';
import type { WaitingTask } from './waiting-queue.ts';
import { StrictPriorityQueue } from './waiting-queue.ts';

/** The queue as a plain array; every answer is a filter or a sort. */
interface Model {
  waiting: WaitingTask[];
  taken: WaitingTask[];
  nextSeq: number;
}

const SETS = ['s1', 's2'];
const rank = (task: WaitingTask) => PRIORITIES.indexOf(task.priority);
const inOrder = (model: Model) =>
  model.waiting.toSorted((a, b) => rank(a) - rank(b) || a.seq - b.seq);

type QueueCommand = fc.Command<Model, StrictPriorityQueue>;

class Arrive implements QueueCommand {
  readonly #priority: Priority;
  constructor(priority: Priority) {
    this.#priority = priority;
  }
  check = () => true;
  run(model: Model, queue: StrictPriorityQueue): void {
    const seq = model.nextSeq;
    const task = { taskId: `t${seq}`, seq, priority: this.#priority, pinnedSetId: undefined };
    const ahead = queue.aheadOfArrival(task.priority);
    queue.push(task);
    expect(queue.ahead(task.taskId)).toEqual(ahead);
    model.waiting.push(task);
    model.nextSeq += 1;
  }
  toString = () => `arrive(${this.#priority})`;
}

class TakeNext implements QueueCommand {
  readonly #open: readonly string[];
  constructor(open: readonly string[]) {
    this.#open = open;
  }
  check = () => true;
  run(model: Model, queue: StrictPriorityQueue): void {
    const fits = ({ pinnedSetId }: WaitingTask) =>
      pinnedSetId === undefined || this.#open.includes(pinnedSetId);
    const next = queue.next((setId) => this.#open.includes(setId));
    expect(next).toEqual(inOrder(model).find(fits));
    if (next === undefined) return;
    expect(queue.remove(next.taskId)).toBe(true);
    model.waiting = model.waiting.filter((task) => task.taskId !== next.taskId);
    model.taken.push(next);
  }
  toString = () => `next(${this.#open.join()})`;
}

class Return implements QueueCommand {
  readonly #pick: number;
  readonly #setId: string | undefined;
  constructor(pick: number, setId: string | undefined) {
    this.#pick = pick;
    this.#setId = setId;
  }
  check = (model: Readonly<Model>) => model.taken.length > 0;
  run(model: Model, queue: StrictPriorityQueue): void {
    const [task] = model.taken.splice(this.#pick % model.taken.length, 1);
    const back = { ...task!, pinnedSetId: this.#setId };
    queue.push(back);
    model.waiting.push(back);
    expect(() => queue.push(back)).toThrow('waits already');
  }
  toString = () => `return(${this.#pick}, ${this.#setId})`;
}

class Remove implements QueueCommand {
  readonly #pick: number;
  constructor(pick: number) {
    this.#pick = pick;
  }
  check = () => true;
  run(model: Model, queue: StrictPriorityQueue): void {
    const task = model.waiting[this.#pick];
    expect(queue.remove(task?.taskId ?? 'stranger')).toBe(task !== undefined);
    model.waiting = model.waiting.filter((other) => other !== task);
  }
  toString = () => `remove(${this.#pick})`;
}

class Look implements QueueCommand {
  check = () => true;
  run(model: Model, queue: StrictPriorityQueue): void {
    expect(queue.size).toBe(model.waiting.length);
    const order = inOrder(model);
    expect(queue.inOrder()).toEqual(order);
    for (const priority of PRIORITIES) {
      const members = order.filter((task) => task.priority === priority);
      expect(queue.sizeOf(priority)).toBe(members.length);
      expect(queue.oldest(priority)).toEqual(members[0]);
      expect(queue.newest(priority)).toEqual(members.at(-1));
    }
    order.forEach(({ taskId }, position) => {
      const ahead = queue.ahead(taskId)!;
      expect(ahead.interactive + ahead.batch).toBe(position);
    });
    expect(queue.ahead('stranger')).toBeUndefined();
    const pinned = order.map((task) => task.pinnedSetId).filter((setId) => setId !== undefined);
    expect(queue.pinnedSets()).toEqual([...new Set(pinned)].sort());
  }
  toString = () => 'look';
}

test('OC-CORE-1003 OC-CORE-1004 OC-CORE-1005 the queue agrees with a plain array', () => {
  const commands = fc.commands(
    [
      fc.constantFrom<Priority[]>('interactive', 'batch').map((p) => new Arrive(p)),
      fc.subarray(SETS).map((open) => new TakeNext(open)),
      fc
        .tuple(fc.nat(50), fc.constantFrom(undefined, ...SETS))
        .map(([pick, setId]) => new Return(pick, setId)),
      fc.nat(20).map((pick) => new Remove(pick)),
      fc.constant(new Look()),
    ],
    { maxCommands: 150, size: '+1' },
  );
  fc.assert(
    fc.property(commands, (steps) => {
      const model: Model = { waiting: [], taken: [], nextSeq: 1 };
      fc.modelRun(() => ({ model, real: new StrictPriorityQueue() }), [...steps, new Look()]);
    }),
  );
});
