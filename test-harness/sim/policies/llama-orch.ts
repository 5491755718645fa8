/**
 * The scheduler of llama-orch itself: the core that runs in the daemon, driven by the simulator's
 * events instead of a daemon's. It is told nothing that a daemon would not know.
 */
import {
  blocksUpTo,
  createCore,
  type Command,
  type Core,
  type Effect,
  type PoolSpec,
  type PromiseEffect,
  type PromptPrefix,
  type TaskSpec,
  type TenantSpec,
  type Tuning,
} from '@llama-orch/orchestrator-core';
import type { FinishedUsage, Fleet, NamedPolicy, Policy, RouterRequest } from '../policy.ts';

export interface LlamaOrchOptions {
  readonly name?: string;
  readonly tuning?: Partial<Tuning>;
  readonly pool?: Partial<PoolSpec>;
  readonly tenants?: readonly TenantSpec[];
  /** Waits and chances that the core forecast, for who wants to compare them with what happened. */
  readonly onForecast?: (requestId: number, effect: PromiseEffect) => void;
  readonly onCore?: (core: Core) => void;
}

const POOL_ID = 'pool';
const BLOCK_TOKENS = 512;
/** How often a daemon tells the core of tokens that came. */
const PROGRESS_EVERY_MS = 50;
/** Engines without a bound on sequences take as many as anyone configures. */
const MOST_SLOTS = 1_024;

export const llamaOrch = llamaOrchWith({});

export function llamaOrchWith(options: LlamaOrchOptions): NamedPolicy {
  return {
    name: options.name ?? 'llama-orch',
    about: 'the production core: fair order, late binding, learned estimates, prefix index',
    create: (fleet) => new LlamaOrch(fleet, options),
  };
}

interface Running {
  readonly attempt: number;
  readonly replica: number;
  firstTokenMs: number | undefined;
  told: number;
}

class LlamaOrch implements Policy {
  readonly #fleet: Fleet;
  readonly #options: LlamaOrchOptions;
  readonly #core: Core;
  readonly #requests = new Map<number, RouterRequest>();
  readonly #running = new Map<number, Running>();
  /** Stopped by the core, not yet given back by the engine; with the replica to go to next, if any. */
  readonly #aborting = new Map<number, number | undefined>();
  /** Finished before the engine heard that it should stop: done as soon as the core sends it again. */
  readonly #finishedAnyway = new Map<number, FinishedUsage>();
  /** Those of them that the core has just sent again. */
  readonly #doneOnArrival: number[] = [];
  #progressAtMs = 0;

