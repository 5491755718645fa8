/** What `FairQueue.candidates` promises, read off a plain list of those who wait and their flows' virtual times. */
import type { FairQueue, WaitingTask } from '../fair-queue.ts';
import { flowId } from './slot-server.ts';

export interface Conditions {
  readonly windowCost: number;
  readonly openLanes: ReadonlySet<string>;
  readonly blockedTenants: ReadonlySet<string>;
  /** By `flowId`. */
  readonly tooMuch: ReadonlySet<string>;
}

export interface NaiveCandidates {
  /** The tasks of the flows within the window, in order. */
  readonly within: readonly WaitingTask[];
  /** The turns of all others, in order. Flows with the same turn may go either way. */
  readonly beyond: readonly Turn[];
  readonly edge: number;
}

export interface Turn {
  readonly time: number;
  readonly yields: boolean;
}

interface FlowTurn extends Turn {
  readonly tasks: readonly WaitingTask[];
}

export const flowOf = (task: WaitingTask) => flowId(task.tenantId, task.priority);

export const byUrgency = (a: WaitingTask, b: WaitingTask) =>
  a.urgencyMs - b.urgencyMs || a.seq - b.seq;

export function naiveCandidates(
  waiting: readonly WaitingTask[],
  queue: FairQueue,
  conditions: Conditions,
): NaiveCandidates {
  const turns = turnsOf(waiting, queue, conditions);
  const edge = Math.min(...turns.map(leadTime)) + conditions.windowCost;
  const isWithin = (turn: FlowTurn) => leadTime(turn) <= edge;
  const beyond = turns.filter((turn) => !isWithin(turn));
  beyond.sort((a, b) => a.time - b.time || Number(a.yields) - Number(b.yields));
  return {
    within: turns.filter(isWithin).flatMap(tasksOf).sort(byUrgency),
    beyond: beyond.flatMap(({ time, yields, tasks }) => tasks.map(() => ({ time, yields }))),
    edge,
  };
}

/** When each flow that could run has its turn; one that yields right behind the first of its class that does not. */
export function turnsOf(
  waiting: readonly WaitingTask[],
  queue: FairQueue,
  { openLanes, blockedTenants, tooMuch }: Conditions,
): FlowTurn[] {
  const eligible = waiting.filter(
    ({ lane, tenantId }) => openLanes.has(lane) && !blockedTenants.has(tenantId),
  );
  const timeOf = ({ tenantId, priority }: WaitingTask) => queue.virtualTime(tenantId, priority)!;
  return [...Map.groupBy(eligible, flowOf)].map(([id, tasks]) => {
    const [one] = tasks;
    const rivals = eligible.filter((t) => t.priority === one!.priority && !tooMuch.has(flowOf(t)));
    const yields = tooMuch.has(id) && rivals.length > 0;
    const time = Math.max(timeOf(one!), yields ? Math.min(...rivals.map(timeOf)) : -Infinity);
    return { time, yields, tasks };
  });
}

/** One that yields is never within the window. */
function leadTime({ time, yields }: Turn): number {
  return yields ? Infinity : time;
}

function tasksOf({ tasks }: FlowTurn): readonly WaitingTask[] {
  return tasks;
}
