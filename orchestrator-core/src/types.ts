/**
 * The vocabulary of the core: what goes in (`Command`), what must be remembered (`CoreEvent`) and
 * what the daemon must do (`Effect`). All times are milliseconds on the caller's clock; the core
 * never reads one itself.
 */
import type { ErrorKind, PolicyLabel } from '@llama-orch/contracts';
import type { DispatchDecision, WaitRecord } from './decision.ts';
import type { Forecast } from './forecast.ts';
import type { PromptPrefix } from './prompt-prefix.ts';
import type { ResidencySpec } from './residency.ts';

export type { DispatchDecision, Forecast, ResidencySpec };

export type Priority = 'interactive' | 'batch';
export const PRIORITIES = ['interactive', 'batch'] as const satisfies readonly Priority[];

export type FullPolicy = 'reject' | 'drop-lru' | 'shed-low-priority';
/** `soft`: waiting work yields its place. `hard`: also running batch work, at a token boundary. */
export type Preemption = 'off' | 'soft' | 'hard';

/** Where a task may run; everything named must hold. */
export interface PlacementConstraints {
  /** The replica carries every one of these labels. */
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /** The replica's device is one of these. */
  readonly devices?: readonly string[] | undefined;
  /** No other task with the same value runs on the replica. */
  readonly antiAffinity?: string | undefined;
  /** The id of the one replica that may not run it: whose answer it is to be compared with. */
  readonly notOn?: string | undefined;
  /** The id of the one replica that may run it: whose answer is asked for. */
  readonly on?: string | undefined;
}

/** What the scheduler needs to know of a task. Prompts and sampling stay with the daemon. */
export interface TaskSpec {
  readonly taskId: string;
  readonly poolId: string;
  readonly tenantId: string;
  readonly priority: Priority;
  readonly sessionId: string | undefined;
  /** Tokens of the prompt: counted by the engine, or an upper bound (bytes) when it was not asked. */
  readonly promptTokens: number;
  readonly promptTokensExact: boolean;
  /** Upper bound on generated tokens; undefined means "until the context is full". */
  readonly maxTokens: number | undefined;
  /** The client's own estimate of generated tokens, when it gave one. */
  readonly expectedTokens: number | undefined;
  /** Context the client asks for; refused at admission when above the pool's. */
  readonly ctx: number | undefined;
  /** Absolute time by which the client wants what `deadlineFor` names, or undefined. */
  readonly deadlineAtMs: number | undefined;
  /** Default `end`. */
  readonly deadlineFor?: DeadlineFor | undefined;
  /** Strict tasks give the same bytes when run again, so they may be re-run after output was sent. */
  readonly rerunnable: boolean;
  /**
   * An embedding or a ranking: no token ever comes, the answer is there all at once, and nothing of it
   * is seen before. Its prompt is every text together; whether each fits the context is checked before.
   */
  readonly answersWhole?: boolean | undefined;
  readonly kvHint: 'reuse' | 'cold';
  /** Chained hashes of the prompt, or undefined when nothing is known of it. */
  readonly prefix?: PromptPrefix | undefined;
  readonly placement?: PlacementConstraints | undefined;
  /** The only set that may run it, where that is known from its start. */
  readonly setId?: string | undefined;
}

export type DeadlineFor = 'end' | 'first-token';

/** A share of every pool, and a bound on what one tenant runs at once. */
export interface TenantSpec {
  readonly tenantId: string;
  /** Share of the service relative to other tenants that have work, > 0. */
  readonly weight: number;
  /** Tasks on slots at once, over all pools. */
  readonly maxConcurrent: number | undefined;
}

