/** The words in which a replica is described, driven and watched. */
import type { IterationConstants } from './iteration-time.ts';

export interface ReplicaOptions {
  readonly constants: IterationConstants;
  /** Tokens of one step, decodes included. */
  readonly tokenBudget: number;
  /** KV memory for running requests, tokens. */
  readonly kvTokens: number;
  /** Prefix cache, tokens; 0 for none. */
  readonly cacheTokens: number;
  /** Requests that may run at once. */
  readonly slots: number;
  /** Every step takes this many times as long. */
  readonly slowdown: number;
  /** Each step is stretched by a factor drawn evenly from 1 ± this share. */
  readonly noise: number;
  readonly seed: number;
  /** Go step by step, so that `stepEnded` hears of each one. Slower by the length of the jumps. */
  readonly reportSteps: boolean;
}

export const DEFAULT_TOKEN_BUDGET = 2048;
export const DEFAULT_KV_TOKENS = 420_000;

/** One stay of a request on a replica. A request that was preempted comes back as a new one. */
export interface Attempt {
  readonly requestId: number;
  readonly promptTokens: number;
  /** All tokens the request will produce, in this stay and earlier ones. */
  readonly outputTokens: number;
  /** Tokens produced in earlier stays: prefilled again together with the prompt. */
  readonly producedBefore: number;
  readonly blocks: readonly number[];
}

export interface ReplicaListener {
  /** `cachedTokens`: what the prefix cache spared this stay. */
  firstToken(attempt: Attempt, atMs: number, cachedTokens: number): void;
  finished(attempt: Attempt, atMs: number): void;
  /** `produced`: tokens over all stays. */
  aborted(attempt: Attempt, atMs: number, produced: number): void;
  /** Once per segment; a jump over decode-only steps is one segment. */
  stepEnded?(atMs: number): void;
}

/** What an engine's metrics endpoint tells. */
export interface EngineSignals {
  readonly running: number;
  readonly waiting: number;
  /** KV memory promised to running requests, tokens. */
  readonly kvTokens: number;
}

/**
 * What only the replica itself knows at this instant. No router has it; the published reference
 * figures were made with policies that read it, so they are reproduced with it.
 */
export interface ReplicaTruth extends EngineSignals {
  readonly decodes: number;
  /** Sum of the decodes' contexts, tokens. */
  readonly decodeContext: number;
  /** Tokens to prefill that no step has taken yet: the running step's share counts as done. */
  readonly unstartedTokens: number;
  /** When the running step ends; `nowMs` when none runs. */
  stepEndMs(nowMs: number): number;
  /** Tokens of a prompt that the prefix cache holds. */
  hitTokens(promptTokens: number, blocks: readonly number[]): number;
}
