/**
 * The order in which waiting tasks are planned. The fair queue says which flow has which turn; here the
 * tasks of each flow take its turns in a better order than urgency alone gives when there is more work
 * than can be done in time:
 *
 * - Deadlines. First come first served by deadline (EDF) keeps the most of them while all can be kept,
 *   and collapses when not. Moore and Hodgson's rule (1968) then gives up the task with the most work
 *   among those up to the first that would be late, which leaves the fewest late. What is given up
 *   still runs when nothing else is there to run, as long as it can be in time.
 * - Without a deadline a task that has waited longer than anybody likes has lost already, and lets those
 *   pass who have not, for a while.
 */
import { mayRefuse } from './admission.ts';
import type { WaitingTask } from './fair-queue.ts';
import type { CoreState, PoolState, TaskRecord } from './state.ts';

/** Work ahead of a deadline counts as so much more than estimated: arrivals to come will pass some. */
const WORK_MARGIN = 1.2;
/** A prompt in an engine is done this share of its time later than if all replicas could share it. */
const OWN_SHARE = 0.6;
/** Puts those given up behind all others, ms. */
const GIVEN_UP_MS = 1e9;
/** Waiting up to this share of the own prefill is no delay that anyone would notice. */
const SLACK_SHARE = 0.06;

interface Entry {
  readonly waiting: WaitingTask;
  readonly task: TaskRecord;
  key: number;
}

export interface PlanOrder {
  readonly tasks: readonly TaskRecord[];
  /** Those of them whose deadlines are given up, for the sake of others or as out of reach. */
  readonly givenUp: readonly TaskRecord[];
}

/**
 * @param waiting in the order of the fair queue
 * @param arrival one of them that has not been accepted yet
 */
export function planOrder(
  state: CoreState,
  pool: PoolState,
  waiting: readonly WaitingTask[],
  nowMs: number,
  arrival?: TaskRecord,
): PlanOrder {
  const entries: Entry[] = [];
  let hasDeadline = false;
  let isChanged = false;
  for (const each of waiting) {
    const task = state.tasks.get(each.taskId) ?? arrival;
    if (task === undefined) continue;
    const isLate = isOverdue(state, task, nowMs);
    isChanged ||= isLate;
    hasDeadline ||= task.spec.deadlineAtMs !== undefined;
    const penaltyMs = isLate ? state.tuning.overduePenaltyMs : 0;
    entries.push({ waiting: each, task, key: each.urgencyMs + penaltyMs });
  }
  // On a guess nobody is given up.
  const mayGiveUp = hasDeadline && mayRefuse(state.tuning, pool);
  const givenUp = mayGiveUp ? giveUp(pool, entries, nowMs) : [];
  if (isChanged || givenUp.length > 0) takeTurns(entries);
  return { tasks: entries.map(({ task }) => task), givenUp };
}

/** Without a deadline: whether it has waited so long that it counts as late. */
export function isOverdue({ tuning }: CoreState, task: TaskRecord, nowMs: number): boolean {
  if (task.spec.deadlineAtMs !== undefined || task.waiting === undefined) return false;
  const waitedMs = nowMs - task.waiting.sinceMs;
  return waitedMs > tuning.overdueAfterMs + SLACK_SHARE * task.estimate.prefillMs;
}

/** Moore and Hodgson's rule over the deadlines in order. @returns who was given up */
function giveUp(pool: PoolState, entries: readonly Entry[], nowMs: number): readonly TaskRecord[] {
  const tasks: TaskRecord[] = [];
  let replicas = 0;
  let drainMs = 0;
  for (const { view, load } of pool.replicas.values()) {
    if (!view.ready) continue;
    replicas += 1;
    drainMs += load.outlook(nowMs).drainMs;
  }
  if (replicas === 0) return tasks;
  const startMs = nowMs + drainMs / replicas;
  const kept: Entry[] = [];
  let workMs = 0;
  for (const entry of entries) {
    const { task, waiting } = entry;
    const dueMs = firstTokenDueMs(task);
    if (dueMs === undefined) continue;
    kept.push(entry);
    workMs += waiting.workMs;
    const ownMs = OWN_SHARE * (1 - 1 / replicas) * task.estimate.prefillMs;
    if (startMs + (WORK_MARGIN * workMs) / replicas + ownMs <= dueMs) continue;
    const at = indexOfMostWork(kept);
    const [givenUp] = kept.splice(at, 1);
    if (givenUp === undefined) continue;
    givenUp.key += GIVEN_UP_MS;
    tasks.push(givenUp.task);
    workMs -= givenUp.waiting.workMs;
  }
  return tasks;
}

/** When the first token must have come; undefined when nothing can be lost any more. */
function firstTokenDueMs({ spec, estimate, attempt }: TaskRecord): number | undefined {
  if (spec.deadlineAtMs === undefined || attempt > 0) return undefined;
  return spec.deadlineAtMs - (spec.deadlineFor === 'first-token' ? 0 : estimate.decodeMs);
}

function indexOfMostWork(entries: readonly Entry[]): number {
  let most = -1;
  let index = 0;
  for (const [i, { waiting }] of entries.entries()) {
    if (waiting.workMs <= most) continue;
    most = waiting.workMs;
    index = i;
  }
  return index;
}

/** Each flow's tasks by key, in the places that the flow has. */
function takeTurns(entries: Entry[]): void {
  const flows = { interactive: new Map<string, Entry[]>(), batch: new Map<string, Entry[]>() };
  const turns = entries.map((entry) => {
    const { tenantId, priority } = entry.waiting;
    const flow = flows[priority].get(tenantId) ?? [];
    if (flow.length === 0) flows[priority].set(tenantId, flow);
    flow.push(entry);
    return flow;
  });
  for (const flow of new Set(turns)) {
    flow.sort((a, b) => b.key - a.key || b.waiting.seq - a.waiting.seq);
  }
  for (const [i, flow] of turns.entries()) {
    const next = flow.pop();
    if (next !== undefined) entries[i] = next;
  }
}
