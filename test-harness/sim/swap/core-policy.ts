/** The core as an arena policy: the very code that decides in the daemon. */
import { createCore } from '@llama-orch/orchestrator-core';
import type { Command, Core, Effect, ResidencySpec } from '@llama-orch/orchestrator-core';
import type { ArenaDevice, ArenaPolicy, ArenaTask } from './device-arena.ts';

export type ResidencyKnobs = Pick<ResidencySpec, 'minResidencyMs' | 'maxWaitMs'>;

const DEVICE = 'gpu0';
const NEVER_MS = 1e9;

export class CorePolicy implements ArenaPolicy {
  readonly #device: ArenaDevice;
  readonly #core: Core;
  readonly #tasks = new Map<string, ArenaTask>();
  readonly #attempts = new Map<string, number>();
  #wakeAtMs = Infinity;

  constructor(device: ArenaDevice, knobs: ResidencyKnobs) {
    this.#device = device;
    this.#core = createCore({ sessionLimits: { ttlMs: NEVER_MS, maxTurns: 1_000 } });
    for (const [model, { loadMs }] of device.models.entries()) {
      this.#step({
        type: 'pool-set',
        pool: {
          poolId: poolOf(model),
          engine: 'llamacpp',
          capacity: 100_000,
          classCapacity: {},
          fullPolicy: 'reject',
          wallMs: NEVER_MS,
          idleMs: NEVER_MS,
          ctx: 8_192,
          device: DEVICE,
          maxAttempts: 3,
          classWeights: { interactive: 8, batch: 1 },
          preemption: 'off',
          maxPreemptions: 0,
          residency: {
            devices: [DEVICE],
            share: 1,
            keepAliveMs: undefined,
            loadMs,
            ...knobs,
          },
        },
      });
    }
  }

  arrived(task: ArenaTask): void {
    const taskId = `task-${task.id}`;
    this.#tasks.set(taskId, task);
    this.#step({
      type: 'admit',
      task: {
        taskId,
        poolId: poolOf(task.model),
        tenantId: 'default',
        priority: 'interactive',
        sessionId: undefined,
        promptTokens: 100,
        promptTokensExact: true,
        maxTokens: 100,
        expectedTokens: undefined,
        ctx: undefined,
        deadlineAtMs: undefined,
        rerunnable: true,
        kvHint: 'cold',
      },
    });
  }

  finished(task: ArenaTask): void {
    const taskId = `task-${task.id}`;
    const usage = { tokensIn: 100, tokensOut: 100, decodeMs: task.holdMs, cachedTokens: 0 };
    const attempt = this.#attempts.get(taskId) ?? 1;
    this.#step({ type: 'finish', taskId, attempt, finishReason: 'stop', usage });
  }

  loaded(model: number): void {
    const poolId = poolOf(model);
    this.#step({
      type: 'replica-set',
      replica: {
        replicaId: `${poolId}-0`,
        poolId,
        setId: poolId,
        slots: this.#device.models[model]?.slots ?? 1,
        ctx: 8_192,
        ready: true,
      },
    });
  }

  unloaded(model: number): void {
    const poolId = poolOf(model);
    this.#step({ type: 'replica-gone', poolId, replicaId: `${poolId}-0` });
    this.#step({ type: 'pool-unloaded', poolId });
  }

  woken(): void {
    this.#wakeAtMs = Infinity;
    this.#step({ type: 'tick' });
  }

  #step(command: Command): void {
    const { effects } = this.#core.step(command, this.#device.nowMs);
    const begun: Command[] = [];
    for (const effect of effects) this.#do(effect, begun);
    for (const each of begun) this.#step(each);
    const wakeAtMs = this.#core.nextWakeMs();
    if (wakeAtMs === undefined || wakeAtMs >= this.#wakeAtMs || wakeAtMs > NEVER_MS / 2) return;
    this.#wakeAtMs = wakeAtMs;
    this.#device.wakeAt(wakeAtMs);
  }

  #do(effect: Effect, begun: Command[]): void {
    switch (effect.type) {
      case 'dispatch': {
        const { taskId, attempt } = effect;
        const task = this.#tasks.get(taskId);
        if (task === undefined) throw new Error(`there is no task ${taskId}`);
        this.#attempts.set(taskId, attempt);
        this.#device.dispatch(task);
        // What is studied is the device: prompts cost nothing here.
        begun.push({ type: 'progress', taskId, attempt, tokensOut: 1 });
        return;
      }
      case 'load-pool':
        return this.#device.load(modelOf(effect.poolId));
      case 'unload-pool':
        return this.#device.unload();
      default:
        return;
    }
  }
}

function poolOf(model: number): string {
  return `model-${model}`;
}

function modelOf(poolId: string): number {
  return Number(poolId.slice('model-'.length));
}
