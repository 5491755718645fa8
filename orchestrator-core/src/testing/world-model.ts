/**
 * What the property tests know of a pool without asking the core: plain lists of tasks and replicas,
 * and the promises that every effect is held against.
 */
import { assert } from 'vitest';
import type { Effect, PoolSpec, ReplicaView, TaskSpec, TenantSpec } from '../types.ts';
import { sharePoint } from '../canary.ts';
import { aPool } from './fixtures.ts';

/** A live task; waiting when `running` is undefined. */
export interface ModelTask {
  readonly spec: TaskSpec;
  running:
    | {
        readonly attempt: number;
        readonly replicaId: string;
        readonly setId: string;
        readonly alone: boolean;
      }
    | undefined;
  attempts: number;
  preemptions: number;
  sawOutput: boolean;
  pinnedSetId: string | undefined;
}

export class WorldModel {
  readonly live = new Map<string, ModelTask>();
  readonly ended = new Set<string>();
  readonly replicas = new Map<string, ReplicaView>();
  spec: PoolSpec = aPool();
  tenants: readonly TenantSpec[] = [];
  draining = false;

  waiting(): ModelTask[] {
    return [...this.live.values()].filter((task) => task.running === undefined);
  }

  running(): ModelTask[] {
    return [...this.live.values()].filter((task) => task.running !== undefined);
  }

  runningOn(replicaId: string): ModelTask[] {
    return this.running().filter((task) => task.running?.replicaId === replicaId);
  }

  /** For anybody; what is kept for a task that waits is not known here. */
  freeSlots({ replicaId, slots, ready }: ReplicaView): number {
    const running = this.runningOn(replicaId);
    if (!ready || running.some((task) => task.running?.alone)) return 0;
    return Math.max(0, slots - running.length);
  }

  /** Whether the task could join what runs there. */
  hasPlace({ spec }: ModelTask, replica: ReplicaView): boolean {
    if (this.freeSlots(replica) === 0) return false;
    return !isAlone(spec, replica) || this.runningOn(replica.replicaId).length === 0;
  }

  mayRun(tenantId: string): boolean {
    const limit = this.tenants.find((tenant) => tenant.tenantId === tenantId)?.maxConcurrent;
    const running = this.running().filter(({ spec }) => spec.tenantId === tenantId).length;
    return limit === undefined || running < limit;
  }

  /** Whether the task may run there at all, whatever else does. */
  isAllowed(task: ModelTask, replica: ReplicaView): boolean {
    const { spec, pinnedSetId } = task;
    const { ready, setId, device, labels } = replica;
    const wanted = Object.entries(spec.placement?.labels ?? {});
    return (
      ready &&
      this.#isOnItsSide(task, replica) &&
      (pinnedSetId === undefined || pinnedSetId === setId) &&
      spec.placement?.notOn !== replica.replicaId &&
      (spec.placement?.on ?? replica.replicaId) === replica.replicaId &&
      spec.placement?.devices?.includes(device ?? '') !== false &&
      wanted.every(([name, value]) => labels?.[name] === value)
    );
  }

