/** The words of the replica machine: what it is, what happens to it, what it wants done. */
import type { Breaker } from './circuit-breaker.ts';
import type { FailureClass } from './failure-class.ts';
import type { ProbePolicy, RestartPolicy } from './pool-config.ts';
import type { ReplicaState, ReplicaSuspicion } from './types.ts';

/** Why a replica was given up; a metric label, so the list is closed. */
export type GiveUpReason =
  'launch' | 'exit' | 'load-timeout' | 'self-test' | 'probe' | 'garbage' | 'hung' | FailureClass;

export interface ReplicaMachine {
  /** We started the process and may replace it. */
  readonly owned: boolean;
  readonly state: ReplicaState;
  readonly draining: boolean;
  /** The engine answered when last asked. */
  readonly answers: boolean;
  readonly failedProbes: number;
  /** Failures in a row, forgiven by a stable period: the exponent of the backoff. */
  readonly failures: number;
  /** Restarts over the whole life, and the times of those that still count against the budget. */
  readonly restarts: number;
  readonly restartsAtMs: readonly number[];
  readonly breaker: Breaker;
  /** Starts refused in a row for want of memory. */
  readonly refusals: number;
  readonly readySinceMs: number | undefined;
  readonly lastError: { readonly message: string; readonly atMs: number } | undefined;
}

export type ReplicaInput =
  | { readonly type: 'start' }
  | { readonly type: 'launched' }
  /** The engine answers but is still loading. */
  | { readonly type: 'answered' }
  | { readonly type: 'loaded' }
  | { readonly type: 'passed' }
  | { readonly type: 'misfit'; readonly detail: string }
  /** There is not memory enough for it now. */
  | { readonly type: 'refused'; readonly detail: string }
  /** It said that its device does not work. */
  | { readonly type: 'device-fault'; readonly detail: string }
  /** `crashed`: the engine ended by itself, and what it ran may be why. */
  | {
      readonly type: 'broken';
      readonly reason: GiveUpReason;
      readonly detail: string;
      readonly crashed?: boolean;
    }
  | { readonly type: 'probe-ok' }
  | { readonly type: 'probe-failed'; readonly detail: string }
  | { readonly type: 'suspected'; readonly suspicion: ReplicaSuspicion; readonly detail: string }
  | { readonly type: 'wait-over' }
  | { readonly type: 'drain' }
  | { readonly type: 'undrain' }
  | { readonly type: 'stop'; readonly graceMs: number };

export type ReplicaAction =
  | { readonly type: 'launch' }
  | { readonly type: 'await-load' }
  | { readonly type: 'self-test' }
  /** Replaces whatever probe or wait is pending. `decode` asks for a token where `health` only asks. */
  | { readonly type: 'probe'; readonly kind: 'health' | 'decode'; readonly delayMs: number }
  | { readonly type: 'wait'; readonly delayMs: number }
  /** End this life: close the connections, stop the process within the grace, forget what is pending. */
  | { readonly type: 'discard'; readonly graceMs: number }
  | { readonly type: 'report-preload'; readonly outcome: 'ok' | 'failed' }
  | { readonly type: 'report-restart'; readonly reason: GiveUpReason; readonly delayMs: number };

export interface TransitionContext {
  readonly nowMs: number;
  readonly probe: ProbePolicy;
  readonly restart: RestartPolicy;
  readonly killGraceMs: number;
  /** Uniform in [0, 1). */
  readonly jitter: () => number;
  /** Books a restart with the pool's storm bound; returns the delay to keep, ms. */
  readonly bookRestart: (delayMs: number) => number;
  /** Asks for the pool's permit to try with an open breaker; it is given back when the try is over. */
  readonly takeProbe: () => boolean;
}

export interface Transition {
  readonly machine: ReplicaMachine;
  readonly actions: readonly ReplicaAction[];
}
