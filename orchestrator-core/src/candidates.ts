/**
 * Which waiting tasks may be dispatched at one moment, and in which order: those of the flows within
 * the fairness window by urgency, then flow after flow by virtual time.
 *
 * Where few flows are within the window it is they who are looked at. Where many are, as when all have
 * just come, the lanes are gone through by their most urgent tasks instead, until enough are found.
 */
import type { Flow, FlowLane, FlowLanes, WaitingTask } from './flow.ts';
import { mergeFirst, type OrderedList } from './ordered-list.ts';
import type { Priority } from './types.ts';
import type { VirtualTimes } from './virtual-time.ts';

/** Flows looked at one by one in the window, as a multiple of the tasks asked for. */
const MANY = 4;

/** The queue, and what it is asked for. */
export interface Inquiry {
  readonly times: VirtualTimes<Flow>;
  readonly lanes: FlowLanes;
  /** Cost per unit weight by which urgency may bend fairness. */
  readonly windowCost: number;
  /** At least 1. */
  readonly limit: number;
  /** Names of the lanes that some replica could take a task of. */
  readonly open: ReadonlySet<string>;
  readonly mayRun: (tenantId: string) => boolean;
  /** Whether a flow has so much running that others of its class go first; false where none of them waits. */
  readonly hasTooMuch: (flow: Flow) => boolean;
}

export interface Candidates {
  readonly tasks: readonly WaitingTask[];
  /** Virtual time up to which flows are within the window. */
  readonly edge: number;
  /** Flows met that have too much running, each with the one of its class that it comes behind. */
  readonly yielding: ReadonlyMap<Flow, Flow>;
}

/** Empty only when nothing eligible waits. */
export function findCandidates(inquiry: Inquiry): Candidates {
  const { times, windowCost, limit, open } = inquiry;
  const gathered = gather(inquiry);
  const { flows, yielding } = gathered;
  const edge = gathered.least + windowCost;
  if (gathered.hasMany) return { tasks: byUrgency(inquiry, gathered, edge), edge, yielding };
  const within: OrderedList<WaitingTask>[] = [];
  const beyond: Flow[] = [];
  for (const flow of flows) {
    if (times.timeOf(flow) > edge) beyond.push(flow);
    else addOpenLanes(flow, open, within);
  }
  const tasks = mergeFirst(within, limit);
  if (tasks.length < limit) {
    for (const [flow] of inTurn(times, beyond, yielding)) {
      if (tasks.length >= limit) break;
      const lanes: OrderedList<WaitingTask>[] = [];
      addOpenLanes(flow, open, lanes);
      tasks.push(...mergeFirst(lanes, limit - tasks.length));
    }
  }
  return { tasks, edge, yielding };
}

interface Gathered {
  readonly flows: readonly Flow[];
  readonly yielding: Map<Flow, Flow>;
  /** Of all that are eligible. */
  readonly least: number;
  /** Of each class the first that yields to nobody. */
  readonly first: { [P in Priority]?: Flow };
  /** There are more within the window, which were not looked at. */
  readonly hasMany: boolean;
}

/**
 * Eligible flows, with the least of their times: all within the window unless those are many, and of
 * those beyond it about `limit`, as each has at least one task to offer. Those with too much running are
 * kept apart, each with the one of its class that it yields to; where there is none they are like all
 * others.
 */
function gather({ times, windowCost, limit, open, mayRun, hasTooMuch }: Inquiry): Gathered {
  const flows: Flow[] = [];
  const passed: Flow[] = [];
  const first: Gathered['first'] = {};
  let least = Infinity;
  let hasMany = false;
  for (const flow of times.waiting()) {
    // Below the floor the stored order is not yet that of the lifted times.
    if (flows.length >= limit && flow.time >= times.floor) {
      const allYield = passed.every(({ priority }) => first[priority]);
      if (allYield && flow.time > least + windowCost) break;
      hasMany = allYield && flows.length >= MANY * limit;
      if (hasMany) break;
    }
    if (!hasOpenLane(flow, open) || !mayRun(flow.tenantId)) continue;
    if (hasTooMuch(flow)) {
      passed.push(flow);
      continue;
    }
    flows.push(flow);
    first[flow.priority] = earlier(times, first[flow.priority], flow);
    least = Math.min(least, times.timeOf(flow));
  }
  const yielding = new Map<Flow, Flow>();
  for (const flow of passed) {
    const to = first[flow.priority];
    if (to !== undefined) {
      yielding.set(flow, to);
      continue;
    }
    flows.push(flow);
    least = Math.min(least, times.timeOf(flow));
  }
  return { flows, yielding, least, first, hasMany };
}

/** Of the flows within the window, more than `limit`, the most urgent tasks. */
function byUrgency(inquiry: Inquiry, gathered: Gathered, edge: number): readonly WaitingTask[] {
  const { times, lanes, limit, open, mayRun } = inquiry;
  const within: OrderedList<WaitingTask>[] = [];
  const mayOffer = ({ flow }: FlowLane) =>
    times.timeOf(flow) <= edge && mayRun(flow.tenantId) && !yields(inquiry, gathered, flow);
  for (const name of open) {
    let left = limit;
    for (const lane of lanes.inOrder(name)) {
      if (!mayOffer(lane)) continue;
      within.push(lane.tasks);
      left -= 1;
      if (left === 0) break;
    }
  }
  return mergeFirst(within, limit);
}

function yields(inquiry: Inquiry, { first, yielding }: Gathered, flow: Flow): boolean {
  if (!inquiry.hasTooMuch(flow)) return false;
  const to = first[flow.priority] ?? firstOf(inquiry, flow.priority);
  if (to === undefined) return false;
  first[flow.priority] = to;
  yielding.set(flow, to);
  return true;
}

/** The eligible flow of a class that has its turn first and yields to nobody. */
function firstOf(
  { times, open, mayRun, hasTooMuch }: Inquiry,
  priority: Priority,
): Flow | undefined {
  let first: Flow | undefined;
  for (const flow of times.waiting()) {
    if (first !== undefined && flow.time >= times.floor) break;
    if (flow.priority !== priority || !hasOpenLane(flow, open)) continue;
    if (mayRun(flow.tenantId) && !hasTooMuch(flow)) first = earlier(times, first, flow);
  }
  return first;
}

/** Of two flows in stored order: below the floor the later one may have its turn first. */
function earlier(times: VirtualTimes<Flow>, a: Flow | undefined, b: Flow): Flow {
  return a === undefined || times.timeOf(b) < times.timeOf(a) ? b : a;
}

/** By virtual time; those that yield come right behind the one that they yield to. */
function inTurn(
  times: VirtualTimes<Flow>,
  flows: readonly Flow[],
  yielding: ReadonlyMap<Flow, Flow>,
): readonly (readonly [Flow, number])[] {
  const turns = flows.map((flow) => [flow, times.timeOf(flow)] as const);
  for (const [flow, to] of yielding) {
    turns.push([flow, Math.max(times.timeOf(flow), times.timeOf(to))]);
  }
  const place = (flow: Flow) => (yielding.has(flow) ? 1 : 0);
  return turns.sort(
    ([a, timeA], [b, timeB]) => timeA - timeB || place(a) - place(b) || a.order - b.order,
  );
}

function hasOpenLane(flow: Flow, open: ReadonlySet<string>): boolean {
  for (const { name } of flow.lanes) if (open.has(name)) return true;
  return false;
}

function addOpenLanes(flow: Flow, open: ReadonlySet<string>, to: OrderedList<WaitingTask>[]): void {
  for (const lane of flow.lanes) if (open.has(lane.name)) to.push(lane.tasks);
}