export interface PoolSpec {
  readonly poolId: string;
  readonly engine: string;
  /** Waiting tasks the pool holds in total; running tasks do not count. */
  readonly capacity: number;
  /** Tighter bounds per class, where configured. */
  readonly classCapacity: { readonly [P in Priority]?: number };
  readonly fullPolicy: FullPolicy;
  readonly wallMs: number;
  readonly idleMs: number;
  /** Context per slot promised by configuration, until a replica reports its own. */
  readonly ctx: number;
  /** A pool declared on a GPU fails fast when it has no replica that can come back (ORCH-3018). */
  readonly device: string;
  /** How many attempts of one task may fail; the last one's fault ends the task. Drains and restarts do not count. */
  readonly maxAttempts: number;
  /** Share of a tenant's classes relative to each other, > 0. */
  readonly classWeights: { readonly [P in Priority]: number };
  readonly preemption: Preemption;
  /** How often one task may be stopped for others; then it runs to its end. */
  readonly maxPreemptions: number;
  /** For a pool that shares its devices with others, and is loaded on demand. */
  readonly residency?: ResidencySpec | undefined;
}

/** A replica as placement sees it. `ready` is true only between self-test and drain or failure. */
export interface ReplicaView {
  readonly replicaId: string;
  readonly poolId: string;
  readonly setId: string;
  readonly slots: number;
  /** Context per slot, tokens. */
  readonly ctx: number;
  readonly ready: boolean;
  /** Prompt tokens that its prefix cache may hold; undefined: as many as its slots' contexts. */
  readonly cacheTokens?: number | undefined;
  /** KV the slots share, tokens; undefined when every slot has a context of its own. */
  readonly kvTokens?: number | undefined;
  /** Prompt tokens the engine processes in one step. */
  readonly chunkTokens?: number | undefined;
  /** The engine stops a generation at a token boundary when asked. */
  readonly interruptible?: boolean | undefined;
  /** False when what a strict task's prompt has in the cache is not used: it would change its bytes. */
  readonly exactPrefixReuse?: boolean | undefined;
  /** A strict task gives the same bytes there only while nothing else runs: see `alone.ts`. */
  readonly strictAlone?: boolean | undefined;
  readonly device?: string | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /** Of a canary: the percentage of tasks that it is for, and no others. */
  readonly canaryPercent?: number | undefined;
}

export interface SessionLimits {
  readonly ttlMs: number;
  readonly maxTurns: number;
}

export interface Usage {
  readonly tokensIn: number;
  readonly tokensOut: number;
  /** First to last token, ms. */
  readonly decodeMs: number;
  /** Prompt tokens whose KV was already in the slot. */
  readonly cachedTokens: number;
}

export type FinishReason = 'stop' | 'length' | 'canceled';
/** `withdrawn`: its acceptance could not be made durable, so nobody was promised it. */
export type CancelReason = 'client' | 'disconnect' | 'withdrawn';

export type Outcome =
  | { readonly kind: 'completed'; readonly finishReason: 'stop' | 'length'; readonly usage: Usage }
  | { readonly kind: 'canceled'; readonly reason: CancelReason }
  | {
      readonly kind: 'failed';
      readonly code: ErrorKind;
      readonly message: string;
      readonly retriable: boolean;
      readonly retryAfterMs: number | undefined;
    };

export type TaskState = 'queued' | 'running' | 'completed' | 'failed' | 'canceled';

/** Why a running task went back to the queue. Only the first four count against `maxAttempts`. */
export type RequeueReason =
  | 'fault'
  | 'idle-timeout'
  | 'replica-gone'
  | 'replica-crashed'
  | 'drain'
  | 'recovery'
  | 'preempted';

/** Why an attempt ended without finishing its task. */
export interface AttemptFault {
  readonly code: ErrorKind;
  readonly message: string;
  /** False when trying elsewhere cannot help (bad request, context exceeded, replay diverged). */
  readonly retriable: boolean;
  /** How long the engine asked to be left alone, ms. */
  readonly retryAfterMs?: number | undefined;
}

