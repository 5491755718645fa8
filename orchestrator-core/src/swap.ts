/**
 * Loading and unloading of pools that share devices, on demand (`device-room.ts` decides, this acts).
 * Runs at the end of every step; O(pools²) of those that share.
 */
import { inOrderOfNeed, isOverdue, planRoom } from './device-room.ts';
import { backlogOf, hasDemand, isIdle, Residency } from './residency.ts';
import type { ResidencySpec } from './residency.ts';
import type { CoreState, PoolState } from './state.ts';
import { timerKeys } from './state.ts';
import type { Step } from './step.ts';

/** A load that takes this many times what is expected has failed; others are let in. */
const LOAD_PATIENCE = 4;
const LEAST_PATIENCE_MS = 30_000;
/** Sessions looked at to tell what a pool would lose of its cache. */
const SESSIONS_LOOKED_AT = 256;

/** Called with every setting of the pool: it may come to share devices, or no longer. */
export function setResidency(
  { state }: Step,
  pool: PoolState,
  spec: ResidencySpec | undefined,
): void {
  if (spec === undefined) pool.residency = undefined;
  else if (pool.residency === undefined) pool.residency = new Residency(spec);
  else pool.residency.spec = spec;
  state.sharing = [...state.pools.values()].filter(({ residency }) => residency !== undefined);
}

/** A replica of the pool is ready: it is loaded, whoever asked for it. */
export function noteLoaded(pool: PoolState, nowMs: number): void {
  const { residency } = pool;
  if (residency === undefined) return;
  let slots = 0;
  for (const { view } of pool.replicas.values()) slots += view.slots;
  residency.slots = Math.max(1, slots);
  residency.replicas = Math.max(1, pool.replicas.size);
  if (residency.phase === 'loading' || residency.phase === 'unloaded') {
    residency.enter('loaded', nowMs);
  }
}

/**
 * The pool's engines have ended and their memory is free.
 * @param savedCache undefined when nobody asked them to save it
 */
export function noteUnloaded(step: Step, pool: PoolState, savedCache?: boolean): void {
  pool.residency?.enter('unloaded', step.nowMs);
  if (savedCache !== undefined && pool.residency !== undefined) {
    pool.residency.keepsCache = savedCache;
  }
  step.touch(pool);
}

/**
 * Brings what is loaded in line with what waits, as far as that can be done now.
 * @returns pools that take work again, since they need not leave after all
 */
export function arrangeDevices(step: Step): readonly PoolState[] {
  const { state, nowMs } = step;
  const { sharing } = state;
  if (sharing.length === 0) return [];
  for (const pool of sharing) noteUse(pool, nowMs);
  const staying = giveUpClaims(step, sharing);
  for (const pool of sharing) sendAway(step, pool);
  const reserved = new Set<PoolState>();
  for (const pool of inOrderOfNeed(sharing, nowMs)) {
    makeRoomFor(step, pool, sharing, reserved);
    if (isClaiming(pool)) reserved.add(pool);
  }
  unloadIdle(step, sharing);
  wakeAt(step, sharing);
  return staying;
}

/**
 * Expected time until a pool that is not loaded can start a task, ms; 0 for any other. It follows what
 * `arrangeDevices` would do if nobody else came.
 */
export function loadingMs(state: CoreState, pool: PoolState, nowMs: number): number {
  const { residency } = pool;
  if (residency === undefined || residency.phase === 'loaded') return 0;
  const { phase, sinceMs, loadMs } = residency;
  if (phase === 'loading') return Math.max(1, loadMs - (nowMs - sinceMs));
  const blocking = state.sharing.filter(
    (other) => other !== pool && other.residency?.isOccupying === true && overlaps(pool, other),
  );
  const free = blocking.map((other) => untilFreeMs(pool, other, nowMs));
  let turnsMs = 0;
  for (const other of goingFirst(state, pool, nowMs)) {
    turnsMs += (other.residency?.loadMs ?? 0) + backlogOf(other).serviceMs;
  }
  return Math.max(0, ...free) + turnsMs + loadMs;
}

/** Those that are in the way once they are loaded, and will be before this pool is. */
function goingFirst(state: CoreState, pool: PoolState, nowMs: number): readonly PoolState[] {
  const order = inOrderOfNeed(state.sharing, nowMs);
  const place = order.indexOf(pool);
  return order.slice(0, place < 0 ? undefined : place).filter((other) => overlaps(pool, other));
}

/** When a pool that is in the way will have left, ms. */
function untilFreeMs(pool: PoolState, other: PoolState, nowMs: number): number {
  const { residency, held, model } = other;
  if (residency === undefined || residency.phase === 'unloading') return 0;
  const runningMs = held.count === 0 ? 0 : model.holdMs / 2;
  if (residency.phase === 'leaving') return runningMs;
  const staysMs = residency.sinceMs + residency.spec.minResidencyMs - nowMs;
  const loadsMs =
    residency.phase === 'loading' ? Math.max(0, residency.sinceMs + residency.loadMs - nowMs) : 0;
  const sinceMs = pool.residency?.unservedSinceMs ?? nowMs;
  const overdueMs = sinceMs + (pool.residency?.spec.maxWaitMs ?? 0) - nowMs;
  const { serviceMs } = backlogOf(other);
  const workMs = Math.min(Math.max(0, overdueMs), serviceMs) + runningMs;
  return isIdle(other) ? loadsMs : loadsMs + Math.max(workMs, staysMs);
}

function overlaps(a: PoolState, b: PoolState): boolean {
  const devices = a.residency?.spec.devices ?? [];
  const isShared = devices.some((device) => b.residency?.spec.devices.includes(device));
  return isShared && (a.residency?.spec.share ?? 0) + (b.residency?.spec.share ?? 0) > 1;
}