  constructor(fleet: Fleet, options: LlamaOrchOptions) {
    this.#fleet = fleet;
    this.#options = options;
    this.#core = createCore({
      sessionLimits: { ttlMs: 600_000, maxTurns: 1e9 },
      tuning: { gatherArrivals: true, ...options.tuning },
    });
    options.onCore?.(this.#core);
    this.#step({ type: 'tenants-set', tenants: options.tenants ?? [] });
    this.#step({ type: 'pool-set', pool: poolSpec(options.pool) });
    for (const { index, slots, kvTokens, cacheTokens, tokenBudget } of fleet.replicas) {
      this.#step({
        type: 'replica-set',
        replica: {
          replicaId: replicaId(index),
          poolId: POOL_ID,
          setId: 'set',
          slots: Math.min(MOST_SLOTS, slots),
          ctx: 1e9,
          ready: true,
          kvTokens,
          cacheTokens,
          chunkTokens: tokenBudget,
          interruptible: true,
        },
      });
    }
  }

  arrived(request: RouterRequest): void {
    this.#requests.set(request.id, request);
    this.#step({ type: 'admit', task: taskSpec(request) });
  }

  firstToken(requestId: number): void {
    const running = this.#running.get(requestId);
    if (running === undefined) return;
    running.firstTokenMs = this.#fleet.nowMs;
    this.#tell(requestId, running, 1);
  }

  finished(requestId: number, _replica: number, usage: FinishedUsage): void {
    const running = this.#running.get(requestId);
    const request = this.#requests.get(requestId);
    this.#aborting.delete(requestId);
    if (running === undefined || request === undefined) {
      this.#finishedAnyway.set(requestId, usage);
      return;
    }
    this.#running.delete(requestId);
    this.#requests.delete(requestId);
    const { nowMs } = this.#fleet;
    this.#step({
      type: 'finish',
      taskId: String(requestId),
      attempt: running.attempt,
      finishReason: 'stop',
      usage: {
        tokensIn: request.promptTokens,
        tokensOut: usage.outputTokens,
        cachedTokens: usage.cachedTokens,
        decodeMs: nowMs - (running.firstTokenMs ?? nowMs),
      },
    });
  }

  aborted(requestId: number): void {
    const replica = this.#aborting.get(requestId);
    this.#aborting.delete(requestId);
    if (replica !== undefined) this.#fleet.dispatch(requestId, replica);
  }

  nextWakeMs(): number | undefined {
    const wakeMs = this.#core.nextWakeMs() ?? Infinity;
    const progressMs = this.#running.size === 0 ? Infinity : this.#progressAtMs;
    const nextMs = Math.min(wakeMs, progressMs);
    return nextMs === Infinity ? undefined : nextMs;
  }

  wake(): void {
    const { nowMs } = this.#fleet;
    if (this.#running.size > 0 && this.#progressAtMs <= nowMs) {
      this.#progressAtMs = nowMs + PROGRESS_EVERY_MS;
      for (const [requestId, running] of this.#running) {
        if (running.firstTokenMs === undefined) continue;
        const produced = this.#fleet.producedTokens(requestId);
        if (produced > running.told) this.#tell(requestId, running, produced);
      }
    }
    if ((this.#core.nextWakeMs() ?? Infinity) <= nowMs) this.#step({ type: 'tick' });
  }

  #tell(requestId: number, running: Running, tokensOut: number): void {
    running.told = tokensOut;
    const { attempt } = running;
    const lastTokenMs = this.#fleet.lastTokenMs(requestId) ?? this.#fleet.nowMs;
    this.#step({ type: 'progress', taskId: String(requestId), attempt, tokensOut, lastTokenMs });
  }

  #step(command: Command): void {
    for (const effect of this.#core.step(command, this.#fleet.nowMs).effects) this.#act(effect);
    // Only when all of this step is carried out, as what is done may be stopped once more by it.
    for (const requestId of this.#doneOnArrival.splice(0)) {
      const usage = this.#finishedAnyway.get(requestId);
      const running = this.#running.get(requestId);
      if (usage !== undefined && running) this.finished(requestId, running.replica, usage);
    }
  }

  #act(effect: Effect): void {
    switch (effect.type) {
      case 'accepted':
      case 'foreseen':
        return this.#options.onForecast?.(Number(effect.taskId), effect);
      case 'rejected':
        return this.#fleet.reject(Number(effect.taskId));
      case 'dispatch':
        return this.#dispatch(Number(effect.taskId), effect.attempt, indexOf(effect.replicaId));
      case 'abort': {
        const requestId = Number(effect.taskId);
        this.#running.delete(requestId);
        if (this.#finishedAnyway.has(requestId)) return;
        // Stopped again before the engine gave it back: then it was not sent again yet either.
        const isAborting = this.#aborting.has(requestId);
        this.#aborting.set(requestId, undefined);
        return isAborting ? undefined : this.#fleet.abort(requestId);
      }
      case 'ended': {
        const requestId = Number(effect.taskId);
        const isAnswered = this.#finishedAnyway.delete(requestId);
        if (effect.outcome.kind !== 'completed' && !isAnswered) this.#fleet.reject(requestId);
        return;
      }
      // The fleet is loaded from the start and shares nothing.
      case 'load-pool':
      case 'unload-pool':
      case 'requeued':
      case 'evict-session':
        return;
    }
  }

  #dispatch(requestId: number, attempt: number, replica: number): void {
    if (this.#running.size === 0) this.#progressAtMs = this.#fleet.nowMs + PROGRESS_EVERY_MS;
    this.#running.set(requestId, { attempt, replica, firstTokenMs: undefined, told: 0 });
    if (this.#finishedAnyway.has(requestId)) this.#doneOnArrival.push(requestId);
    else if (this.#aborting.has(requestId)) this.#aborting.set(requestId, replica);
    else this.#fleet.dispatch(requestId, replica);
  }
}

function poolSpec(fields: Partial<PoolSpec> | undefined): PoolSpec {
  return {
    poolId: POOL_ID,
    engine: 'vllm',
    capacity: 1e9,
    classCapacity: {},
    fullPolicy: 'reject',
    wallMs: 1e12,
    idleMs: 1e12,
    ctx: 1e9,
    device: 'gpu',
    maxAttempts: 3,
    classWeights: { interactive: 8, batch: 1 },
    preemption: 'soft',
    maxPreemptions: 3,
    ...fields,
  };
}

function taskSpec(request: RouterRequest): TaskSpec {
  return {
    taskId: String(request.id),
    poolId: POOL_ID,
    tenantId: request.tenant,
    priority: request.priority,
    sessionId: undefined,
    promptTokens: request.promptTokens,
    promptTokensExact: true,
    maxTokens: request.maxTokens,
    expectedTokens: undefined,
    ctx: undefined,
    deadlineAtMs: request.firstTokenByMs,
    deadlineFor: 'first-token',
    rerunnable: true,
    kvHint: 'reuse',
    prefix: prefixOf(request.blocks),
  };
}

/** Ids of blocks that stand for all up to their end are what chained hashes are. */
function prefixOf(blocks: readonly number[]): PromptPrefix | undefined {
  if (blocks.length === 0) return undefined;
  const hashes: number[] = [];
  for (let count = 1; blocksUpTo(count) <= blocks.length; count += 1) {
    const id = blocks[blocksUpTo(count) - 1];
    if (id !== undefined) hashes.push(id | 0);
  }
  return { blockTokens: BLOCK_TOKENS, hashes };
}

function replicaId(index: number): string {
  return `r${String(index).padStart(3, '0')}`;
}

function indexOf(id: string): number {
  return Number(id.slice(1));
}