export type Command =
  | { readonly type: 'pool-set'; readonly pool: PoolSpec }
  /** All tenants there are; one that is not named has weight 1 and no bound. */
  | { readonly type: 'tenants-set'; readonly tenants: readonly TenantSpec[] }
  | { readonly type: 'replica-set'; readonly replica: ReplicaView }
  /**
   * The replica and all it held in memory are lost, also when the same id starts again. `crashed`: its
   * engine failed by itself, and what ran on it may be why.
   */
  | {
      readonly type: 'replica-gone';
      readonly poolId: string;
      readonly replicaId: string;
      readonly crashed?: boolean;
    }
  /**
   * Whether the pool can get a ready replica again without an operator. While it cannot, admission
   * fails fast and what waits ends with POOL_UNAVAILABLE; a replica that becomes ready ends that.
   */
  | {
      readonly type: 'pool-availability';
      readonly poolId: string;
      readonly recoverable: boolean;
      readonly reason: string;
    }
  /**
   * The pool's engines have ended, after `unload-pool` or for reasons of their own, and its devices are
   * free. `savedCache`: whether they could save what they had in the cache; absent when nobody asked.
   */
  | { readonly type: 'pool-unloaded'; readonly poolId: string; readonly savedCache?: boolean }
  /**
   * A replica has again what an earlier life of it had in the cache. Comes before it is told as ready, so
   * that nothing is placed without it.
   */
  | {
      readonly type: 'cache-restored';
      readonly poolId: string;
      readonly replicaId: string;
      readonly sessions: readonly SessionCache[];
      /** What it holds, as far as that is known, the least recently used first. */
      readonly prefixes: readonly PromptPrefix[];
    }
  | { readonly type: 'admit'; readonly task: TaskSpec }
  | { readonly type: 'cancel'; readonly taskId: string; readonly reason: CancelReason }
  /**
   * Tokens came from the engine: feeds the idle watchdog, the cost of the task and what is learned of
   * the replica. `tokensOut` is the running total of the attempt. Send the first one of an attempt at
   * once, before a reader can see the token: it decides whether a re-run is safe, and it says that
   * the replica is done with the prompt.
   */
  | {
      readonly type: 'progress';
      readonly taskId: string;
      readonly attempt: number;
      readonly tokensOut: number;
      /** When the last of them came, where that was before this moment: tells how far the engine is. */
      readonly lastTokenMs?: number;
    }
  | {
      readonly type: 'finish';
      readonly taskId: string;
      readonly attempt: number;
      readonly finishReason: 'stop' | 'length';
      readonly usage: Usage;
      /** The prompt with its output: what the replica holds now, and a next turn begins with. */
      readonly prefix?: PromptPrefix | undefined;
    }
  /** `tokensSent` counts tokens that any reader may have seen, over all attempts. */
  | {
      readonly type: 'fail';
      readonly taskId: string;
      readonly attempt: number;
      readonly fault: AttemptFault;
      readonly tokensSent: number;
    }
  /** `deadlineMs` counts from this command. */
  | { readonly type: 'drain'; readonly poolId: string; readonly deadlineMs: number }
  | { readonly type: 'undrain'; readonly poolId: string }
  | { readonly type: 'session-delete'; readonly sessionId: string }
  /** Run what is due: watchdogs, session expiry, drain deadlines. Call at `nextWakeMs()`. */
  | { readonly type: 'tick' };

/**
 * Durable facts. The daemon appends them to the ledger in the order given; folding them over an
 * empty core (`restore`) gives the same durable state: tasks, their order, sessions, drains.
 */
export type CoreEvent =
  | {
      readonly type: 'task.accepted';
      readonly taskId: string;
      readonly seq: number;
      readonly task: TaskSpec;
      readonly queuePosition: number;
      readonly predictedStartMs: number;
    }
  /** What it was promised once those were known who came at the same moment: instead of what it was first. */
  | {
      readonly type: 'task.foreseen';
      readonly taskId: string;
      readonly queuePosition: number;
      readonly predictedStartMs: number;
    }
  | {
      readonly type: 'task.dispatched';
      readonly taskId: string;
      readonly attempt: number;
      readonly replicaId: string;
      /** Kept so that a re-run after output, even after a crash, stays within the same set. */
      readonly setId: string;
      readonly kvWarmth: boolean;
    }
  | {
      readonly type: 'task.requeued';
      readonly taskId: string;
      readonly reason: RequeueReason;
      /** Set once output may have been seen: only this set gives the same bytes again (ORCH-3045). */
      readonly pinnedSetId: string | undefined;
    }
  /** The engine crashed on which an attempt of it had failed shortly before. */
  | { readonly type: 'task.accused'; readonly taskId: string }
  | { readonly type: 'task.ended'; readonly taskId: string; readonly outcome: Outcome }
  | { readonly type: 'session.turn'; readonly session: SessionState }
  | {
      readonly type: 'session.ended';
      readonly sessionId: string;
      readonly reason: 'deleted' | 'expired';
    }
  /** A replica was lost: the sessions whose KV it held are cold. */
  | { readonly type: 'sessions.cooled'; readonly poolId: string; readonly replicaId: string }
  /** A replica was given back the KV of sessions that were cold: those that still are, are warm there. */
  | {
      readonly type: 'sessions.warmed';
      readonly poolId: string;
      readonly replicaId: string;
      readonly sessions: readonly SessionCache[];
    }
  /** `deadlineMs` counts from the event's own time. */
  | { readonly type: 'pool.draining'; readonly poolId: string; readonly deadlineMs: number }
  | { readonly type: 'pool.active'; readonly poolId: string };

