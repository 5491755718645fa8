/**
 * Who waits in one pool and who is next. A flow is one tenant's tasks of one priority; flows share
 * the pool by weight, within the bound that virtual-time.ts derives, and inside the window in which
 * that bound leaves a choice, and within each flow, the most urgent task goes first.
 */
import { findCandidates } from './candidates.ts';
import { FlowLanes, type Flow, type WaitingTask } from './flow.ts';
import { OrderedList } from './ordered-list.ts';
import { tasksAhead, type Ahead, type Asking } from './tasks-ahead.ts';
import type { Priority } from './types.ts';
import { PRIORITIES } from './types.ts';
import { VirtualTimes } from './virtual-time.ts';

export type { WaitingTask } from './flow.ts';
export type { Ahead } from './tasks-ahead.ts';

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

const byArrival = {
  key: (task: WaitingTask) => task.seq,
  seq: () => 0,
  weight: () => 0,
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
  readonly #lanes = new FlowLanes();
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
    this.#lanes.insert(flow, task);
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
    this.#lanes.remove(flow, task);
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
    const open = new Set([...this.#lanes.names()].filter(isOpen));
    if (open.size === 0 || limit <= 0) return [];
    const { windowCost, hasTooMuch } = this.#options;
    const { tasks, edge, yielding } = findCandidates({
      times: this.#times,
      lanes: this.#lanes,
      windowCost,
      limit,
      open,
      mayRun,
      hasTooMuch: ({ tenantId, priority, size }) =>
        size < this.sizeOf(priority) && hasTooMuch?.(tenantId, priority) === true,
    });
    this.#edge = edge;
    this.#yielding = yielding;
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

  /** What goes before a task that waits, as `tasks-ahead.ts` estimates it. */
  ahead(taskId: string): Ahead | undefined {
    const task = this.#tasks.get(taskId);
    if (task === undefined) return undefined;
    const { tenantId, priority, urgencyMs, seq } = task;
    const own = this.#flowOf(tenantId, priority);
    return this.#ahead({ own, urgencyMs, seq, addedCost: 0, creditCost: this.#creditOf(priority) });
  }

  /** The same for a task that would arrive at this moment. */
  aheadOfArrival(tenantId: string, priority: Priority, urgencyMs: number, cost: number): Ahead {
    const own = this.#flows[priority].get(tenantId);
    const creditCost = this.#creditOf(priority);
    return this.#ahead({ own, urgencyMs, seq: Infinity, addedCost: cost, creditCost });
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
    return [...this.#lanes.names()].sort();
  }

  /** One of those who wait in a lane: what the lane demands can be read from any of them. O(1). */
  headOf(lane: string): WaitingTask | undefined {
    return this.#lanes.headOf(lane);
  }

  inArrivalOrder(): readonly WaitingTask[] {
    return PRIORITIES.flatMap((p) => [...this.#arrivals[p]]).sort((a, b) => a.seq - b.seq);
  }

  #ahead(asking: Asking): Ahead {
    return tasksAhead(asking, {
      times: this.#times,
      size: this.#tasks.size,
      windowCost: this.#options.windowCost,
      weightOf: (flow) => this.#weightOf(flow),
    });
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

  #weightOf({ tenantId, priority }: Flow): number {
    const weight = this.#options.weightOf(tenantId, priority);
    if (weight > 0 && weight < Infinity) return weight;
    throw new RangeError(`weight ${weight} of tenant ${tenantId}`);
  }
}
