/**
 * The world around a core whose pools share devices: engines that take their time to load, run tasks
 * and unload, on virtual time. It holds what must be true of every effect at the moment it comes.
 */
import { assert } from 'vitest';
import type { Core } from '../core.ts';
import { createCore } from '../core.ts';
import type { Tuning } from '../tuning.ts';
import type { Command, Effect, PoolSpec, Priority, ResidencySpec, SessionCache } from '../types.ts';
import { aPool, aReplica, aTask } from './fixtures.ts';

export interface SwapPool {
  readonly poolId: string;
  readonly slots: number;
  /** Infinity: it never comes up. */
  readonly loadMs: number;
  readonly unloadMs: number;
  readonly residency: ResidencySpec;
  /** Its engine saves what sessions have in the cache. */
  readonly savesCache?: boolean;
}

export interface SwapTask {
  readonly poolId: string;
  readonly atMs: number;
  readonly runMs: number;
  readonly priority?: Priority;
  readonly sessionId?: string;
  readonly canceledAtMs?: number;
}

/** What came of a task. */
export interface SwapOutcome {
  readonly poolId: string;
  readonly arrivedAtMs: number;
  readonly predictedStartMs: number;
  dispatchedAtMs: number | undefined;
  kvWarmth: boolean;
}

interface Due {
  readonly atMs: number;
  readonly seq: number;
  readonly run: () => void;
}

export class SwapWorld {
  readonly core: Core;
  readonly outcomes = new Map<string, SwapOutcome>();
  loads = 0;
  /** Longest time that tasks of a pool waited for it to be loaded, ms. */
  readonly unservedMs = new Map<string, number>();
  nowMs = 0;
  readonly #pools: ReadonlyMap<string, SwapPool>;
  readonly #loadedAtMs = new Map<string, number>();
  readonly #occupying = new Set<string>();
  readonly #unservedSinceMs = new Map<string, number>();
  readonly #running = new Map<string, Set<string>>();
  readonly #sessionIds = new Set<string>();
  readonly #saved = new Map<string, readonly SessionCache[]>();
  readonly #runMs = new Map<string, number>();
  #due: Due[] = [];
  #seq = 0;

  constructor(pools: readonly SwapPool[], tuning: Partial<Tuning> = {}) {
    this.#pools = new Map(pools.map((pool) => [pool.poolId, pool]));
    this.core = createCore({ sessionLimits: { ttlMs: 600_000, maxTurns: 100 }, tuning });
    for (const pool of pools) {
      const spec: PoolSpec = aPool({
        poolId: pool.poolId,
        capacity: 100_000,
        wallMs: 3_600_000,
        idleMs: 3_600_000,
        residency: pool.residency,
      });
      this.#step({ type: 'pool-set', pool: spec });
    }
  }

  /** Runs until every task has been served and nothing is due. @throws AssertionError when a promise breaks */
  play(tasks: readonly SwapTask[]): void {
    for (const [index, task] of tasks.entries()) {
      this.ask(task, `t-${String(index).padStart(6, '0')}`);
    }
    for (;;) {
      const next = this.#next();
      if (next === undefined) break;
      next();
    }
  }

  /** Lets a task arrive in its time. */
  ask(task: SwapTask, taskId: string): void {
    this.#at(task.atMs, () => this.#admit(taskId, task));
  }

  /** Tells the core something else in its time. */
  tell(command: Command, atMs: number): void {
    this.#at(atMs, () => this.#step(command));
  }

  /** Lets time pass without any news. */
  settle(ms: number): void {
    const untilMs = this.nowMs + ms;
    this.#at(untilMs, () => undefined);
    while (this.nowMs < untilMs) this.#next()?.();
  }

  /** Whether the pool's engines are up, or on their way up or down. */
  isOccupying(poolId: string): boolean {
    return this.#occupying.has(poolId);
  }

  /** The earlier of what the world has due and what the core wants to be woken for. */
  #next(): (() => void) | undefined {
    this.#due.sort((a, b) => a.atMs - b.atMs || a.seq - b.seq);
    const [due] = this.#due;
    const wakeAtMs = this.core.nextWakeMs();
    if (wakeAtMs !== undefined && (due === undefined || wakeAtMs < due.atMs)) {
      // Watchdogs of the far future keep no test running.
      if (due === undefined && this.#isDone()) return undefined;
      return () => {
        this.nowMs = Math.max(this.nowMs, wakeAtMs);
        this.#step({ type: 'tick' });
      };
    }
    if (due === undefined) return undefined;
    this.#due.shift();
    return () => {
      this.nowMs = Math.max(this.nowMs, due.atMs);
      due.run();
    };
  }