function noteUse(pool: PoolState, nowMs: number): void {
  const { residency } = pool;
  if (residency === undefined) return;
  if (!isIdle(pool)) residency.usedAtMs = nowMs;
  if (!hasDemand(pool) || residency.phase === 'loaded') residency.unservedSinceMs = undefined;
  else residency.unservedSinceMs ??= nowMs;
}

function isClaiming({ residency }: PoolState): boolean {
  return residency?.isClaiming === true;
}

/** Tasks were canceled while room was made for them: those who were to leave may stay. */
function giveUpClaims(step: Step, sharing: readonly PoolState[]): readonly PoolState[] {
  for (const pool of sharing) {
    if (pool.residency !== undefined && !hasDemand(pool)) pool.residency.isClaiming = false;
  }
  if (sharing.some(isClaiming)) return [];
  const staying = sharing.filter((pool) => pool.residency?.phase === 'leaving' && hasDemand(pool));
  for (const { residency } of staying) residency?.enter('loaded', step.nowMs);
  return staying;
}

/** A pool that is to leave is unloaded once nothing runs on it; a generation is never killed for it. */
function sendAway(step: Step, pool: PoolState): void {
  const { residency, held, poolId } = pool;
  if (residency === undefined || held.count > 0) return;
  const hasFailed = hasFailedToLoad(pool, step.nowMs);
  if (residency.phase !== 'leaving' && !hasFailed) return;
  // It had its turn: were its wait to go on, it would come before all others again and again.
  if (hasFailed) residency.unservedSinceMs = undefined;
  residency.enter('unloading', step.nowMs);
  step.effect({ type: 'unload-pool', poolId });
}

function hasFailedToLoad({ residency }: PoolState, nowMs: number): boolean {
  return residency?.phase === 'loading' && nowMs - residency.sinceMs >= patienceMs(residency);
}

function patienceMs({ loadMs }: Residency): number {
  return Math.max(LEAST_PATIENCE_MS, LOAD_PATIENCE * loadMs);
}

function makeRoomFor(
  step: Step,
  pool: PoolState,
  sharing: readonly PoolState[],
  reserved: ReadonlySet<PoolState>,
): void {
  const { residency, poolId, unavailableReason } = pool;
  if (residency?.phase !== 'unloaded' || unavailableReason !== undefined) return;
  const { state, nowMs } = step;
  const plan = planRoom(pool, sharing, reserved, nowMs, (each) => lostCacheMs(state, each));
  if (plan === undefined) {
    // Not all may leave yet. Whoever took the room of those that have would make it wait again.
    if (isOverdue(pool, nowMs)) residency.isClaiming = true;
    return;
  }
  if (plan.fits) {
    residency.enter('loading', step.nowMs);
    step.effect({ type: 'load-pool', poolId });
    return;
  }
  residency.isClaiming = true;
  for (const victim of plan.victims) {
    victim.residency?.enter('leaving', step.nowMs);
    sendAway(step, victim);
  }
}

/** Prefill of what the sessions there have in the cache, ms: computed again if they go on elsewhere. */
function lostCacheMs(state: CoreState, { sessionsByReplica, model, residency }: PoolState): number {
  if (residency?.keepsCache === true) return 0;
  let looked = 0;
  let ms = 0;
  for (const sessionIds of sessionsByReplica.values()) {
    for (const sessionId of sessionIds) {
      if (looked >= SESSIONS_LOOKED_AT) return ms;
      looked += 1;
      ms += model.prefillMs(state.sessions.get(sessionId)?.kvTokens ?? 0, 0);
    }
  }
  return ms / Math.max(1, residency?.slots ?? 1);
}

function unloadIdle(step: Step, sharing: readonly PoolState[]): void {
  for (const pool of sharing) {
    const idleAtMs = idleOutAtMs(pool);
    if (idleAtMs === undefined || idleAtMs > step.nowMs) continue;
    pool.residency?.enter('leaving', step.nowMs);
    sendAway(step, pool);
  }
}

/** When a loaded pool without work is unloaded; undefined when it is not. */
function idleOutAtMs(pool: PoolState): number | undefined {
  const { residency } = pool;
  if (residency?.phase !== 'loaded' || !isIdle(pool)) return undefined;
  const { keepAliveMs } = residency.spec;
  return keepAliveMs === undefined ? undefined : residency.usedAtMs + keepAliveMs;
}

/** What time alone will change: a residency or a wait that comes to its bound, an idle pool, a load. */
function wakeAt({ state, nowMs }: Step, sharing: readonly PoolState[]): void {
  const isWaited = sharing.some((pool) => pool.residency?.phase === 'unloaded' && hasDemand(pool));
  let atMs = Infinity;
  const consider = (candidateMs: number | undefined): void => {
    if (candidateMs !== undefined && candidateMs > nowMs) atMs = Math.min(atMs, candidateMs);
  };
  for (const pool of sharing) {
    const { residency } = pool;
    if (residency === undefined) continue;
    consider(idleOutAtMs(pool));
    if (residency.phase === 'loading') consider(residency.sinceMs + patienceMs(residency));
    if (!isWaited) continue;
    if (residency.phase === 'loaded') consider(residency.sinceMs + residency.spec.minResidencyMs);
    if (residency.unservedSinceMs !== undefined && !isOverdue(pool, nowMs)) {
      consider(residency.unservedSinceMs + residency.spec.maxWaitMs);
    }
  }
  if (atMs === Infinity) state.timers.cancel(timerKeys.swap);
  else state.timers.set(timerKeys.swap, atMs, { kind: 'swap' });
}
