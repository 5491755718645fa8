/**
 * Who waits in one pool and who is next. A flow is one tenant's tasks of one priority; flows share
 * the pool by weight, within the bound that virtual-time.ts derives, and inside the window in which
 * that bound leaves a choice, and within each flow, the most urgent task goes first.
 */
import { mergeFirst, OrderedList } from './ordered-list.ts';
import type { Priority } from './types.ts';
import { PRIORITIES } from './types.ts';
import type { Account } from './virtual-time.ts';
import { VirtualTimes } from './virtual-time.ts';

export interface WaitingTask {
  readonly taskId: string;
  /** Arrival number: unique, and kept when the task comes back after an attempt. */
  readonly seq: number;
  readonly tenantId: string;
  readonly priority: Priority;
  /** Tasks of one lane fit the same replicas; '' fits any. */
  readonly lane: string;
  /** Absolute time, ms. A finite one keeps later arrivals from overtaking the task for ever. */
  readonly urgencyMs: number;
  /** Predicted service in cost units (prompt + 2 x output tokens), above 0. */
  readonly cost: number;
  /** Predicted work, ms; only ever summed. */
  readonly workMs: number;
}

export interface FairQueueOptions {
  /** Cost per unit weight by which urgency may bend fairness. 0 means strict fair queueing. */
  readonly windowCost: number;
  /**
   * Cost per unit weight by which a flow of the class that comes back from idling may be behind those
   * that wait: a burst that it may have before them. 0, the default, banks nothing.
   */
  readonly creditCosts?: { readonly [P in Priority]?: number };
  /** Finite and above 0. May change between calls: later charges and corrections go by the new one. */
  readonly weightOf: (tenantId: string, priority: Priority) => number;
  /** Whether a flow has so much running that others of its class go first, whatever their turn; by default none has. */
  readonly hasTooMuch?: (tenantId: string, priority: Priority) => boolean;
}

/** What is dispatched before some task. */
export interface Ahead {
  readonly tasks: number;
  readonly workMs: number;
}

/** The tasks of one flow that fit the same replicas, by urgency and then arrival. */
interface Lane {
  readonly name: string;
  readonly tasks: OrderedList<WaitingTask>;
}

interface Flow extends Account {
  readonly tenantId: string;
  readonly priority: Priority;
  /** Those with someone waiting. */
  lanes: Lane[];
  size: number;
  /** Sums of `cost` and `workMs` over those waiting. */
  cost: number;
  workMs: number;
}

/**
 * Flows that are asked what they have before a task. Where there are more, so many stand for all: evenly
 * spread by virtual time, which is most of what decides how many of a flow's tasks go first.
 */
const MAX_ASKED = 128;

const byArrival = {
  key: (task: WaitingTask) => task.seq,
  seq: () => 0,
  weight: () => 0,
};
const byUrgency = {
  key: (task: WaitingTask) => task.urgencyMs,
  seq: (task: WaitingTask) => task.seq,
  weight: (task: WaitingTask) => task.workMs,
};