  #isDone(): boolean {
    return this.core.liveTasks(this.nowMs).length === 0;
  }

  #at(atMs: number, run: () => void): void {
    this.#due.push({ atMs, seq: this.#seq++, run });
  }

  #admit(taskId: string, { poolId, runMs, priority, sessionId, canceledAtMs }: SwapTask): void {
    this.#runMs.set(taskId, runMs);
    if (canceledAtMs !== undefined) {
      this.#at(canceledAtMs, () => this.#step({ type: 'cancel', taskId, reason: 'client' }));
    }
    if (sessionId !== undefined) this.#sessionIds.add(sessionId);
    const task = aTask(taskId, { poolId, priority: priority ?? 'interactive', sessionId });
    this.#step({ type: 'admit', task });
  }

  #step(command: Command): void {
    const { effects } = this.core.step(command, this.nowMs);
    for (const effect of effects) this.#see(effect);
    for (const poolId of this.#pools.keys()) this.#noteService(poolId);
  }

  #noteService(poolId: string): void {
    const { interactive = 0, batch = 0 } = this.core.poolView(poolId)?.waiting ?? {};
    const isServed = this.#loadedAtMs.has(poolId) || interactive + batch === 0;
    const sinceMs = this.#unservedSinceMs.get(poolId);
    if (!isServed && sinceMs === undefined) this.#unservedSinceMs.set(poolId, this.nowMs);
    if (!isServed || sinceMs === undefined) return;
    this.#unservedSinceMs.delete(poolId);
    const longestMs = Math.max(this.unservedMs.get(poolId) ?? 0, this.nowMs - sinceMs);
    this.unservedMs.set(poolId, longestMs);
  }

  #see(effect: Effect): void {
    switch (effect.type) {
      case 'accepted': {
        const view = this.core.task(effect.taskId, this.nowMs);
        this.outcomes.set(effect.taskId, {
          poolId: view?.spec.poolId ?? '',
          arrivedAtMs: this.nowMs,
          predictedStartMs: effect.predictedStartMs,
          dispatchedAtMs: undefined,
          kvWarmth: false,
        });
        return;
      }
      case 'dispatch':
        return this.#dispatch(effect);
      case 'load-pool':
        return this.#load(effect.poolId);
      case 'unload-pool':
        return this.#unload(effect.poolId);
      case 'rejected':
        return assert.fail(`refused: ${effect.message}`);
      default:
        return;
    }
  }

  #dispatch(effect: Extract<Effect, { type: 'dispatch' }>): void {
    const { taskId, poolId, attempt, kvWarmth } = effect;
    assert.ok(this.#loadedAtMs.has(poolId), 'a task runs only where its model is loaded');
    const outcome = this.outcomes.get(taskId);
    if (outcome !== undefined) {
      outcome.dispatchedAtMs = this.nowMs;
      outcome.kvWarmth = kvWarmth;
    }
    const running = this.#running.get(poolId) ?? new Set();
    this.#running.set(poolId, running.add(taskId));
    const firstMs = this.nowMs + 1;
    const endMs = this.nowMs + Math.max(2, this.#runMs.get(taskId) ?? 2);
    this.#at(firstMs, () => this.#step({ type: 'progress', taskId, attempt, tokensOut: 1 }));
    this.#at(endMs, () => {
      running.delete(taskId);
      const usage = { tokensIn: 8, tokensOut: 2, decodeMs: endMs - firstMs, cachedTokens: 0 };
      this.#step({ type: 'finish', taskId, attempt, finishReason: 'stop', usage });
    });
  }

  #load(poolId: string): void {
    const pool = this.#pool(poolId);
    assert.ok(!this.#occupying.has(poolId), 'what is loaded is not loaded again');
    this.#occupying.add(poolId);
    this.#checkRoom();
    this.loads += 1;
    if (pool.loadMs === Infinity) return;
    this.#at(this.nowMs + pool.loadMs, () => {
      this.#loadedAtMs.set(poolId, this.nowMs);
      const replicaId = `${poolId}-0`;
      const replica = aReplica(replicaId, { poolId, slots: pool.slots });
      const sessions = this.#saved.get(poolId);
      if (sessions !== undefined) {
        this.#step({ type: 'replica-set', replica: { ...replica, ready: false } });
        this.#step({ type: 'cache-restored', poolId, replicaId, sessions, prefixes: [] });
      }
      this.#step({ type: 'replica-set', replica });
    });
  }

  #unload(poolId: string): void {
    const pool = this.#pool(poolId);
    assert.ok(this.#occupying.has(poolId), 'only what is there is unloaded');
    assert.strictEqual(this.#running.get(poolId)?.size ?? 0, 0, 'no running generation is killed');
    this.#loadedAtMs.delete(poolId);
    const replicaId = `${poolId}-0`;
    const { savesCache = false } = pool;
    if (savesCache) this.#saved.set(poolId, this.#cacheOf(replicaId));
    this.#at(this.nowMs, () => this.#step({ type: 'replica-gone', poolId, replicaId }));
    this.#at(this.nowMs + pool.unloadMs, () => {
      this.#occupying.delete(poolId);
      this.#step({ type: 'pool-unloaded', poolId, savedCache: savesCache });
    });
  }

  #cacheOf(replicaId: string): readonly SessionCache[] {
    return [...this.#sessionIds].flatMap((sessionId) => {
      const session = this.core.session(sessionId, this.nowMs);
      return session?.replicaId === replicaId ? { sessionId, kvTokens: session.kvTokens } : [];
    });
  }

  #checkRoom(): void {
    const used = new Map<string, number>();
    for (const poolId of this.#occupying) {
      const { devices, share } = this.#pool(poolId).residency;
      for (const device of devices) used.set(device, (used.get(device) ?? 0) + share);
    }
    for (const [device, share] of used) assert.isAtMost(share, 1 + 1e-9, `${device} is overfull`);
  }

  #pool(poolId: string): SwapPool {
    const pool = this.#pools.get(poolId);
    if (pool === undefined) throw new Error(`there is no pool ${poolId}`);
    return pool;
  }
}
