/** A flow: one tenant's tasks of one priority that wait in one pool, apart by lane. */
import { OrderedList } from './ordered-list.ts';
import type { Priority } from './types.ts';
import type { Account } from './virtual-time.ts';

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

/** The tasks of one flow that fit the same replicas, by urgency and then arrival. */
export interface FlowLane {
  readonly name: string;
  readonly flow: Flow;
  readonly tasks: OrderedList<WaitingTask>;
  /** The first of the tasks, or the last that was. */
  head: WaitingTask;
}

export interface Flow extends Account {
  readonly tenantId: string;
  readonly priority: Priority;
  /** Those with someone waiting. */
  lanes: FlowLane[];
  size: number;
  /** Sums of `cost` and `workMs` over those waiting. */
  cost: number;
  workMs: number;
}

const byUrgency = {
  key: (task: WaitingTask) => task.urgencyMs,
  seq: (task: WaitingTask) => task.seq,
  weight: (task: WaitingTask) => task.workMs,
};
const byHead = {
  key: ({ head }: FlowLane) => head.urgencyMs,
  seq: ({ head }: FlowLane) => head.seq,
  weight: () => 0,
};

/** The lanes of all flows of a queue by name, and of each name by how urgent their first tasks are. */
export class FlowLanes {
  readonly #byName = new Map<string, OrderedList<FlowLane>>();

  /** Those that someone waits in. */
  names(): Iterable<string> {
    return this.#byName.keys();
  }

  /** Lanes of that name, the one with the most urgent task first. */
  inOrder(name: string): Iterable<FlowLane> {
    return this.#byName.get(name) ?? [];
  }

  headOf(name: string): WaitingTask | undefined {
    return this.#byName.get(name)?.first()?.head;
  }

  insert(flow: Flow, task: WaitingTask): void {
    const lane = flow.lanes.find(({ name }) => name === task.lane);
    if (lane === undefined) return this.#add(flow, task);
    if (!lane.tasks.isBefore(task, lane.head)) return lane.tasks.insert(task);
    const sameName = this.#byName.get(lane.name);
    sameName?.remove(lane);
    lane.tasks.insert(task);
    lane.head = task;
    sameName?.insert(lane);
  }

  remove(flow: Flow, task: WaitingTask): void {
    const lane = flow.lanes.find(({ name }) => name === task.lane);
    if (lane === undefined) return;
    if (task !== lane.head) {
      lane.tasks.remove(task);
      return;
    }
    const sameName = this.#byName.get(lane.name);
    sameName?.remove(lane);
    lane.tasks.remove(task);
    const next = lane.tasks.first();
    if (next !== undefined) {
      lane.head = next;
      sameName?.insert(lane);
      return;
    }
    flow.lanes = flow.lanes.filter((other) => other !== lane);
    if (sameName?.size === 0) this.#byName.delete(lane.name);
  }

  #add(flow: Flow, task: WaitingTask): void {
    const tasks = new OrderedList(byUrgency);
    tasks.insert(task);
    const lane: FlowLane = { name: task.lane, flow, tasks, head: task };
    flow.lanes.push(lane);
    let sameName = this.#byName.get(task.lane);
    if (sameName === undefined) {
      sameName = new OrderedList(byHead);
      this.#byName.set(task.lane, sameName);
    }
    sameName.insert(lane);
  }
}
