/** Where a newcomer would go and when, planned as the scheduler will: with those before it first. */
import { runsAlone } from './alone.ts';
import type { WaitingTask } from './fair-queue.ts';
import type { Promised, Prospect } from './placement.ts';
import { placeTask } from './placement.ts';
import { planOrder } from './plan-order.ts';
import { seatsOf, type Seats } from './seats.ts';
import type { PoolState, TaskRecord } from './state.ts';
import type { Step } from './step.ts';

export function promise(promised: Promised, replicaId: string, workMs: number): void {
  promised.set(replicaId, (promised.get(replicaId) ?? 0) + workMs);
}

/** Time for which the task keeps the replica from others, ms. */
export function workAt(
  pool: PoolState,
  task: TaskRecord,
  { replica, prefillMs }: Prospect,
): number {
  if (runsAlone(task, replica.view)) return Math.max(prefillMs, task.estimate.holdMs);
  const isFull = pool.freeSlots === 0;
  return isFull ? Math.max(prefillMs, task.estimate.holdMs / replica.view.slots) : prefillMs;
}

/**
 * O(replicas) for each of those before it, and less beyond the first few.
 * @param ahead how many the fair order has before it
 * @returns undefined when they are more than are looked at, or no replica will do
 */
export function planArrival(
  step: Step,
  pool: PoolState,
  arrival: { readonly task: TaskRecord; readonly waiting: WaitingTask },
  ahead: number,
): Prospect | undefined {
  const { tenants, tuning } = step.state;
  const { task } = arrival;
  if (ahead >= tuning.lookahead || !tenants.mayRun(task.spec.tenantId)) return undefined;
  const waiting = [...firstWaiting(step, pool)];
  waiting.splice(ahead, 0, arrival.waiting);
  const { tasks } = planOrder(step.state, pool, waiting, step.nowMs, task);
  for (const planned of plan(step, pool, tasks, new Set([task]))) {
    if (planned.task === task) return planned.place;
  }
  return undefined;
}

/** Plans those who wait as the scheduler will, in that order, up to `lookahead` of them. */
export function planWaiting(
  step: Step,
  pool: PoolState,
  asked: ReadonlySet<TaskRecord>,
): Iterable<Planned> {
  const { tasks } = planOrder(step.state, pool, firstWaiting(step, pool), step.nowMs);
  return plan(step, pool, tasks, asked);
}

function firstWaiting({ state }: Step, pool: PoolState): readonly WaitingTask[] {
  const mayRun = (tenantId: string): boolean => state.tenants.mayRun(tenantId);
  return pool.queue.candidates(state.tuning.lookahead, () => true, mayRun);
}

export interface Planned {
  readonly task: TaskRecord;
  /** Only of those asked about; undefined when no replica will do. */
  readonly place: Prospect | undefined;
}

/** One after the other, as far as anyone looks at them. */
function* plan(
  step: Step,
  pool: PoolState,
  tasks: readonly TaskRecord[],
  asked: ReadonlySet<TaskRecord>,
): Generator<Planned> {
  const { candidates } = step.state.tuning;
  const promised: Promised = new Map();
  const seats = seatsOf(pool, step.nowMs);
  for (const [i, task] of tasks.entries()) {
    const isAsked = asked.has(task);
    let place: Prospect | undefined;
    if (isAsked || i < candidates) place = planOne(step, pool, task, promised, seats);
    else planRoughly(pool, task, promised, step.nowMs);
    yield { task, place: isAsked ? place : undefined };
  }
}

function planOne(
  step: Step,
  pool: PoolState,
  task: TaskRecord,
  promised: Promised,
  seats: Seats,
): Prospect | undefined {
  const { choice, heldFor } = placeTask(step.state, pool, task, promised, step.nowMs, seats);
  const prospect = choice ?? heldFor;
  if (prospect !== undefined && prospect.block !== 'anti-affinity') {
    promise(promised, prospect.replicaId, workAt(pool, task, prospect));
  }
  return prospect;
}

/** To the replica that is free first, whatever it has in its cache. */
function planRoughly(pool: PoolState, task: TaskRecord, promised: Promised, nowMs: number): void {
  let first: string | undefined;
  let firstMs = Infinity;
  for (const [replicaId, { view, load }] of pool.replicas) {
    if (!view.ready) continue;
    const freeMs = load.outlook(nowMs).drainMs + (promised.get(replicaId) ?? 0);
    if (freeMs >= firstMs) continue;
    firstMs = freeMs;
    first = replicaId;
  }
  if (first !== undefined) promise(promised, first, pool.queue.get(task.spec.taskId)?.workMs ?? 0);
}
