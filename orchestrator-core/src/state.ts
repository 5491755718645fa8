/**
 * What the core holds in memory. Durable parts (tasks, their order, sessions, drains, estimates)
 * change only in `fold.ts`; the rest (replicas, progress, timers) is told anew after a restart.
 *
 * Nothing is decided by the iteration order of a Map that live operation and recovery fill
 * differently: tasks are ordered by `seq`, replicas by id, timers by time and key. `sessions`
 * alone is read in insertion order, which is `firstSeq` order in both.
 */
import { BatchRoom } from './batch-room.ts';
import { DispatchJournal } from './dispatch-journal.ts';
import { FairQueue } from './fair-queue.ts';
import { InFlight } from './in-flight.ts';
import { PoolModel, type TaskEstimate } from './pool-model.ts';
import { PrefixIndex, type PrefixHits } from './prefix-index.ts';
import type { ExpectedReuse } from './replica-prefixes.ts';
import type { ReplicaLoad } from './replica-load.ts';
import type { Residency } from './residency.ts';
import { flowWeight, Tenants } from './tenants.ts';
import { TimerHeap } from './timer-heap.ts';
import type { Tuning } from './tuning.ts';
import type { Forecast, PoolSpec, Priority, ReplicaView, SessionState, TaskSpec } from './types.ts';
import { WaitClock, type Mark } from './wait-causes.ts';

/** One attempt's hold on a slot. */
export interface RunningAttempt {
  readonly replicaId: string;
  readonly setId: string;
  readonly dispatchedAtMs: number;
}

/** What is known of a task while it waits; told anew when it comes back. */
export interface Waiting {
  readonly sinceMs: number;
  /** Of the pool's `WaitClock`, less the time in `unmatchedMs`. */
  mark: Mark;
  /** Time during which no replica of the pool fitted it, up to the last that did. */
  unmatchedMs: number;
  /** Dispatches of the pool before it came; negative for a task of an earlier process. */
  readonly turn: number;
  /** The replica it was last held for though another was open. */
  heldForId: string | undefined;
  /** The replica that nobody else joins until this task has run there. */
  keptId: string | undefined;
  /** What the replicas have of its prompt; undefined until it was looked at. */
  hits: PrefixHits | undefined;
}

/** A task that has not ended; ended ones leave memory. Queued when `running` is undefined. */
export interface TaskRecord {
  readonly spec: TaskSpec;
  readonly seq: number;
  readonly acceptedAtMs: number;
  /** Dispatches so far; also the number of the running attempt. */
  attempt: number;
  running: RunningAttempt | undefined;
  /** Attempts that failed, against the pool's `maxAttempts`. */
  faults: number;
  /** Slot time of earlier attempts, against the pool's `wallMs`. */
  ranMs: number;
  /** Engines that crashed while it ran on them, or shortly after it failed there. */
  crashes: number;
  pinnedSetId: string | undefined;
  avoidReplicaId: string | undefined;
  /** How often it was stopped for others. */
  preemptions: number;

  // Not durable from here on.
  estimate: TaskEstimate;
  waiting: Waiting | undefined;
  /** Cost charged to its flow so far; in the end what its answer cost, however many attempts it took. */
  chargedCost: number;
  /** What the replica was believed to have of the prompt when the running attempt began. */
  expectedReuse: ExpectedReuse | undefined;
  /** Predicted at admission; compared with what happens. */
  forecast: Forecast | undefined;
  /** Of the running attempt: which of the replica's `keysApart` are there for it. */
  keysHeld: readonly string[];
  lastProgressMs: number;
  outputTokens: number;
  hasProgress: boolean;
  firstTokenAtMs: number | undefined;
}

export interface ReplicaRecord {
  view: ReplicaView;
  /** Faults since the last success. */
  faults: number;
  restsUntilMs: number;
  readonly load: ReplicaLoad;
  /** The pool's count of dispatches when it last got one. */
  lastTurn: number;
  /** The pool's `dispatches` when it last got one; 0 for never. */
  lastDispatch: number;
  /** Keys of what runs on it, see `keysApart`. */
  readonly keysApart: Set<string>;
  /** When attempts of the last seconds failed there, by task. */
  readonly faultedAtMs: Map<string, number>;
}

/** Exists as soon as a command or an event names the pool; takes tasks once it has a spec. */
export interface PoolState {
  readonly poolId: string;
  spec: PoolSpec | undefined;
  /** Smallest context among the ready replicas, so that what is admitted fits every one of them. */
  ctx: number | undefined;
  unavailableReason: string | undefined;
  drainDeadlineAtMs: number | undefined;
  /** Of a pool that shares its devices with others. */
  residency: Residency | undefined;
  readonly replicas: Map<string, ReplicaRecord>;
  /** Percentage of tasks for canaries; undefined while the pool has but one side, see `canaryShareOf`. */
  canaryShare: number | undefined;
  readonly queue: FairQueue;
  readonly inFlight: InFlight;
  readonly batchRoom: BatchRoom;
  readonly model: PoolModel;
  readonly prefixes: PrefixIndex;
  /** Waiting tasks that name labels or devices: their lane depends on the replicas there are. */
  readonly constrained: Set<string>;
  /** Those of them that no replica there is fits, with the moment since when. */
  readonly unmatched: Map<string, { readonly sinceMs: number; readonly mark: Mark }>;
  readonly journal: DispatchJournal;
  readonly waitClock: WaitClock;
  /** Tasks that run, the last dispatched last: what preemption chooses from. */
  readonly inDispatchOrder: Set<string>;
  /** Ids of running tasks; a replica may be unknown here while events are folded. */
  readonly running: Map<string, Set<string>>;
  /** Replicas that one task has to itself, or that are kept for it until they are idle. */
  readonly alone: Map<string, TaskRecord>;
  /** Dispatches so far, of newcomers too. */
  dispatches: number;
  /** Free slots of ready replicas, kept by `slotsChanged` so that a full pool is known in O(1). */
  freeSlots: number;
  /** Of those waiting, the newcomers of this moment that would start at once (see `Tuning.gatherArrivals`). */
  gathered: number;
  /** Gathered newcomers, until they are planned. */
  readonly newcomers: TaskRecord[];
  /** How many tasks run, and the sum of the times they were dispatched at. */
  readonly held: { count: number; dispatchedAtSumMs: number };
  readonly sessionsByReplica: Map<string, Set<string>>;
}

