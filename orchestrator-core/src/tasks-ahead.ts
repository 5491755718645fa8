/** How much of what waits in a queue is dispatched before some task: an estimate, for forecasts. */
import type { Flow } from './flow.ts';
import type { VirtualTimes } from './virtual-time.ts';

/** What is dispatched before some task. */
export interface Ahead {
  readonly tasks: number;
  readonly workMs: number;
}

/** The task that asks: one that waits in the flow `own`, or one that would arrive there. */
export interface Asking {
  /** Undefined for a newcomer's that is not there yet. */
  readonly own: Flow | undefined;
  readonly urgencyMs: number;
  readonly seq: number;
  /** Cost of the task itself, unless it is in the flow already. */
  readonly addedCost: number;
  /** Cost per unit weight by which the flow may be behind when it comes back from idling. */
  readonly creditCost: number;
}

export interface Others {
  readonly times: VirtualTimes<Flow>;
  /** All that wait. */
  readonly size: number;
  readonly windowCost: number;
  readonly weightOf: (flow: Flow) => number;
}

/**
 * Flows that are asked what they have before a task. Where there are more, so many stand for all: evenly
 * spread by virtual time, which is most of what decides how many of a flow's tasks go first.
 */
const MAX_ASKED = 128;

/**
 * Exact for the task's own flow; of every other flow, as many tasks of its mean cost as it takes to bring
 * it to the virtual time at which this task would start, and of those within the window of that time the
 * ones that are more urgent. O(log n) for each flow that is asked.
 */
export function tasksAhead(asking: Asking, others: Others): Ahead {
  const { own, urgencyMs, seq } = asking;
  const { times, windowCost } = others;
  let tasks = 0;
  let workMs = 0;
  for (const lane of own?.lanes ?? []) {
    const before = lane.tasks.before(urgencyMs, seq);
    tasks += before.count;
    workMs += before.weight;
  }
  const startsAt = times.timeOnArrival(own, asking.creditCost) + ownService(asking, tasks, others);
  const edge = startsAt + windowCost;
  const count = times.countUpTo(edge);
  let asked = 0;
  let first = 0;
  let firstMs = 0;
  for (const flow of times.spread(count, MAX_ASKED)) {
    if (flow === own) continue;
    asked += 1;
    const turns = turnsBefore(flow, startsAt, asking, others);
    first += turns;
    firstMs += (turns / flow.size) * flow.workMs;
  }
  if (asked === 0) return { tasks, workMs };
  const isOwnAmong = own?.isWaiting === true && own.time <= Math.max(edge, times.floor);
  const each = (count - (isOwnAmong ? 1 : 0)) / asked;
  return {
    tasks: Math.min(others.size, tasks + Math.round(each * first)),
    workMs: workMs + each * firstMs,
  };
}

/** Service per unit weight that the own flow has before the task. */
function ownService({ own, addedCost }: Asking, tasks: number, { weightOf }: Others): number {
  if (own === undefined || tasks === 0) return 0;
  const meanCost = (own.cost + addedCost) / (own.size + (addedCost > 0 ? 1 : 0));
  return (tasks * meanCost) / weightOf(own);
}

/** How many of another flow's tasks go before one that starts at `startsAt`: in the window, the more urgent. */
function turnsBefore(
  flow: Flow,
  startsAt: number,
  { urgencyMs, seq }: Asking,
  { times, windowCost, weightOf }: Others,
): number {
  const lag = startsAt - times.timeOf(flow);
  const perCost = (weightOf(flow) * flow.size) / flow.cost;
  const turnsTo = (time: number) => Math.min(flow.size, Math.max(0, Math.ceil(time * perCost)));
  const [least, most] = [turnsTo(lag - windowCost), turnsTo(lag + windowCost)];
  if (least === most) return least;
  let urgent = 0;
  for (const lane of flow.lanes) urgent += lane.tasks.countBefore(urgencyMs, seq);
  return Math.min(most, Math.max(least, urgent));
}
