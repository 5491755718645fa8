/**
 * Who waits in one pool and who is next. The scheduler knows only this interface, so another
 * discipline (weighted fair, earliest deadline) takes the place of `StrictPriorityQueue` without
 * touching admission, placement or recovery.
 */
import { ArrivalIndex } from './arrival-index.ts';
import type { Priority } from './types.ts';
import { PRIORITIES } from './types.ts';

export interface WaitingTask {
  readonly taskId: string;
  /** Arrival number: unique, and kept when the task comes back after an attempt. */
  readonly seq: number;
  readonly priority: Priority;
  /** The only replica set that may run it, or undefined when any may. */
  readonly pinnedSetId: string | undefined;
}

/** Tasks to be dispatched before some task, per class. */
export type Ahead = { readonly [P in Priority]: number };

export interface WaitingQueue {
  readonly size: number;
  sizeOf(priority: Priority): number;
  /** Takes its place by `seq`: a newcomer at the end, a task that comes back where it was. */
  push(task: WaitingTask): void;
  /** False when it does not wait here. */
  remove(taskId: string): boolean;
  /** The task to dispatch next among those that some open replica set can run; it stays in. */
  next(isOpen: (setId: string) => boolean): WaitingTask | undefined;
  oldest(priority: Priority): WaitingTask | undefined;
  newest(priority: Priority): WaitingTask | undefined;
  ahead(taskId: string): Ahead | undefined;
  aheadOfArrival(priority: Priority): Ahead;
  /** Sets that some waiting task is pinned to. */
  pinnedSets(): readonly string[];
  /** In dispatch order, were every slot open. */
  inOrder(): readonly WaitingTask[];
}

interface Node {
  readonly task: WaitingTask;
  readonly lane: Lane;
  previous: Node | undefined;
  next: Node | undefined;
}

/** A doubly linked list in ascending `seq`. */
interface Lane {
  head: Node | undefined;
  tail: Node | undefined;
}

interface ClassQueue {
  readonly order: ArrivalIndex;
  /** Tasks that any set may run. */
  readonly open: Lane;
  /** Tasks pinned to a set wait apart, so that they never stand in the way of the others. */
  readonly pinned: Map<string, Lane>;
}

/**
 * Interactive strictly before batch, arrival order within a class. Enqueue, removal and eviction
 * are O(1) in the lists; the arrival index adds O(1) amortised to enqueue, O(log n) to removal and
 * to a position query. A returning task walks from the head past tasks that came before it, which
 * are few because it was once the head itself.
 */
export class StrictPriorityQueue implements WaitingQueue {
  readonly #nodes = new Map<string, Node>();
  readonly #classes: { readonly [P in Priority]: ClassQueue } = {
    interactive: newClassQueue(),
    batch: newClassQueue(),
  };

  get size(): number {
    return this.#nodes.size;
  }

  sizeOf(priority: Priority): number {
    return this.#classes[priority].order.size;
  }

  push(task: WaitingTask): void {
    if (this.#nodes.has(task.taskId)) throw new Error(`task ${task.taskId} waits already`);
    const queue = this.#classes[task.priority];
    queue.order.add(task.seq);
    const lane = laneOf(queue, task.pinnedSetId);
    const node: Node = { task, lane, previous: undefined, next: undefined };
    link(lane, node);
    this.#nodes.set(task.taskId, node);
  }

  remove(taskId: string): boolean {
    const node = this.#nodes.get(taskId);
    if (node === undefined) return false;
    const queue = this.#classes[node.task.priority];
    this.#nodes.delete(taskId);
    queue.order.remove(node.task.seq);
    unlink(node);
    const setId = node.task.pinnedSetId;
    if (setId !== undefined && node.lane.head === undefined) queue.pinned.delete(setId);
    return true;
  }

  next(isOpen: (setId: string) => boolean): WaitingTask | undefined {
    for (const priority of PRIORITIES) {
      const queue = this.#classes[priority];
      let best = queue.open.head?.task;
      for (const [setId, lane] of queue.pinned) {
        const head = lane.head?.task;
        if (head && (best === undefined || head.seq < best.seq) && isOpen(setId)) best = head;
      }
      if (best !== undefined) return best;
    }
    return undefined;
  }

  oldest(priority: Priority): WaitingTask | undefined {
    return lanesOf(this.#classes[priority])
      .map((lane) => lane.head?.task)
      .reduce((a, b) => (a && (!b || a.seq < b.seq) ? a : b));
  }

  newest(priority: Priority): WaitingTask | undefined {
    return lanesOf(this.#classes[priority])
      .map((lane) => lane.tail?.task)
      .reduce((a, b) => (a && (!b || a.seq > b.seq) ? a : b));
  }

  ahead(taskId: string): Ahead | undefined {
    const task = this.#nodes.get(taskId)?.task;
    if (task === undefined) return undefined;
    const inClass = this.#classes[task.priority].order.countBelow(task.seq);
    return task.priority === 'interactive'
      ? { interactive: inClass, batch: 0 }
      : { interactive: this.sizeOf('interactive'), batch: inClass };
  }

  aheadOfArrival(priority: Priority): Ahead {
    return {
      interactive: this.sizeOf('interactive'),
      batch: priority === 'batch' ? this.sizeOf('batch') : 0,
    };
  }

  pinnedSets(): readonly string[] {
    if (PRIORITIES.every((p) => this.#classes[p].pinned.size === 0)) return [];
    return [...new Set(PRIORITIES.flatMap((p) => [...this.#classes[p].pinned.keys()]))].sort();
  }

  inOrder(): readonly WaitingTask[] {
    return PRIORITIES.flatMap((priority) => {
      const tasks: WaitingTask[] = [];
      for (const lane of lanesOf(this.#classes[priority])) {
        for (let node = lane.head; node; node = node.next) tasks.push(node.task);
      }
      return tasks.sort((a, b) => a.seq - b.seq);
    });
  }
}

function newClassQueue(): ClassQueue {
  return {
    order: new ArrivalIndex(),
    open: { head: undefined, tail: undefined },
    pinned: new Map(),
  };
}

function lanesOf(queue: ClassQueue): readonly Lane[] {
  return [queue.open, ...queue.pinned.values()];
}

function laneOf(queue: ClassQueue, setId: string | undefined): Lane {
  if (setId === undefined) return queue.open;
  let lane = queue.pinned.get(setId);
  if (lane === undefined) {
    lane = { head: undefined, tail: undefined };
    queue.pinned.set(setId, lane);
  }
  return lane;
}

function link(lane: Lane, node: Node): void {
  const isLast = lane.tail === undefined || lane.tail.task.seq < node.task.seq;
  let after = isLast ? undefined : lane.head;
  while (after !== undefined && after.task.seq < node.task.seq) after = after.next;
  node.next = after;
  node.previous = after === undefined ? lane.tail : after.previous;
  if (node.previous === undefined) lane.head = node;
  else node.previous.next = node;
  if (after === undefined) lane.tail = node;
  else after.previous = node;
}

function unlink(node: Node): void {
  const { lane, previous, next } = node;
  if (previous === undefined) lane.head = next;
  else previous.next = next;
  if (next === undefined) lane.tail = previous;
  else next.previous = previous;
}
