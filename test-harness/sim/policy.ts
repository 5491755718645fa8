/**
 * What a router may see and do. A policy never learns how long an answer will be before it ends,
 * nor anything of requests that have not arrived; engine metrics reach it late.
 */
import type { IterationConstants } from './iteration-time.ts';
import type { EngineSignals, ReplicaTruth } from './replica-types.ts';

export type Priority = 'interactive' | 'batch';

/** A request as it arrives at the router. */
export interface RouterRequest {
  /** Position in the trace: 0, 1, 2, … */
  readonly id: number;
  readonly arrivalMs: number;
  readonly promptTokens: number;
  /** Ids of the prompt's leading blocks of 512 tokens; empty when the trace has none. */
  readonly blocks: readonly number[];
  readonly tenant: string;
  readonly priority: Priority;
  /** Absolute time by which the first token is wanted. */
  readonly firstTokenByMs: number | undefined;
  /** The client's bound on generated tokens. */
  readonly maxTokens: number | undefined;
}

/** What an operator would know of a replica from its configuration and its model card. */
export interface ReplicaFacts {
  readonly index: number;
  /** Step times as a calibration run on a healthy replica would give. */
  readonly constants: IterationConstants;
  readonly kvTokens: number;
  readonly cacheTokens: number;
  readonly slots: number;
  readonly tokenBudget: number;
}

/** The router's hands. All calls are valid at any time inside a `Policy` method. */
export interface Fleet {
  readonly replicas: readonly ReplicaFacts[];
  readonly nowMs: number;
  /** The replicas' own state, by index: only where the scenario makes signals exact. */
  readonly truth: readonly ReplicaTruth[] | undefined;
  /** Hands a held request to a replica, where it joins the engine's own waiting line. */
  dispatch(requestId: number, replica: number): void;
  /** Answers a held request with a refusal. */
  reject(requestId: number): void;
  /**
   * Takes a dispatched request back. `Policy.aborted` tells when it is back in the router's
   * hands; until then, and when it finishes first, it stays dispatched.
   */
  abort(requestId: number): void;
  /** Engine metrics, as old as the scenario says. */
  signals(replica: number): EngineSignals;
  /** Tokens streamed through the router so far for one request. */
  producedTokens(requestId: number): number;
  /** When the last of them came; undefined while none has from the present stay. */
  lastTokenMs(requestId: number): number | undefined;
}

export interface FinishedUsage {
  readonly outputTokens: number;
  /** Prompt tokens that the engine's prefix cache spared. */
  readonly cachedTokens: number;
}

/**
 * One routing and scheduling rule. Every method may use the fleet at once. Notices of one instant
 * come in this order: what replicas report, arrivals, `wake`.
 */
export interface Policy {
  arrived(request: RouterRequest): void;
  firstToken?(requestId: number, replica: number): void;
  finished?(requestId: number, replica: number, usage: FinishedUsage): void;
  /** The request is held again; `produced` tokens are kept and are prefilled anew when it runs. */
  aborted?(requestId: number, replica: number, produced: number): void;
  /** Called when `nextWakeMs` is due. */
  wake?(): void;
  /** Read after every call; undefined for no timer. */
  nextWakeMs?(): number | undefined;
}

export interface NamedPolicy {
  readonly name: string;
  readonly about: string;
  create(fleet: Fleet): Policy;
}