  /** While a canary is ready beside others, each task has a side by its session or its id. */
  #isOnItsSide({ spec, pinnedSetId }: ModelTask, { canaryPercent }: ReplicaView): boolean {
    const all = [...this.replicas.values()];
    const shares = all.flatMap((each) => (each.ready ? (each.canaryPercent ?? []) : []));
    const isShared = shares.length > 0 && all.some((each) => each.canaryPercent === undefined);
    const { labels, devices, notOn, on } = spec.placement ?? {};
    const isBound = [labels, devices, notOn, on].some((each) => each !== undefined);
    if (!isShared || isBound || pinnedSetId !== undefined) return true;
    const isForCanary = sharePoint(spec) < Math.max(...shares);
    return isForCanary === (canaryPercent !== undefined);
  }

  /** Whether a task with the same anti-affinity key runs there. */
  isRepelled({ spec }: ModelTask, replicaId: string): boolean {
    const key = spec.placement?.antiAffinity;
    const others = this.runningOn(replicaId).map((other) => other.spec.placement?.antiAffinity);
    return key !== undefined && others.includes(key);
  }

  /** @throws AssertionError when the effect breaks a promise */
  see(effect: Effect, newcomer: TaskSpec | undefined): void {
    if (effect.type === 'evict-session') return;
    assert.ok(
      effect.type !== 'load-pool' && effect.type !== 'unload-pool',
      'no devices are shared',
    );
    const { taskId } = effect;
    assert.ok(!this.ended.has(taskId), 'nothing happens to a task after its end');
    const task = this.live.get(taskId);
    switch (effect.type) {
      case 'rejected': {
        const isForDeadline = effect.code === 'DEADLINE_UNMET';
        assert.ok(!isForDeadline || newcomer?.deadlineAtMs !== undefined);
        assert.strictEqual(effect.earliestFeasibleMs !== undefined, isForDeadline);
        return assert.strictEqual(taskId, newcomer?.taskId);
      }
      case 'accepted':
        assert.ok(task === undefined && newcomer !== undefined);
        this.live.set(taskId, newTask(newcomer));
        return;
      case 'foreseen':
        assert.ok(
          task !== undefined && task.running === undefined,
          'a promise is not changed late',
        );
        return;
      case 'dispatch':
        assert.ok(task !== undefined);
        return this.#seeDispatch(task, effect);
      case 'abort':
        assert.strictEqual(task?.running?.attempt, effect.attempt);
        assert.strictEqual(task?.running?.replicaId, effect.replicaId);
        if (effect.reason === 'preempted') this.#seePreemption(task);
        return;
      case 'requeued':
        assert.ok(task?.running !== undefined, 'only a running task comes back');
        assert.ok(task.spec.rerunnable || !task.sawOutput, 'output is never repeated unsafely');
        if (task.sawOutput) task.pinnedSetId ??= task.running.setId;
        if (effect.reason === 'preempted') task.preemptions += 1;
        task.running = undefined;
        return;
      case 'ended':
        assert.ok(task !== undefined, 'only an accepted task ends');
        if (effect.outcome.kind === 'failed' && effect.outcome.code === 'DEADLINE_UNMET') {
          assert.ok(task.spec.deadlineAtMs !== undefined);
          assert.strictEqual(task.attempts, 0, 'what ran before is never shed');
        }
        this.ended.add(taskId);
        this.live.delete(taskId);
    }
  }

  #seeDispatch(task: ModelTask, effect: Extract<Effect, { type: 'dispatch' }>): void {
    const { attempt, replicaId, decision } = effect;
    const replica = this.replicas.get(replicaId);
    assert.strictEqual(task.running, undefined, 'a task runs once at a time');
    assert.strictEqual(attempt, task.attempts + 1);
    assert.ok(!this.draining, 'a draining pool dispatches nothing');
    assert.ok(replica?.ready, 'only a ready replica gets work');
    assert.ok(
      this.freeSlots(replica) > 0,
      'a slot is never given twice, nor one beside a task alone',
    );
    assert.ok(this.hasPlace(task, replica), 'what runs alone finds nobody there');
    assert.strictEqual(effect.alone, isAlone(task.spec, replica));
    assert.ok(this.isAllowed(task, replica), 'set, device and labels hold');
    assert.ok(!this.isRepelled(task, replicaId), 'anti-affinity holds');
    assert.ok(this.mayRun(task.spec.tenantId), 'a tenant never runs more than it may');
    const waits = Object.values(decision.waits).reduce((sum, ms) => sum + ms, 0);
    assert.closeTo(waits, decision.waitedMs, 1e-6, 'every wait has its cause');
    assert.strictEqual(decision.replicas[0]?.replicaId, replicaId);
    assert.strictEqual(decision.replicas[0]?.verdict, 'chosen');
    task.attempts += 1;
    task.running = { attempt, replicaId, setId: replica.setId, alone: effect.alone };
  }

  #seePreemption(victim: ModelTask | undefined): void {
    const replica = this.replicas.get(victim?.running?.replicaId ?? '');
    assert.ok(victim !== undefined && replica !== undefined);
    assert.strictEqual(this.spec.preemption, 'hard');
    assert.ok(victim.preemptions < this.spec.maxPreemptions, 'preemptions of a task are bounded');
    assert.ok(victim.spec.rerunnable || !victim.sawOutput, 'only where going on is safe');
    assert.strictEqual(replica.interruptible, true);
  }
}

function isAlone({ rerunnable, answersWhole }: TaskSpec, { strictAlone }: ReplicaView): boolean {
  return strictAlone === true && rerunnable && answersWhole !== true;
}

function newTask(spec: TaskSpec): ModelTask {
  return {
    spec,
    running: undefined,
    attempts: 0,
    preemptions: 0,
    sawOutput: false,
    pinnedSetId: spec.setId,
  };
}