export type TimerValue =
  | { readonly kind: 'attempt'; readonly taskId: string }
  | { readonly kind: 'drain'; readonly poolId: string }
  | { readonly kind: 'rest'; readonly poolId: string }
  | { readonly kind: 'bind'; readonly poolId: string }
  | { readonly kind: 'deadline'; readonly taskId: string }
  | { readonly kind: 'swap' }
  | { readonly kind: 'session'; readonly sessionId: string };

export interface CoreState {
  readonly tuning: Tuning;
  nextSeq: number;
  readonly tenants: Tenants;
  readonly tasks: Map<string, TaskRecord>;
  readonly pools: Map<string, PoolState>;
  readonly sessions: Map<string, SessionState>;
  readonly timers: TimerHeap<TimerValue>;
  /** Pools where folding an event may have let a task start; the step schedules and empties it. */
  readonly woken: Set<PoolState>;
  /** Pools that share devices, in the order in which they were set. */
  sharing: readonly PoolState[];
}

export function createState(tuning: Tuning): CoreState {
  return {
    tuning,
    nextSeq: 1,
    tenants: new Tenants(),
    tasks: new Map(),
    pools: new Map(),
    sessions: new Map(),
    timers: new TimerHeap(),
    woken: new Set(),
    sharing: [],
  };
}

export function poolOf(state: CoreState, poolId: string): PoolState {
  let pool = state.pools.get(poolId);
  if (pool === undefined) {
    const weightOf = (tenantId: string, priority: Priority): number =>
      flowWeight(state.tenants, created.spec?.classWeights, tenantId, priority);
    const inFlight = new InFlight(weightOf);
    const created: PoolState = {
      poolId,
      spec: undefined,
      ctx: undefined,
      unavailableReason: undefined,
      drainDeadlineAtMs: undefined,
      residency: undefined,
      replicas: new Map(),
      canaryShare: undefined,
      queue: new FairQueue({
        windowCost: state.tuning.fairnessWindow,
        creditCosts: { interactive: state.tuning.returnCredit },
        weightOf,
        hasTooMuch: (tenantId, priority) => inFlight.hasTooMuch(tenantId, priority),
      }),
      inFlight,
      batchRoom: new BatchRoom(state.tuning),
      model: new PoolModel(state.tuning),
      prefixes: new PrefixIndex(),
      constrained: new Set(),
      unmatched: new Map(),
      journal: new DispatchJournal(),
      waitClock: new WaitClock(),
      inDispatchOrder: new Set(),
      running: new Map(),
      alone: new Map(),
      dispatches: 0,
      freeSlots: 0,
      gathered: 0,
      newcomers: [],
      held: { count: 0, dispatchedAtSumMs: 0 },
      sessionsByReplica: new Map(),
    };
    pool = created;
    state.pools.set(poolId, pool);
  }
  return pool;
}

export function runningOn(pool: PoolState, replicaId: string): number {
  return pool.running.get(replicaId)?.size ?? 0;
}

/** Slots for anybody: none where one task runs alone, or is to. */
export function freeSlotsOn(pool: PoolState, replicaId: string): number {
  const view = pool.replicas.get(replicaId)?.view;
  return view?.ready && !pool.alone.has(replicaId)
    ? Math.max(0, view.slots - runningOn(pool, replicaId))
    : 0;
}

/** Makes a change to one replica, or to what runs on it, and keeps the pool's free slots right. */
export function slotsChanged(pool: PoolState, replicaId: string, change: () => void): void {
  pool.freeSlots -= freeSlotsOn(pool, replicaId);
  change();
  pool.freeSlots += freeSlotsOn(pool, replicaId);
}

export const timerKeys = {
  attempt: (taskId: string) => `attempt:${taskId}`,
  deadline: (taskId: string) => `deadline:${taskId}`,
  drain: (poolId: string) => `drain:${poolId}`,
  bind: (poolId: string) => `bind:${poolId}`,
  rest: (poolId: string, replicaId: string) => `rest:${poolId}:${replicaId}`,
  session: (sessionId: string) => `session:${sessionId}`,
  swap: 'swap',
} as const;

/**
 * When the running attempt times out, and of what; wall time counts slot time over all attempts. What is
 * answered whole gives no sign of life meanwhile, so its silence means nothing.
 */
export function attemptDue(
  task: TaskRecord,
  running: RunningAttempt,
  spec: PoolSpec,
): { readonly dueMs: number; readonly timeout: 'wall' | 'idle' } {
  const wallDueMs = running.dispatchedAtMs + Math.max(0, spec.wallMs - task.ranMs);
  const idleDueMs = task.spec.answersWhole ? Infinity : task.lastProgressMs + spec.idleMs;
  return wallDueMs <= idleDueMs
    ? { dueMs: wallDueMs, timeout: 'wall' }
    : { dueMs: idleDueMs, timeout: 'idle' };
}
