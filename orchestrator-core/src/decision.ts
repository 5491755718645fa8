/** Why a task was dispatched when and where it was: what `explain` shows, in the core's own words. */
import type { Priority } from './types.ts';

/** Why a replica was not the one. */
export type PassOver =
  | 'not-ready'
  | 'resting'
  | 'other-set'
  | 'device'
  | 'labels'
  | 'anti-affinity'
  | 'no-slot'
  | 'no-kv-room'
  | 'prefilling'
  | 'slower';

export interface ReplicaVerdict {
  readonly replicaId: string;
  readonly verdict: 'chosen' | PassOver;
  /** Time to the first token had the task gone there, ms; undefined where it could not go. */
  readonly firstTokenMs: number | undefined;
  /** Prompt tokens believed to be in its cache. */
  readonly cachedTokens: number;
}

/** Why some other task ran before this one. */
export type Precedence =
  /** It arrived earlier, in the same class of the same tenant. */
  | 'arrived-earlier'
  /** It had to start sooner: an earlier deadline, or less work to its first token. */
  | 'more-urgent'
  /** Its class had received less than its share. */
  | 'class-share'
  /** Its tenant had received less than its share. */
  | 'tenant-share';

/** Tasks of one tenant and class that ran first, for one reason. */
export interface WentFirst {
  readonly tenantId: string;
  readonly priority: Priority;
  readonly reason: Precedence;
  readonly tasks: number;
}

/** What kept the pool from dispatching while a task waited. */
export type WaitCause =
  | 'pool-draining'
  | 'pool-unavailable'
  | 'no-ready-replica'
  | 'no-free-slot'
  | 'no-kv-room'
  | 'replicas-prefilling'
  /** A replica was open, and the task was not its turn, held for a warm replica, or at its tenant's limit. */
  | 'turn';

export type WaitCauses = { readonly [C in WaitCause]: number };

export interface DispatchDecision {
  /** Since the task was queued for this attempt, ms. */
  readonly waitedMs: number;
  /** The same time by cause, ms; causes without any time are left out. */
  readonly waits: Partial<WaitCauses>;
  readonly wentFirst: readonly WentFirst[];
  /** True when `wentFirst` counts only the latest dispatches, because there were more. */
  readonly wentFirstTruncated: boolean;
  /** The chosen one first, then by estimate; at most `MAX_VERDICTS`. */
  readonly replicas: readonly ReplicaVerdict[];
  /** From the dispatch to the first token, ms. */
  readonly firstTokenMs: number;
  /** The task that was stopped to make room. */
  readonly preempted: boolean;
}

export const MAX_VERDICTS = 8;
