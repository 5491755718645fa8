/** What the daemon tells about pools and replicas: specs, readiness, loss, drains. */
import { leftBeforeCrash } from './apart.ts';
import { accuse, cutShort, loseAttempt } from './attempts.ts';
import { canaryShareOf } from './canary.ts';
import { laneOf } from './lanes.ts';
import type { CoreState, PoolState, ReplicaRecord, TaskRecord } from './state.ts';
import { poolOf, slotsChanged, timerKeys } from './state.ts';
import type { Step } from './step.ts';
import { ReplicaLoad } from './replica-load.ts';
import { isColdIn } from './session-index.ts';
import { noteLoaded, setResidency } from './swap.ts';
import type { Command, PoolSpec, ReplicaView, TenantSpec } from './types.ts';
import { checkFit } from './waits.ts';

/** Changed timeouts apply to attempts from the next dispatch or watchdog check on. */
export function setPool(step: Step, spec: PoolSpec): void {
  const pool = poolOf(step.state, spec.poolId);
  // From here on it is known what keeps tasks waiting.
  if (pool.spec === undefined) pool.waitClock.set('no-ready-replica', step.nowMs);
  pool.spec = spec;
  setResidency(step, pool, spec.residency);
  step.touch(pool);
}

/** A replica that turns unready keeps what runs on it and gets nothing new. */
export function setReplica(step: Step, view: ReplicaView): void {
  const pool = poolOf(step.state, view.poolId);
  const { replicaId } = view;
  const known = pool.replicas.get(replicaId);
  // It passed its self-test anew: earlier faults say nothing about it.
  if (view.ready && known?.view.ready === false) clearRest(step.state, pool, replicaId);
  slotsChanged(pool, replicaId, () => {
    if (known === undefined) pool.replicas.set(replicaId, newReplica(pool, view));
    else known.view = view;
  });
  relane(step, pool);
  pool.prefixes.resize(replicaId, view.cacheTokens ?? view.kvTokens ?? view.slots * view.ctx);
  if (view.ready) {
    pool.unavailableReason = undefined;
    noteLoaded(pool, step.nowMs);
  }
  learnContext(pool);
  step.touch(pool);
}

export function loseReplica(
  step: Step,
  poolId: string,
  replicaId: string,
  hasCrashed: boolean,
): void {
  const { state } = step;
  const pool = state.pools.get(poolId);
  if (pool === undefined) return;
  const replica = pool.replicas.get(replicaId);
  const left = replica && hasCrashed ? leftBeforeCrash(replica, step.nowMs) : [];
  slotsChanged(pool, replicaId, () => pool.replicas.delete(replicaId));
  relane(step, pool);
  pool.prefixes.forget(replicaId);
  pool.model.forget(replicaId);
  learnContext(pool);
  if (pool.sessionsByReplica.has(replicaId)) {
    step.record({ type: 'sessions.cooled', poolId, replicaId });
  }
  const lost = runningTasks(state, pool, replicaId);
  for (const task of lost) loseAttempt(step, task, hasCrashed);
  for (const taskId of left) {
    const task = state.tasks.get(taskId);
    // One that ran there again is accused already.
    if (task !== undefined && !lost.includes(task)) accuse(step, task);
  }
  step.touch(pool);
}

/** Of a replica that is not known nothing is believed. */
export function regainCache(
  step: Step,
  { poolId, replicaId, sessions, prefixes }: Extract<Command, { type: 'cache-restored' }>,
): void {
  const { state } = step;
  const pool = state.pools.get(poolId);
  if (pool?.replicas.has(replicaId) !== true) return;
  for (const prefix of prefixes) pool.prefixes.insert(replicaId, prefix);
  const cold = sessions.filter(({ sessionId }) => {
    const session = state.sessions.get(sessionId);
    return session !== undefined && isColdIn(session, poolId);
  });
  if (cold.length > 0) step.record({ type: 'sessions.warmed', poolId, replicaId, sessions: cold });
  step.touch(pool);
}