/** Push, remove, dispatch and charge are O(log n); nothing is kept of flows that owe nothing. */
export class FairQueue {
  readonly #options: FairQueueOptions;
  readonly #tasks = new Map<string, WaitingTask>();
  readonly #arrivals: { readonly [P in Priority]: OrderedList<WaitingTask> } = {
    interactive: new OrderedList(byArrival),
    batch: new OrderedList(byArrival),
  };
  readonly #flows: { readonly [P in Priority]: Map<string, Flow> } = {
    interactive: new Map(),
    batch: new Map(),
  };
  readonly #times: VirtualTimes<Flow>;
  /** The lanes of all flows by name; none of them is empty. */
  readonly #lanes = new Map<string, Set<Lane>>();
  #nextFlow = 0;
  #edge = Infinity;
  #yielding: ReadonlyMap<Flow, Flow> = new Map();

  /** @throws RangeError when window or credit is not a finite number from 0 up */
  constructor(options: FairQueueOptions) {
    const { windowCost, creditCosts = {} } = options;
    const credits = PRIORITIES.map((priority) => creditCosts[priority] ?? 0);
    for (const cost of [windowCost, ...credits]) {
      if (!(cost >= 0 && cost < Infinity)) throw new RangeError(`window or credit ${cost}`);
    }
    this.#options = options;
    this.#times = new VirtualTimes(windowCost, Math.max(...credits), ({ tenantId, priority }) => {
      this.#flows[priority].delete(tenantId);
    });
  }

  get size(): number {
    return this.#tasks.size;
  }

  /** Flows in memory: those with someone waiting, and those that had more than their share of late. */
  get flowCount(): number {
    return this.#flows.interactive.size + this.#flows.batch.size;
  }

  sizeOf(priority: Priority): number {
    return this.#arrivals[priority].size;
  }

  sizeOfTenant(tenantId: string): number {
    return PRIORITIES.reduce((sum, p) => sum + (this.#flows[p].get(tenantId)?.size ?? 0), 0);
  }

  get(taskId: string): WaitingTask | undefined {
    return this.#tasks.get(taskId);
  }

  /**
   * A task that comes back takes the place that its urgency and first arrival give it.
   *
   * @throws Error when the task waits already; RangeError when cost or urgency is no usable number
   */
  push(task: WaitingTask): void {
    if (this.#tasks.has(task.taskId)) throw new Error(`task ${task.taskId} waits already`);
    if (!(task.cost > 0) || task.cost === Infinity || Number.isNaN(task.urgencyMs)) {
      throw new RangeError(`task ${task.taskId}: cost ${task.cost}, urgency ${task.urgencyMs}`);
    }
    this.#arrivals[task.priority].insert(task);
    this.#tasks.set(task.taskId, task);
    const flow = this.#flowOf(task.tenantId, task.priority);
    const lane =
      flow.lanes.find(({ name }) => name === task.lane) ?? this.#addLane(flow, task.lane);
    lane.tasks.insert(task);
    flow.size += 1;
    flow.cost += task.cost;
    flow.workMs += task.workMs;
    if (!flow.isWaiting) this.#times.setWaiting(flow, true, this.#creditOf(task.priority));
  }

  /** Takes a task out without having run it. */
  remove(taskId: string): WaitingTask | undefined {
    const task = this.#tasks.get(taskId);
    if (task === undefined) return undefined;
    this.#tasks.delete(taskId);
    this.#arrivals[task.priority].remove(task);
    const flow = this.#flowOf(task.tenantId, task.priority);
    const lane = flow.lanes.find(({ name }) => name === task.lane);
    lane?.tasks.remove(task);
    if (lane?.tasks.size === 0) this.#dropLane(flow, lane);
    flow.size -= 1;
    flow.cost = flow.size === 0 ? 0 : flow.cost - task.cost;
    flow.workMs = flow.size === 0 ? 0 : flow.workMs - task.workMs;
    if (flow.size === 0) this.#times.setWaiting(flow, false);
    return task;
  }

  /**
   * Takes out a task that begins to run, and charges its flow the predicted cost. The fairness bound
   * holds when it is one of `candidates`, and those passed over for it fit no replica right now.
   */
  dispatch(taskId: string): WaitingTask | undefined {
    const task = this.#tasks.get(taskId);
    if (task === undefined) return undefined;
    const flow = this.#flowOf(task.tenantId, task.priority);
    this.#times.serve(flow, task.cost / this.#weightOf(flow));
    return this.remove(taskId);
  }

  /**
   * Corrects what a flow was charged at dispatch, up or down, in cost units; over all, a task must
   * come to what it truly received. The flow need have nothing waiting.
   *
   * @throws RangeError when the cost is not finite
   */
  charge(tenantId: string, priority: Priority, cost: number): void {
    if (!Number.isFinite(cost)) throw new RangeError(`charge ${cost} to tenant ${tenantId}`);
    const flow = this.#flowOf(tenantId, priority);
    this.#times.charge(flow, cost / this.#weightOf(flow));
  }

  /**
   * Up to `limit` tasks in the order in which they may be dispatched at this moment: those of the
   * flows within the window by urgency, then flow after flow by virtual time. `isOpen` tells whether
   * some replica could take a task of a lane, `mayRun` whether a tenant may have one more running.
   * Empty only when nothing eligible waits.
   */
  candidates(
    limit: number,
    isOpen: (lane: string) => boolean,
    mayRun: (tenantId: string) => boolean,
  ): readonly WaitingTask[] {
    const open = new Set([...this.#lanes.keys()].filter(isOpen));
    if (open.size === 0 || limit <= 0) return [];
    const { flows, yielding, least } = this.#eligible(limit, open, mayRun);
    const edge = least + this.#options.windowCost;
    this.#edge = edge;
    this.#yielding = yielding;
    const within: OrderedList<WaitingTask>[] = [];
    const beyond: Flow[] = [];
    for (const flow of flows) {
      if (this.#times.timeOf(flow) > edge) beyond.push(flow);
      else addOpenLanes(flow, open, within);
    }
    const tasks = mergeFirst(within, limit);
    for (const [flow] of this.#inTurn(beyond, yielding)) {
      if (tasks.length >= limit) break;
      const lanes: OrderedList<WaitingTask>[] = [];
      addOpenLanes(flow, open, lanes);
      tasks.push(...mergeFirst(lanes, limit - tasks.length));
    }
    return tasks;
  }

  /** Virtual time up to which `candidates` last took flows to be within the window. */
  get edge(): number {
    return this.#edge;
  }

  /** Flows that `candidates` last took to have too much running, and put behind others. */
  yielding(): readonly Pick<Flow, 'tenantId' | 'priority'>[] {
    return [...this.#yielding.keys()];
  }

  /** The first to arrive among those waiting. */
  oldest(priority: Priority): WaitingTask | undefined {
    return this.#arrivals[priority].first();
  }

  newest(priority: Priority): WaitingTask | undefined {
    return this.#arrivals[priority].last();
  }

  /**
   * An estimate: exact for the task's own flow; of every other flow, as many tasks of its mean cost
   * as it takes to bring it to the virtual time at which this task would start, and of those within
   * the window of that time the ones that are more urgent. O(flows log n).
   */
  ahead(taskId: string): Ahead | undefined {
    const task = this.#tasks.get(taskId);
    if (task === undefined) return undefined;
    const flow = this.#flowOf(task.tenantId, task.priority);
    return this.#aheadOf(flow, task.priority, task.urgencyMs, task.seq, 0);
  }

  /** The same for a task that would arrive at this moment. */
  aheadOfArrival(tenantId: string, priority: Priority, urgencyMs: number, cost: number): Ahead {
    const flow = this.#flows[priority].get(tenantId);
    return this.#aheadOf(flow, priority, urgencyMs, Infinity, cost);
  }

  /**
   * Service so far per unit weight; undefined for a flow that owes nothing and has nothing waiting.
   * Only differences between flows at one moment mean something.
   */
  virtualTime(tenantId: string, priority: Priority): number | undefined {
    const flow = this.#flows[priority].get(tenantId);
    return flow && this.#times.timeOf(flow);
  }

  /** Lanes that someone waits in, sorted. */
  lanes(): readonly string[] {
    return [...this.#lanes.keys()].sort();
  }

  /** One of those who wait in a lane: what the lane demands can be read from any of them. O(1). */
  headOf(lane: string): WaitingTask | undefined {
    const [first] = this.#lanes.get(lane) ?? [];
    return first?.tasks.first();
  }

  inArrivalOrder(): readonly WaitingTask[] {
    return PRIORITIES.flatMap((p) => [...this.#arrivals[p]]).sort((a, b) => a.seq - b.seq);
  }

  /** By virtual time; those that yield come right behind the one that they yield to. */
  #inTurn(flows: readonly Flow[], yielding: ReadonlyMap<Flow, Flow>): (readonly [Flow, number])[] {
    const turns = flows.map((flow) => [flow, this.#times.timeOf(flow)] as const);
    for (const [flow, to] of yielding) {
      turns.push([flow, Math.max(this.#times.timeOf(flow), this.#times.timeOf(to))]);
    }
    const place = (flow: Flow) => (yielding.has(flow) ? 1 : 0);
    return turns.sort(
      ([a, timeA], [b, timeB]) => timeA - timeB || place(a) - place(b) || a.order - b.order,
    );
  }

  /**
   * Eligible flows, with the least of their times: all within the window, and of those beyond it about
   * `limit`, as each has at least one task to offer. Those with too much running are kept apart, each
   * with the one of its class that it yields to; where there is none they are like all others.
   */
  #eligible(limit: number, open: ReadonlySet<string>, mayRun: (tenantId: string) => boolean) {
    const flows: Flow[] = [];
    const { windowCost, hasTooMuch } = this.#options;
    const { floor } = this.#times;
    const passed: Flow[] = [];
    const first: { [P in Priority]?: Flow } = {};
    let least = Infinity;
    for (const flow of this.#times.waiting()) {
      // Below the floor the stored order is not yet that of the lifted times.
      const isEnough = flows.length >= limit && passed.every(({ priority }) => first[priority]);
      if (flow.time > least + windowCost && flow.time >= floor && isEnough) break;
      if (!hasOpenLane(flow, open) || !mayRun(flow.tenantId)) continue;
      if (hasTooMuch?.(flow.tenantId, flow.priority) === true) {
        passed.push(flow);
        continue;
      }
      flows.push(flow);
      first[flow.priority] ??= flow;
      least = Math.min(least, this.#times.timeOf(flow));
    }
    const yielding = new Map<Flow, Flow>();
    for (const flow of passed) {
      const to = first[flow.priority];
      if (to !== undefined) {
        yielding.set(flow, to);
        continue;
      }
      flows.push(flow);
      least = Math.min(least, this.#times.timeOf(flow));
    }
    return { flows, yielding, least };
  }

  /** @param addedCost of the task itself, unless it is in the flow already */
  #aheadOf(
    own: Flow | undefined,
    priority: Priority,
    urgencyMs: number,
    seq: number,
    addedCost: number,
  ): Ahead {
    let tasks = 0;
    let workMs = 0;
    for (const lane of own?.lanes ?? []) {
      const before = lane.tasks.before(urgencyMs, seq);
      tasks += before.count;
      workMs += before.weight;
    }
    let startsAt = this.#times.timeOnArrival(own, this.#creditOf(priority));
    if (own !== undefined && tasks > 0) {
      const meanCost = (own.cost + addedCost) / (own.size + (addedCost > 0 ? 1 : 0));
      startsAt += (tasks * meanCost) / this.#weightOf(own);
    }
    const edge = startsAt + this.#options.windowCost;
    const count = this.#times.countUpTo(edge);
    let asked = 0;
    let first = 0;
    let firstMs = 0;
    for (const flow of this.#times.spread(count, MAX_ASKED)) {
      if (flow === own) continue;
      asked += 1;
      const turns = this.#turnsBefore(flow, startsAt, urgencyMs, seq);
      first += turns;
      firstMs += (turns / flow.size) * flow.workMs;
    }
    if (asked === 0) return { tasks, workMs };
    const isOwnAmong = own?.isWaiting === true && own.time <= Math.max(edge, this.#times.floor);
    const each = (count - (isOwnAmong ? 1 : 0)) / asked;
    return {
      tasks: Math.min(this.#tasks.size, tasks + Math.round(each * first)),
      workMs: workMs + each * firstMs,
    };
  }

  /** How many of another flow's tasks go before one that starts at `startsAt`: in the window, the more urgent. */
  #turnsBefore(flow: Flow, startsAt: number, urgencyMs: number, seq: number): number {
    const lag = startsAt - this.#times.timeOf(flow);
    const perCost = (this.#weightOf(flow) * flow.size) / flow.cost;
    const turnsTo = (time: number) => Math.min(flow.size, Math.max(0, Math.ceil(time * perCost)));
    const { windowCost } = this.#options;
    const [least, most] = [turnsTo(lag - windowCost), turnsTo(lag + windowCost)];
    if (least === most) return least;
    let urgent = 0;
    for (const lane of flow.lanes) urgent += lane.tasks.countBefore(urgencyMs, seq);
    return Math.min(most, Math.max(least, urgent));
  }

  #creditOf(priority: Priority): number {
    return this.#options.creditCosts?.[priority] ?? 0;
  }

  #flowOf(tenantId: string, priority: Priority): Flow {
    let flow = this.#flows[priority].get(tenantId);
    if (flow === undefined) {
      const floor = this.#times.floor;
      const account = { order: this.#nextFlow++, isWaiting: false, time: floor, floor };
      flow = { ...account, tenantId, priority, lanes: [], size: 0, cost: 0, workMs: 0 };
      this.#flows[priority].set(tenantId, flow);
    }
    return flow;
  }

  #addLane(flow: Flow, name: string): Lane {
    const lane: Lane = { name, tasks: new OrderedList(byUrgency) };
    flow.lanes.push(lane);
    const sameName = this.#lanes.get(name);
    if (sameName === undefined) this.#lanes.set(name, new Set([lane]));
    else sameName.add(lane);
    return lane;
  }

  #dropLane(flow: Flow, lane: Lane): void {
    flow.lanes = flow.lanes.filter((other) => other !== lane);
    const sameName = this.#lanes.get(lane.name);
    sameName?.delete(lane);
    if (sameName?.size === 0) this.#lanes.delete(lane.name);
  }

  #weightOf({ tenantId, priority }: Flow): number {
    const weight = this.#options.weightOf(tenantId, priority);
    if (weight > 0 && weight < Infinity) return weight;
    throw new RangeError(`weight ${weight} of tenant ${tenantId}`);
  }
}

function hasOpenLane(flow: Flow, open: ReadonlySet<string>): boolean {
  for (const { name } of flow.lanes) if (open.has(name)) return true;
  return false;
}

function addOpenLanes(flow: Flow, open: ReadonlySet<string>, to: OrderedList<WaitingTask>[]): void {
  for (const lane of flow.lanes) if (open.has(lane.name)) to.push(lane.tasks);
}
