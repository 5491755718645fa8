/** Why a task was dispatched when and where it was: what `explain` shows, in the core's own words. */
import type { Priority } from './types.ts';

/** Why a replica was not the one. */
export type PassOver =
  | 'not-ready'
  | 'resting'
  | 'other-set'
  /** One of the two is for the canary's share of the tasks, the other is not. */
  | 'canary-share'
  | 'device'
  | 'labels'
  /** The task's answer is to be compared with one from there. */
  | 'excluded'
  | 'anti-affinity'
  | 'no-slot'
  /** It runs alone there, and others run there yet. */
  | 'not-idle'
  | 'no-kv-room'
  | 'prefilling'
  /** It is batch work, and would slow the interactive answers there too much. */
  | 'kept-back'
  | 'slower';

export interface ReplicaVerdict {
  readonly replicaId: string;
  readonly verdict: 'chosen' | PassOver;
  /** Time to the first token had the task gone there, ms; undefined where it could not go. */
  readonly firstTokenMs: number | undefined;
  /** Prompt tokens believed to be in its cache. */
  readonly cachedTokens: number;
}

/**
 * Why some other task ran before this one. The first two are told within a flow, and between flows whose
 * service differed by no more than the fairness window.
 */
export type Precedence =
  /** It arrived earlier and had to start no later; neither has a deadline. */
  | 'arrived-earlier'
  /** It had to start sooner: an earlier deadline, less work to its first token, or the class that waits less. */
  | 'more-urgent'
  /** Its class had received less for its weight than that of this one, of the same tenant. */
  | 'class-share'
  /** Its tenant had received less for its weight, or this one's had too much running at once. */
  | 'tenant-share'
  /** This one was stopped for it. */
  | 'preempted'
  /** This one was late already, or its deadline out of reach, and came after those that were not. */
  | 'was-late'
  /** It could run where this one could not or would not: for its place, its tenant's limit, or a better replica. */
  | 'could-run';

/** Tasks of one tenant and class that ran first, for one reason. */
export interface WentFirst {
  readonly tenantId: string;
  readonly priority: Priority;
  readonly reason: Precedence;
  readonly tasks: number;
}

/** What keeps a pool from dispatching. */
export type PoolCause =
  | 'pool-draining'
  | 'pool-unavailable'
  | 'no-ready-replica'
  /** Its model is not loaded, or makes room for another. */
  | 'model-not-loaded'
  | 'no-free-slot'
  | 'no-kv-room'
  | 'replicas-prefilling'
  /** A replica was open, and the task was not its turn, held for a warm replica, or at its tenant's limit. */
  | 'turn';

/** What keeps a task from being dispatched: its pool, or that no replica has the labels and devices it names. */
export type WaitCause = PoolCause | 'no-matching-replica';

/** `before-restart`: the process before this one kept the task waiting, or none ran. More is not known of it. */
export type WaitCauses = { readonly [C in WaitCause | 'before-restart']: number };

/** A wait in the queue. */
export interface WaitRecord {
  /** Since the task was queued, or queued again, ms. */
  readonly waitedMs: number;
  /** The same time by cause, ms; causes without any time are left out. */
  readonly waits: Partial<WaitCauses>;
  readonly wentFirst: readonly WentFirst[];
  /** True when `wentFirst` counts only the latest dispatches, because there were more. */
  readonly wentFirstTruncated: boolean;
}

export interface DispatchDecision extends WaitRecord {
  /** The chosen one first, then by estimate; at most `MAX_VERDICTS`. */
  readonly replicas: readonly ReplicaVerdict[];
  /** From the dispatch to the first token, ms. */
  readonly firstTokenMs: number;
  /** The task that was stopped to make room. */
  readonly preempted: boolean;
}

export const MAX_VERDICTS = 8;
