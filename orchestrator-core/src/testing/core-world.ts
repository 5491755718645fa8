/**
 * The world around a core in the property tests: does what a daemon would do with random input, and
 * holds every effect, and the state after every step, against `WorldModel`.
 */
import { assert } from 'vitest';
import type { Core, CoreOptions } from '../core.ts';
import { createCore } from '../core.ts';
import type { DurableState } from '../snapshot.ts';
import type { PromptPrefix } from '../prompt-prefix.ts';
import type { Command, Effect, PoolSpec, ReplicaView, StepResult, TenantSpec } from '../types.ts';
import type { SessionCache, TaskSpec } from '../types.ts';
import type { TimedEvent } from './fixtures.ts';
import { aPool, aReplica, aTask } from './fixtures.ts';
import type { ModelTask } from './world-model.ts';
import { WorldModel } from './world-model.ts';

export type Op =
  | {
      readonly kind: 'admit';
      readonly task: Partial<TaskSpec>;
      readonly deadlineInMs: number | undefined;
    }
  | { readonly kind: 'cancel' | 'finish' | 'progress' | 'stale'; readonly pick: number }
  | {
      readonly kind: 'fail';
      readonly pick: number;
      readonly retriable: boolean;
      readonly sent: boolean;
    }
  | { readonly kind: 'replica'; readonly replica: Partial<ReplicaView> & { replicaId: string } }
  | { readonly kind: 'gone'; readonly replicaId: string }
  | {
      readonly kind: 'restored';
      readonly replicaId: string;
      readonly sessions: readonly SessionCache[];
      readonly prefixes: readonly PromptPrefix[];
    }
  | { readonly kind: 'pool'; readonly pool: Partial<PoolSpec> }
  | { readonly kind: 'tenants'; readonly tenants: readonly TenantSpec[] }
  | { readonly kind: 'drain' | 'advance'; readonly ms: number }
  | { readonly kind: 'undrain' | 'delete-session' }
  | { readonly kind: 'availability'; readonly recoverable: boolean }
  | { readonly kind: 'crash'; readonly fromSnapshot: boolean };

/** More than ever wait at once, so that the core looks at all of them before a slot stays free. */
const CANDIDATES = 256;
/** No rest after faults, so that "no idle slot while a task waits" holds without that exception. */
const OPTIONS = {
  sessionLimits: { ttlMs: 3_000, maxTurns: 3 },
  tuning: { cooldownBaseMs: 0, maxSessions: 2, candidates: CANDIDATES, lookahead: CANDIDATES },
};
export const WORLD_CTX = 4_096;
export const WORLD_SESSIONS = ['x', 'y', 'z'] as const;

export class World {
  core: Core;
  /** Every event so far, as the ledger holds them. */
  readonly log: TimedEvent[] = [];
  readonly effects: Effect[] = [];
  readonly #model = new WorldModel();
  #snapshot: { readonly state: DurableState; readonly events: number } | undefined;
  readonly #options: CoreOptions;
  #nowMs = 1_000;
  #counter = 0;

