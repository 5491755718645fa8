/** Builders and a driver for this room's tests. */
import type { Core, CoreOptions } from '../core.ts';
import { createCore } from '../core.ts';
import type {
  Command,
  CoreEvent,
  Effect,
  PoolSpec,
  ReplicaView,
  StepResult,
  TaskSpec,
  TenantSpec,
  Usage,
} from '../types.ts';

export const SESSION_LIMITS = { ttlMs: 600_000, maxTurns: 8 } as const;

export function aTask(taskId: string, fields: Partial<TaskSpec> = {}): TaskSpec {
  return {
    taskId,
    poolId: 'p',
    tenantId: 't',
    priority: 'interactive',
    sessionId: undefined,
    promptTokens: 8,
    promptTokensExact: true,
    maxTokens: 16,
    expectedTokens: undefined,
    ctx: undefined,
    deadlineAtMs: undefined,
    rerunnable: true,
    kvHint: 'reuse',
    ...fields,
  };
}

export function aPool(fields: Partial<PoolSpec> = {}): PoolSpec {
  return {
    poolId: 'p',
    engine: 'llamacpp',
    capacity: 4,
    classCapacity: {},
    fullPolicy: 'reject',
    wallMs: 60_000,
    idleMs: 5_000,
    ctx: 1_024,
    device: 'cpu',
    maxAttempts: 3,
    classWeights: { interactive: 8, batch: 1 },
    preemption: 'soft',
    maxPreemptions: 3,
    ...fields,
  };
}

export function aReplica(replicaId: string, fields: Partial<ReplicaView> = {}): ReplicaView {
  return { replicaId, poolId: 'p', setId: 's', slots: 1, ctx: 1_024, ready: true, ...fields };
}

export const USAGE: Usage = { tokensIn: 8, tokensOut: 4, decodeMs: 40, cachedTokens: 0 };

export interface TimedEvent {
  readonly event: CoreEvent;
  readonly atMs: number;
}

/** A core on a virtual clock, with everything it ever said. */
export class Driver {
  readonly core: Core;
  readonly log: TimedEvent[] = [];
  /** Tasks in the order in which they were dispatched, once per attempt. */
  readonly started: string[] = [];
  nowMs = 1_000;

  constructor(options: Partial<CoreOptions> = {}) {
    this.core = createCore({ sessionLimits: SESSION_LIMITS, ...options });
  }

  step(command: Command): readonly Effect[] {
    return this.keep(this.core.step(command, this.nowMs));
  }

  keep({ events, effects }: StepResult): readonly Effect[] {
    for (const event of events) this.log.push({ event, atMs: this.nowMs });
    for (const effect of effects) if (effect.type === 'dispatch') this.started.push(effect.taskId);
    return effects;
  }

  pool(fields: Partial<PoolSpec> = {}): readonly Effect[] {
    return this.step({ type: 'pool-set', pool: aPool(fields) });
  }

  replica(replicaId: string, fields: Partial<ReplicaView> = {}): readonly Effect[] {
    return this.step({ type: 'replica-set', replica: aReplica(replicaId, fields) });
  }

  admit(taskId: string, fields: Partial<TaskSpec> = {}): readonly Effect[] {
    return this.step({ type: 'admit', task: aTask(taskId, fields) });
  }

  tenants(...tenants: readonly (Partial<TenantSpec> & { tenantId: string })[]): readonly Effect[] {
    const specs = tenants.map((spec) => ({ weight: 1, maxConcurrent: undefined, ...spec }));
    return this.step({ type: 'tenants-set', tenants: specs });
  }

  /** Finishes the running attempt of a task. */
  finish(taskId: string, usage: Usage = USAGE): readonly Effect[] {
    const attempt = this.attemptOf(taskId);
    return this.step({ type: 'finish', taskId, attempt, finishReason: 'stop', usage });
  }

  fail(
    taskId: string,
    fields: { tokensSent?: number; retriable?: boolean; retryAfterMs?: number } = {},
  ) {
    const { tokensSent = 0, retriable = true, retryAfterMs } = fields;
    const attempt = this.attemptOf(taskId);
    const code = 'WORKER_RESET';
    const fault = { code, message: 'connection lost', retriable, retryAfterMs } as const;
    return this.step({ type: 'fail', taskId, attempt, fault, tokensSent });
  }

  progress(taskId: string, tokensOut = 1): readonly Effect[] {
    return this.step({ type: 'progress', taskId, attempt: this.attemptOf(taskId), tokensOut });
  }

  /** Serves a running task to its end as an engine would, and so teaches the core how long that takes. */
  serve(taskId: string, fields: Partial<Usage> & { prefillMs?: number } = {}): readonly Effect[] {
    const { prefillMs = 20, ...rest } = fields;
    const usage = { ...USAGE, ...rest };
    this.nowMs += prefillMs;
    const effects = [...this.progress(taskId)];
    this.nowMs += usage.decodeMs;
    return [...effects, ...this.finish(taskId, usage)];
  }

  /** Moves the clock on and runs what is due. */
  advance(ms: number): readonly Effect[] {
    this.nowMs += ms;
    return this.step({ type: 'tick' });
  }

  attemptOf(taskId: string): number {
    return this.core.task(taskId, this.nowMs)?.attempt ?? 0;
  }

  stateOf(taskId: string): string | undefined {
    return this.core.task(taskId, this.nowMs)?.state;
  }

  replicaOf(taskId: string): string | undefined {
    return this.core.task(taskId, this.nowMs)?.replicaId;
  }
}

/** Effects of one type. */
export function ofType<T extends Effect['type']>(
  effects: readonly Effect[],
  type: T,
): readonly Extract<Effect, { type: T }>[] {
  return effects.filter((effect): effect is Extract<Effect, { type: T }> => effect.type === type);
}

/** Makes predictions of the pool founded: `count` tasks, one after another, with the same times. */
export function practise(
  driver: Driver,
  count: number,
  fields: Partial<TaskSpec> = {},
  served: Partial<Usage> & { prefillMs?: number } = {},
): void {
  for (let n = 0; n < count; n += 1) {
    driver.admit(`practice${n}`, fields);
    driver.serve(`practice${n}`, { tokensIn: fields.promptTokens ?? USAGE.tokensIn, ...served });
  }
}
