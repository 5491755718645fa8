/**
 * The world around a core in the property tests: does what a daemon would do with random input,
 * and checks every effect against a plain model of tasks, queues and slots.
 */
import { assert } from 'vitest';
import type { Core } from '../core.ts';
import { createCore } from '../core.ts';
import type { TimedEvent } from './fixtures.ts';
import { aPool, aReplica, aTask, USAGE } from './fixtures.ts';
import type { DurableState } from '../snapshot.ts';
import type { Command, Effect, PoolSpec, ReplicaView, StepResult, TaskSpec } from '../types.ts';
import { PRIORITIES } from '../types.ts';

export type Op =
  | {
      readonly kind: 'admit';
      readonly task: Pick<TaskSpec, 'priority' | 'rerunnable' | 'sessionId' | 'kvHint'>;
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
  | { readonly kind: 'pool'; readonly pool: Partial<PoolSpec> }
  | { readonly kind: 'drain' | 'advance'; readonly ms: number }
  | { readonly kind: 'undrain' | 'delete-session' }
  | { readonly kind: 'availability'; readonly recoverable: boolean }
  | { readonly kind: 'crash'; readonly fromSnapshot: boolean };

/** A live task; waiting when `running` is undefined. */
interface ModelTask {
  readonly spec: TaskSpec;
  readonly order: number;
  running:
    { readonly attempt: number; readonly replicaId: string; readonly setId: string } | undefined;
  attempts: number;
  sawOutput: boolean;
  pinnedSetId: string | undefined;
}

/** No rest after faults, so that "no idle slot while a task waits" holds without exception. */
const OPTIONS = {
  sessionLimits: { ttlMs: 3_000, maxTurns: 3 },
  tuning: { cooldownBaseMs: 0, maxSessions: 2 },
};

export class World {
  core: Core = createCore(OPTIONS);
  /** Every event so far, as the ledger holds them. */
  readonly log: TimedEvent[] = [];
  readonly effects: Effect[] = [];
  readonly #live = new Map<string, ModelTask>();
  readonly #ended = new Set<string>();
  readonly #replicas = new Map<string, ReplicaView>();
  #snapshot: { readonly state: DurableState; readonly events: number } | undefined;
  #spec = aPool();
  #draining = false;
  #nowMs = 1_000;
  #counter = 0;

  constructor() {
    this.#step({ type: 'pool-set', pool: this.#spec });
  }

  run(op: Op): void {
    switch (op.kind) {
      case 'admit':
        return this.#admit(op.task);
      case 'cancel': {
        const task = pickOf([...this.#live.values()], op.pick);
        if (task !== undefined) this.#cancel(task.spec.taskId);
        return;
      }
      case 'finish':
      case 'progress':
      case 'stale':
      case 'fail':
        return this.#report(op);
      case 'replica': {
        const replica = aReplica(op.replica.replicaId, op.replica);
        this.#replicas.set(replica.replicaId, replica);
        return this.#step({ type: 'replica-set', replica });
      }
      case 'gone':
        this.#replicas.delete(op.replicaId);
        return this.#step({ type: 'replica-gone', poolId: 'p', replicaId: op.replicaId });
      case 'pool':
        this.#spec = aPool(op.pool);
        return this.#step({ type: 'pool-set', pool: this.#spec });
      case 'drain':
        this.#draining = true;
        return this.#step({ type: 'drain', poolId: 'p', deadlineMs: op.ms });
      case 'undrain':
        this.#draining = false;
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
  settle(): void {
    this.run({ kind: 'undrain' });
    this.run({ kind: 'availability', recoverable: true });
    for (const replica of this.#replicas.values()) {
      this.run({ kind: 'replica', replica: { ...replica, ready: true } });
    }
    this.run({ kind: 'replica', replica: { replicaId: 'last', slots: 1 } });
    for (let left = this.#live.size; left > 0; left -= 1) this.run({ kind: 'finish', pick: 0 });
    assert.strictEqual(this.#live.size, 0, 'every accepted task has ended');
    assert.deepEqual(this.core.liveTasks(this.#nowMs), []);
    assert.strictEqual(this.core.poolView('p')?.running, 0);
  }

  /** A core rebuilt from the ledger, from its start or from the last snapshot. */
  rebuilt(fromSnapshot: boolean): Core {
    const core = createCore(OPTIONS);
    const snapshot = fromSnapshot ? this.#snapshot : undefined;
    if (snapshot !== undefined) core.loadState(snapshot.state);
    for (const { event, atMs } of this.log.slice(snapshot?.events ?? 0)) core.restore(event, atMs);
    return core;
  }

  #admit(fields: Partial<TaskSpec>): void {
    const task = aTask(`t${this.#counter++}`, fields);
    this.#step({ type: 'admit', task });
    const waits = this.#live.get(task.taskId)?.running === undefined;
    if (!this.#live.has(task.taskId) || !waits) return;
    const { capacity, classCapacity } = this.#spec;
    const ofClass = this.#waiting().filter(({ spec }) => spec.priority === task.priority);
    assert.ok(this.#waiting().length <= capacity, 'the total bound holds for a newcomer');
    assert.ok(ofClass.length <= (classCapacity[task.priority] ?? Infinity), 'and the class bound');
  }

  #cancel(taskId: string): void {
    this.#step({ type: 'cancel', taskId, reason: 'client' });
    assert.ok(this.#ended.has(taskId), 'cancel ends a live task at once');
    this.#step({ type: 'cancel', taskId, reason: 'client' });
  }

  #report(op: Extract<Op, { pick: number }>): void {
    const running = [...this.#live.values()].filter((task) => task.running !== undefined);
    const task = pickOf(running, op.pick);
    if (task?.running === undefined) return;
    const { taskId } = task.spec;
    const { attempt } = task.running;
    if (op.kind === 'finish') {
      this.#step({ type: 'finish', taskId, attempt, finishReason: 'stop', usage: USAGE });
      assert.ok(this.#ended.has(taskId));
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
      const stale = { taskId, attempt: attempt - 1, finishReason: 'stop', usage: USAGE } as const;
      this.#step({ type: 'finish', ...stale });
      assert.strictEqual(this.effects.length, before, 'an old attempt has no say');
    }
  }

  #crash(fromSnapshot: boolean): void {
    const before = durableJson(this.core);
    this.core = this.rebuilt(fromSnapshot);
    assert.deepEqual(durableJson(this.core), before, 'the ledger is the state');
    this.#snapshot = { state: before, events: this.log.length };
    this.#replicas.clear();
    this.#step({ type: 'pool-set', pool: this.#spec }, false);
    const seen = [...this.#live.values()].filter((task) => task.sawOutput);
    const outputSeen = new Set(seen.map(({ spec }) => spec.taskId));
    this.#keep(this.core.resume(this.#nowMs, { outputSeen }));
    this.#check();
  }

  #step(command: Command, check = true): void {
    const task = command.type === 'admit' ? command.task : undefined;
    this.#keep(this.core.step(command, this.#nowMs), task);
    if (check) this.#check();
  }

  #keep({ events, effects }: StepResult, newcomer?: TaskSpec): void {
    for (const event of events) this.log.push({ event, atMs: this.#nowMs });
    for (const effect of effects) this.#see(effect, newcomer);
    this.effects.push(...effects);
  }

  #see(effect: Effect, newcomer: TaskSpec | undefined): void {
    if (effect.type === 'evict-session') return;
    const { taskId } = effect;
    const task = this.#live.get(taskId);
    assert.ok(!this.#ended.has(taskId), 'nothing happens to a task after its end');
    switch (effect.type) {
      case 'rejected':
        return assert.strictEqual(taskId, newcomer?.taskId);
      case 'accepted':
        assert.ok(task === undefined && newcomer !== undefined);
        this.#live.set(taskId, {
          spec: newcomer,
          order: this.#counter,
          running: undefined,
          attempts: 0,
          sawOutput: false,
          pinnedSetId: undefined,
        });
        return;
      case 'dispatch':
        assert.ok(task !== undefined);
        return this.#seeDispatch(task, effect);
      case 'abort':
        assert.strictEqual(task?.running?.attempt, effect.attempt);
        assert.strictEqual(task?.running?.replicaId, effect.replicaId);
        return;
      case 'requeued':
        assert.ok(task?.running !== undefined, 'only a running task comes back');
        assert.ok(task.spec.rerunnable || !task.sawOutput, 'output is never repeated unsafely');
        if (task.sawOutput) task.pinnedSetId ??= task.running.setId;
        task.running = undefined;
        return;
      case 'ended':
        assert.ok(task !== undefined, 'only an accepted task ends');
        this.#ended.add(taskId);
        this.#live.delete(taskId);
    }
  }

  #seeDispatch(task: ModelTask, effect: Extract<Effect, { type: 'dispatch' }>): void {
    const replica = this.#replicas.get(effect.replicaId);
    assert.strictEqual(task.running, undefined, 'a task runs once at a time');
    assert.strictEqual(effect.attempt, task.attempts + 1);
    assert.ok(!this.#draining, 'a draining pool dispatches nothing');
    assert.ok(replica?.ready, 'only a ready replica gets work');
    assert.ok(this.#freeSlots(replica) > 0, 'a slot is never given twice');
    assert.ok(task.pinnedSetId === undefined || task.pinnedSetId === replica.setId);
    const first = this.#waiting().find((other) => this.#couldStart(other));
    assert.strictEqual(
      first?.spec.taskId,
      task.spec.taskId,
      'class before class, then arrival order',
    );
    task.attempts += 1;
    const { attempt, replicaId } = effect;
    task.running = { attempt, replicaId, setId: replica.setId };
  }

  #check(): void {
    const waiting = this.#waiting();
    const view = this.core.poolView('p');
    assert.ok(view !== undefined);
    if (!this.#draining) {
      assert.ok(!waiting.some((task) => this.#couldStart(task)), 'no fitting slot stays idle');
    }
    assert.strictEqual(view.waiting.interactive + view.waiting.batch, waiting.length);
    assert.strictEqual(view.running, this.#live.size - waiting.length);
    const ready = [...this.#replicas.values()].filter((replica) => replica.ready);
    const free = ready.map((replica) => Math.max(0, this.#freeSlots(replica)));
    assert.strictEqual(
      view.slotsFree,
      free.reduce((a, b) => a + b, 0),
    );
    waiting.forEach(({ spec }, index) => {
      const seen = this.core.task(spec.taskId, this.#nowMs);
      assert.strictEqual(seen?.state, 'queued', 'nothing accepted vanishes');
      assert.strictEqual(seen?.queuePosition, index + 1);
    });
    for (const { spec, running } of this.#live.values()) {
      if (running === undefined) continue;
      const seen = this.core.task(spec.taskId, this.#nowMs);
      assert.strictEqual(seen?.replicaId, running.replicaId, 'nothing accepted vanishes');
    }
  }

  /** In dispatch order. */
  #waiting(): ModelTask[] {
    return [...this.#live.values()]
      .filter((task) => task.running === undefined)
      .sort((a, b) => rankOf(a) - rankOf(b) || a.order - b.order);
  }

  #couldStart({ pinnedSetId }: ModelTask): boolean {
    return [...this.#replicas.values()].some(
      (replica) =>
        replica.ready &&
        this.#freeSlots(replica) > 0 &&
        (pinnedSetId === undefined || pinnedSetId === replica.setId),
    );
  }

  #freeSlots({ replicaId, slots }: ReplicaView): number {
    const running = [...this.#live.values()].filter(
      (task) => task.running?.replicaId === replicaId,
    );
    return slots - running.length;
  }
}

/** As it comes back from disk. */
export function durableJson(core: Core): DurableState {
  return JSON.parse(JSON.stringify(core.durableState())) as DurableState;
}

function rankOf({ spec }: ModelTask): number {
  return PRIORITIES.indexOf(spec.priority);
}

function pickOf<T>(items: readonly T[], pick: number): T | undefined {
  return items[pick % Math.max(1, items.length)];
}