  /** @param gatherArrivals see `Tuning`; then the world runs at once what is due at once, as a host must */
  constructor(gatherArrivals = false) {
    this.#options = { ...OPTIONS, tuning: { ...OPTIONS.tuning, gatherArrivals } };
    this.core = createCore(this.#options);
    this.run({ kind: 'pool', pool: {} });
  }

  run(op: Op): void {
    const model = this.#model;
    switch (op.kind) {
      case 'admit':
        return this.#admit(op);
      case 'cancel': {
        const task = pickOf([...model.live.values()], op.pick);
        if (task !== undefined) this.#cancel(task.spec.taskId);
        return;
      }
      case 'finish':
      case 'progress':
      case 'stale':
      case 'fail':
        return this.#report(op);
      case 'replica': {
        const replica = aReplica(op.replica.replicaId, { ctx: WORLD_CTX, ...op.replica });
        model.replicas.set(replica.replicaId, replica);
        return this.#step({ type: 'replica-set', replica });
      }
      case 'gone':
        model.replicas.delete(op.replicaId);
        return this.#step({ type: 'replica-gone', poolId: 'p', replicaId: op.replicaId });
      case 'restored': {
        const { replicaId, sessions, prefixes } = op;
        const what = { poolId: 'p', replicaId, sessions, prefixes } as const;
        return this.#step({ type: 'cache-restored', ...what });
      }
      case 'pool':
        model.spec = aPool({ ctx: WORLD_CTX, preemption: 'hard', ...op.pool });
        return this.#step({ type: 'pool-set', pool: model.spec });
      case 'tenants':
        model.tenants = op.tenants;
        return this.#step({ type: 'tenants-set', tenants: op.tenants });
      case 'drain':
        model.draining = true;
        return this.#step({ type: 'drain', poolId: 'p', deadlineMs: op.ms });
      case 'undrain':
        model.draining = false;
        return this.#step({ type: 'undrain', poolId: 'p' });
      case 'availability': {
        const { recoverable } = op;
        return this.#step({ type: 'pool-availability', poolId: 'p', recoverable, reason: 'test' });
      }
      case 'delete-session':
        return this.#step({ type: 'session-delete', sessionId: 'x' });
      case 'advance':
        this.#nowMs += op.ms;
        this.#step({ type: 'tick' });
        assert.ok((this.core.nextWakeMs() ?? Infinity) > this.#nowMs, 'nothing due is left');
        return;
      case 'crash':
        return this.#crash(op.fromSnapshot);
    }
  }

  /** Lets everything finish; afterwards nothing accepted may be without an end. */
  settle(everywhere: readonly ReplicaView[]): void {
    const model = this.#model;
    this.run({ kind: 'undrain' });
    this.run({ kind: 'availability', recoverable: true });
    for (const replica of model.replicas.values()) {
      this.run({ kind: 'replica', replica: { ...replica, ready: true } });
    }
    for (const replica of everywhere) this.run({ kind: 'replica', replica });
    // A finish ends one task, and whoever waits either runs or waits for something that runs.
    for (let left = model.live.size; left > 0; left -= 1) this.run({ kind: 'finish', pick: 0 });
    assert.strictEqual(model.live.size, 0, 'every accepted task has ended');
    assert.deepEqual(this.core.liveTasks(this.#nowMs), []);
    assert.strictEqual(this.core.poolView('p')?.running, 0);
  }

  /** A core rebuilt from the ledger, from its start or from the last snapshot. */
  rebuilt(fromSnapshot: boolean): Core {
    const core = createCore(this.#options);
    const snapshot = fromSnapshot ? this.#snapshot : undefined;
    if (snapshot !== undefined) core.loadState(snapshot.state);
    for (const { event, atMs } of this.log.slice(snapshot?.events ?? 0)) core.restore(event, atMs);
    return core;
  }

  #admit({ task: fields, deadlineInMs }: Extract<Op, { kind: 'admit' }>): void {
    const deadlineAtMs = deadlineInMs === undefined ? undefined : this.#nowMs + deadlineInMs;
    const task = aTask(`t${this.#counter++}`, { ...fields, deadlineAtMs });
    const model = this.#model;
    const ranBefore = new Set(
      [...model.live.values()].filter((each) => each.running !== undefined),
    );
    this.#step({ type: 'admit', task });
    const known = model.live.get(task.taskId);
    if (known === undefined || known.running !== undefined) return;
    const { capacity, classCapacity } = model.spec;
    // What was stopped in the same step comes back whether there is room or not.
    const waiting = model.waiting().filter((each) => !ranBefore.has(each));
    const ofClass = waiting.filter(({ spec }) => spec.priority === task.priority);
    assert.ok(waiting.length <= capacity, 'the total bound holds for a newcomer');
    assert.ok(ofClass.length <= (classCapacity[task.priority] ?? Infinity), 'and the class bound');
  }

  #cancel(taskId: string): void {
    this.#step({ type: 'cancel', taskId, reason: 'client' });
    assert.ok(this.#model.ended.has(taskId), 'cancel ends a live task at once');
    this.#step({ type: 'cancel', taskId, reason: 'client' });
  }

  #report(op: Extract<Op, { pick: number }>): void {
    const task = pickOf(this.#model.running(), op.pick);
    if (task?.running === undefined) return;
    const { taskId, promptTokens, prefix } = task.spec;
    const { attempt } = task.running;
    const usage = { tokensIn: promptTokens, tokensOut: 4, decodeMs: 40, cachedTokens: 0 };
    if (op.kind === 'finish') {
      this.#step({ type: 'finish', taskId, attempt, finishReason: 'stop', usage, prefix });
      assert.ok(this.#model.ended.has(taskId));
    } else if (op.kind === 'progress') {
      task.sawOutput = true;
      this.#step({ type: 'progress', taskId, attempt, tokensOut: 1 });
    } else if (op.kind === 'fail') {
      task.sawOutput ||= op.sent;
      const fault = { code: 'WORKER_RESET', message: 'test', retriable: op.retriable } as const;
      const tokensSent = task.sawOutput ? 2 : 0;
      this.#step({ type: 'fail', taskId, attempt, fault, tokensSent });
    } else {
      const before = this.effects.length;
      const stale = { taskId, attempt: attempt - 1, finishReason: 'stop', usage } as const;
      this.#step({ type: 'finish', ...stale });
      assert.strictEqual(this.effects.length, before, 'an old attempt has no say');
    }
  }

  #crash(fromSnapshot: boolean): void {
    const model = this.#model;
    const before = durableJson(this.core);
    this.core = this.rebuilt(fromSnapshot);
    assert.deepEqual(durableJson(this.core), before, 'the ledger is the state');
    this.#snapshot = { state: before, events: this.log.length };
    model.replicas.clear();
    this.#step({ type: 'pool-set', pool: model.spec }, false);
    this.#step({ type: 'tenants-set', tenants: model.tenants }, false);
    const seen = [...model.live.values()].filter((task) => task.sawOutput);
    const outputSeen = new Set(seen.map(({ spec }) => spec.taskId));
    this.#keep(this.core.resume(this.#nowMs, { outputSeen }));
    this.#check();
  }

  #step(command: Command, check = true): void {
    const task = command.type === 'admit' ? command.task : undefined;
    this.#keep(this.core.step(command, this.#nowMs), task);
    while ((this.core.nextWakeMs() ?? Infinity) <= this.#nowMs) {
      this.#keep(this.core.step({ type: 'tick' }, this.#nowMs));
    }
    if (check) this.#check();
  }

  #keep({ events, effects }: StepResult, newcomer?: TaskSpec): void {
    for (const event of events) this.log.push({ event, atMs: this.#nowMs });
    for (const [at, effect] of effects.entries()) {
      this.#model.see(effect, newcomer);
      if (effect.type === 'requeued' && effect.reason === 'preempted') {
        this.#checkServed(effect.taskId, effects[at + 1]);
      }
    }
    this.effects.push(...effects);
  }

  /** What comes after a task was stopped for another. */
  #checkServed(victimId: string, next: Effect | undefined): void {
    assert.ok(next?.type === 'dispatch', 'nothing is stopped for nobody');
    assert.ok(next.decision.preempted);
    const [victim, other] = [victimId, next.taskId].map((id) => this.#model.live.get(id)?.spec);
    const isByClass = victim?.priority === 'batch' && other?.priority === 'interactive';
    const isByShare = victim?.tenantId !== other?.tenantId;
    assert.ok(
      isByClass || isByShare,
      'a tenant stops no work of its own but batch for interactive',
    );
  }

  #check(): void {
    const model = this.#model;
    const waiting = model.waiting();
    const view = this.core.poolView('p');
    assert.ok(view !== undefined);
    assert.strictEqual(view.waiting.interactive + view.waiting.batch, waiting.length);
    assert.strictEqual(view.running, model.running().length);
    const free = [...model.replicas.values()].map((replica) => model.freeSlots(replica));
    const slotsFree = free.reduce((a, b) => a + b, 0);
    assert.ok(view.slotsFree <= slotsFree, 'no slot is there twice');
    const isNoneAlone = [...model.replicas.values()].every((each) => each.strictAlone !== true);
    if (isNoneAlone) assert.strictEqual(view.slotsFree, slotsFree);
    for (const task of waiting) {
      const seen = this.core.task(task.spec.taskId, this.#nowMs);
      assert.ok(seen?.state === 'queued', 'nothing accepted vanishes');
      assert.ok(seen.queuePosition >= 1 && seen.queuePosition <= waiting.length);
      assert.ok(seen.predictedStartMs > 0 && seen.predictedStartMs < Infinity);
      if (!model.draining) this.#checkHeld(task);
    }
    for (const sessionId of WORLD_SESSIONS) {
      const homeId = this.core.session(sessionId, this.#nowMs)?.replicaId;
      assert.ok(
        homeId === undefined || model.replicas.has(homeId),
        'warm is what some replica has',
      );
    }
    for (const { spec, running, preemptions } of model.running()) {
      const seen = this.core.task(spec.taskId, this.#nowMs);
      assert.strictEqual(seen?.replicaId, running?.replicaId, 'nothing accepted vanishes');
      assert.strictEqual(seen?.preemptions, preemptions);
    }
  }

  /** A busy replica that another waits for, to run alone there, takes nobody else. */
  #isKept(task: ModelTask, { replicaId, strictAlone }: ReplicaView): boolean {
    const model = this.#model;
    if (strictAlone !== true || model.runningOn(replicaId).length === 0) return false;
    return model
      .waiting()
      .filter((other) => other !== task)
      .some(({ spec }) => this.core.wait(spec.taskId, this.#nowMs)?.heldForId === replicaId);
  }

  /**
   * A task that a free slot would fit waits only for a replica that it may run on and that is at work,
   * so that something will happen there; and when that is a prompt, the core asks to be woken.
   */
  #checkHeld(task: ModelTask): void {
    const model = this.#model;
    const fits = [...model.replicas.values()].some(
      (replica) =>
        model.hasPlace(task, replica) &&
        !this.#isKept(task, replica) &&
        model.isAllowed(task, replica) &&
        !model.isRepelled(task, replica.replicaId),
    );
    if (!fits || !model.mayRun(task.spec.tenantId)) return;
    const wait = this.core.wait(task.spec.taskId, this.#nowMs);
    const heldFor = model.replicas.get(wait?.heldForId ?? '');
    assert.ok(heldFor !== undefined, 'no fitting slot stays idle');
    assert.ok(model.isAllowed(task, heldFor), 'nobody waits for a replica that is not for them');
    assert.ok(model.runningOn(heldFor.replicaId).length > 0, 'nobody waits for an idle replica');
    assert.ok((this.core.nextWakeMs() ?? Infinity) < Infinity, 'and time alone brings news');
  }
}

/** As it comes back from disk. */
export function durableJson(core: Core): DurableState {
  return JSON.parse(JSON.stringify(core.durableState())) as DurableState;
}

function pickOf<T>(items: readonly T[], pick: number): T | undefined {
  return items[pick % Math.max(1, items.length)];
}