export interface SessionState {
  readonly sessionId: string;
  readonly tenantId: string;
  readonly poolId: string;
  /** Sequence of its first task: older tasks under the same id belong to an earlier session. */
  readonly firstSeq: number;
  readonly turns: number;
  readonly expiresAtMs: number;
  /** The replica whose slot holds the session's KV, or undefined when it is cold. */
  readonly replicaId: string | undefined;
  readonly kvTokens: number;
  readonly tokensTotal: number;
}

/** What a replica has of a session in its cache. */
export interface SessionCache {
  readonly sessionId: string;
  readonly kvTokens: number;
}

/** What a task is told when it is admitted. */
export interface PromiseEffect {
  readonly taskId: string;
  readonly queuePosition: number;
  readonly predictedStartMs: number;
  readonly forecast: Forecast;
}

export type Effect =
  | (PromiseEffect & { readonly type: 'accepted' })
  /** Comes after `accepted`, at the same moment, and takes its place. */
  | (PromiseEffect & { readonly type: 'foreseen' })
  | {
      readonly type: 'rejected';
      readonly taskId: string;
      readonly code: ErrorKind;
      readonly message: string;
      readonly path: string | undefined;
      readonly policyLabel: PolicyLabel | undefined;
      readonly retryAfterMs: number | undefined;
      /** With DEADLINE_UNMET: the shortest deadline that could be kept, ms from admission. */
      readonly earliestFeasibleMs: number | undefined;
    }
  | {
      readonly type: 'dispatch';
      readonly taskId: string;
      readonly attempt: number;
      readonly poolId: string;
      readonly replicaId: string;
      readonly kvWarmth: boolean;
      /** Nothing else may be on the engine while it runs, nor the rest of what was stopped there. */
      readonly alone: boolean;
      /** Why now, why there, and who went first. */
      readonly decision: DispatchDecision;
    }
  /** Stop the engine's work on an attempt; its slot is already counted free. */
  | {
      readonly type: 'abort';
      readonly taskId: string;
      readonly attempt: number;
      readonly replicaId: string;
      readonly reason:
        | CancelReason
        | 'wall-timeout'
        | 'idle-timeout'
        | 'replica-gone'
        | 'drain'
        | 'preempted'
        | 'poison';
    }
  | { readonly type: 'requeued'; readonly taskId: string; readonly reason: RequeueReason }
  | {
      readonly type: 'ended';
      readonly taskId: string;
      readonly outcome: Outcome;
      /** The wait that this ended; undefined for a task that ran. */
      readonly wait: WaitRecord | undefined;
    }
  | { readonly type: 'evict-session'; readonly sessionId: string; readonly replicaId: string }
  /** Start the pool's engines; `replica-set` tells that they are ready. */
  | { readonly type: 'load-pool'; readonly poolId: string }
  /** End the pool's engines, on which nothing runs, and tell `pool-unloaded`. */
  | { readonly type: 'unload-pool'; readonly poolId: string };

export interface StepResult {
  readonly events: readonly CoreEvent[];
  readonly effects: readonly Effect[];
}
