/**
 * The latest dispatches of a pool, so that a task can be told who went before it and why. A ring of
 * fixed size: explaining costs the same however deep the queue was.
 *
 * A reason is worked out from how things were at that dispatch, not from how tenants and classes
 * compare: within the fairness window it is urgency that decides, beyond it the service that flows have
 * had, and what could not run then was passed whatever its place.
 */
import type { Precedence, WentFirst } from './decision.ts';
import type { Priority } from './types.ts';

export type FlowId = Pick<Place, 'tenantId' | 'priority'>;

/** A task's place in the order of the queue. */
export interface Place {
  readonly seq: number;
  readonly tenantId: string;
  readonly priority: Priority;
  readonly urgencyMs: number;
  readonly hasDeadline: boolean;
}

/** How a dispatch came about. */
export interface Circumstances {
  /** The running task that was stopped for it. */
  readonly stoppedSeq?: number | undefined;
  /** It was dispatched as it came: none of those who waited could be. */
  readonly isNewcomer?: boolean | undefined;
  /** Who could not run, or came after others because its time was past. */
  readonly aside?: Aside | undefined;
}

/** One dispatch, and how things were just before it. */
export interface Turn extends Place, Circumstances {
  /** Service per unit weight that its flow had had, and the most with which one was chosen by urgency. */
  readonly flowTime: number;
  readonly edge: number;
  readonly atMs: number;
}

/** Lanes of the queue for which no replica is open, and tenants at their limit. */
export interface Unable {
  readonly lanes: Set<string>;
  readonly tenantIds: Set<string>;
}

export interface Aside extends Unable {
  /** Tasks that had their turn, and no open replica or a better one to wait for. */
  readonly passedSeqs: ReadonlySet<number>;
  /** Tasks whose deadlines were given up. */
  readonly givenUpSeqs: ReadonlySet<number>;
  /** Flows that had so much running that they came behind others of their class. */
  readonly yielding: readonly FlowId[];
}

/** The task that asks, still waiting. */
export interface Asking extends Place {
  readonly lane: string;
  /** Of its flow, at this moment. */
  readonly flowTime: number;
  /** Whether it counted as late at that time. */
  readonly isOverdueAt: (atMs: number) => boolean;
}

export const JOURNAL_SIZE = 256;

export class DispatchJournal {
  readonly #ring: Turn[] = [];
  #count = 0;

  /** Dispatches so far, in this life of the process. */
  get count(): number {
    return this.#count;
  }

  add(turn: Turn): void {
    this.#ring[this.#count % JOURNAL_SIZE] = turn;
    this.#count += 1;
  }

  /**
   * Who was dispatched after the first `from`, while `task` waited; grouped, the most numerous first.
   * @param from negative for a task that waited already when the count began
   */
  before(
    task: Asking,
    from: number,
  ): { readonly wentFirst: readonly WentFirst[]; readonly truncated: boolean } {
    const oldest = Math.max(0, this.#count - JOURNAL_SIZE);
    const groups: Group[] = [];
    const byTenant = new Map<string, Group[]>();
    let { flowTime } = task;
    for (let at = this.#count - 1; at >= Math.max(from, oldest); at -= 1) {
      const turn = this.#ring[at % JOURNAL_SIZE];
      if (turn === undefined) break;
      const { tenantId, priority } = turn;
      // Back in time: before each of its own turns the flow stood where that turn says.
      if (isOfFlow(turn, task)) flowTime = turn.flowTime;
      const reason = precedenceOf(turn, task, flowTime);
      let ofTenant = byTenant.get(tenantId);
      if (ofTenant === undefined) byTenant.set(tenantId, (ofTenant = []));
      let group: Group | undefined;
      for (const each of ofTenant) {
        if (each.priority === priority && each.reason === reason) group = each;
      }
      if (group === undefined) {
        group = { tenantId, priority, reason, tasks: 0 };
        groups.push(group);
        ofTenant.push(group);
      }
      group.tasks += 1;
    }
    return { wentFirst: groups.sort((a, b) => b.tasks - a.tasks), truncated: from < oldest };
  }
}

interface Numbered {
  readonly seq: number;
}

/** Undefined when there is nobody. */
export function asideOf(
  unable: Unable,
  passed: readonly Numbered[],
  givenUp: readonly Numbered[],
  yielding: readonly FlowId[],
): Aside | undefined {
  const { lanes, tenantIds } = unable;
  const others = passed.length + givenUp.length + yielding.length;
  if (lanes.size + tenantIds.size + others === 0) return undefined;
  const seqsOf = (tasks: readonly Numbered[]) => new Set(tasks.map(({ seq }) => seq));
  return { lanes, tenantIds, passedSeqs: seqsOf(passed), givenUpSeqs: seqsOf(givenUp), yielding };
}

type Group = { -readonly [K in keyof WentFirst]: WentFirst[K] };

/** @param flowTime of the flow of `task` at that dispatch, as far as it is known */
function precedenceOf(turn: Turn, task: Asking, flowTime: number): Precedence {
  if (turn.stoppedSeq === task.seq) return 'preempted';
  if (turn.isNewcomer === true || couldNotRun(task, turn.aside)) return 'could-run';
  if (!isOfFlow(turn, task)) {
    if (yields(task, turn)) return 'tenant-share';
    if (flowTime > Math.max(turn.edge, turn.flowTime)) {
      return turn.tenantId === task.tenantId ? 'class-share' : 'tenant-share';
    }
    if (turn.flowTime > turn.edge) return 'could-run';
  }
  if (isSooner(turn, task)) {
    const isFirstCome = turn.seq < task.seq && !turn.hasDeadline && !task.hasDeadline;
    return isFirstCome ? 'arrived-earlier' : 'more-urgent';
  }
  const isLate = turn.aside?.givenUpSeqs.has(task.seq) === true || task.isOverdueAt(turn.atMs);
  return isLate ? 'was-late' : 'could-run';
}

function isOfFlow(turn: FlowId, { tenantId, priority }: FlowId): boolean {
  return turn.tenantId === tenantId && turn.priority === priority;
}

function yields(task: Asking, turn: Turn): boolean {
  if (turn.aside === undefined || turn.priority !== task.priority) return false;
  const isAmong = (place: FlowId) => turn.aside?.yielding.some((flow) => isOfFlow(flow, place));
  return isAmong(task) === true && isAmong(turn) !== true;
}

function isSooner(turn: Place, task: Place): boolean {
  return turn.urgencyMs === task.urgencyMs ? turn.seq < task.seq : turn.urgencyMs < task.urgencyMs;
}

function couldNotRun({ seq, lane, tenantId }: Asking, aside: Aside | undefined): boolean {
  if (aside === undefined) return false;
  return aside.passedSeqs.has(seq) || aside.lanes.has(lane) || aside.tenantIds.has(tenantId);
}