export function setAvailability(
  step: Step,
  poolId: string,
  recoverable: boolean,
  reason: string,
): void {
  const pool = poolOf(step.state, poolId);
  pool.unavailableReason = recoverable ? undefined : reason;
  step.touch(pool);
}

/** A change of weights counts from now on; a higher limit lets those who wait start. */
export function setTenants(step: Step, tenants: readonly TenantSpec[]): void {
  step.state.tenants.configure(tenants);
  for (const pool of step.state.pools.values()) step.touch(pool);
}

/** No admissions and no dispatch from here on; a second drain moves the deadline. */
export function drainPool(step: Step, poolId: string, deadlineMs: number): void {
  if (step.state.pools.get(poolId)?.spec === undefined) return;
  step.record({ type: 'pool.draining', poolId, deadlineMs });
}

export function undrainPool(step: Step, poolId: string): void {
  const pool = step.state.pools.get(poolId);
  if (pool?.drainDeadlineAtMs === undefined) return;
  step.record({ type: 'pool.active', poolId });
  step.touch(pool);
}

export function endDrain(step: Step, poolId: string): void {
  const pool = poolOf(step.state, poolId);
  for (const task of runningTasks(step.state, pool)) cutShort(step, task);
}

/** In order of arrival, so that they return to the queue the same way every time. */
export function runningTasks(
  state: CoreState,
  pool: PoolState,
  replicaId?: string,
): readonly TaskRecord[] {
  const ids =
    replicaId === undefined
      ? [...pool.running.values()].flatMap((members) => [...members])
      : [...(pool.running.get(replicaId) ?? [])];
  return ids
    .map((taskId) => state.tasks.get(taskId))
    .filter((task) => task !== undefined)
    .sort((a, b) => a.seq - b.seq);
}

function clearRest(state: CoreState, pool: PoolState, replicaId: string): void {
  const replica = pool.replicas.get(replicaId);
  if (replica === undefined) return;
  replica.faults = 0;
  replica.restsUntilMs = 0;
  state.timers.cancel(timerKeys.rest(pool.poolId, replicaId));
}

/** While none is ready, the context last seen is the best guess of the one to come. */
function learnContext(pool: PoolState): void {
  const ready = [...pool.replicas.values()].filter(({ view }) => view.ready);
  if (ready.length > 0) pool.ctx = Math.min(...ready.map(({ view }) => view.ctx));
}

function newReplica(pool: PoolState, view: ReplicaView): ReplicaRecord {
  const model = pool.model.latencyOf(view.replicaId);
  if (view.chunkTokens !== undefined) model.setChunkTokens(view.chunkTokens);
  return {
    view,
    faults: 0,
    restsUntilMs: 0,
    load: new ReplicaLoad(model),
    lastTurn: pool.journal.count,
    lastDispatch: 0,
    keysApart: new Set(),
    faultedAtMs: new Map(),
  };
}

/** The replicas changed: tasks that name labels or devices may fit others now, and with a canary all may. */
function relane({ state, nowMs }: Step, pool: PoolState): void {
  const share = canaryShareOf(viewsOf(pool));
  const isShared = share !== pool.canaryShare;
  pool.canaryShare = share;
  const taskIds = isShared
    ? Array.from(pool.queue.inArrivalOrder(), ({ taskId }) => taskId)
    : [...pool.constrained];
  for (const taskId of taskIds) {
    const task = state.tasks.get(taskId);
    const waiting = pool.queue.get(taskId);
    if (task === undefined || waiting === undefined) continue;
    const lane = laneOf(pool, task);
    checkFit(pool, task, lane, nowMs);
    if (lane === waiting.lane) continue;
    pool.queue.remove(taskId);
    pool.queue.push({ ...waiting, lane });
  }
}

function* viewsOf({ replicas }: PoolState): Iterable<ReplicaView> {
  for (const { view } of replicas.values()) yield view;
}
