/**
 * Which pool gets the room of shared devices next, and who leaves for it. Pure: reads pools, changes
 * nothing.
 *
 * This is a polling system with switch-over times. Serving a model until nobody asks for it any more
 * leaves less work in the system at every moment than any rule that switches earlier (Levy, Sidi and
 * Boxma, "Dominance relations in polling systems", Queueing Systems 6, 1990), so that is what is done,
 * with two exceptions for the sake of the longest waits: once others have waited for several times what
 * the switch costs, a model leaves when its queue is empty though some of its tasks still run, and after
 * `maxWaitMs` it leaves its queue behind.
 */
import { backlogOf, hasDemand, isIdle } from './residency.ts';
import type { PoolState } from './state.ts';

export interface RoomPlan {
  /** Those that must leave first; empty when there is room, or will be once those that leave are gone. */
  readonly victims: readonly PoolState[];
  /** There is room now. */
  readonly fits: boolean;
}

/** What a pool loses with its loaded state besides the model, ms of computing. */
export type LostCacheMs = (pool: PoolState) => number;

/**
 * What must happen for `target` to be loaded; undefined when nothing may happen now.
 * @param sharing all pools that share devices
 * @param reserved of them, those that room is being made for and that go first
 */
export function planRoom(
  target: PoolState,
  sharing: readonly PoolState[],
  reserved: ReadonlySet<PoolState>,
  nowMs: number,
  lostCacheMs: LostCacheMs,
): RoomPlan | undefined {
  const wanted = target.residency;
  if (wanted === undefined) return undefined;
  const victims = new Set<PoolState>();
  let fits = true;
  for (const device of wanted.spec.devices) {
    const others = sharing.filter(
      (pool) => pool !== target && pool.residency?.spec.devices.includes(device),
    );
    let used = sum(
      others.filter((pool) => pool.residency?.isOccupying === true),
      shareOf,
    );
    // Room that is made for another is not there to be taken.
    used += sum(
      others.filter((pool) => reserved.has(pool)),
      shareOf,
    );
    if (used + wanted.spec.share <= FULL) continue;
    fits = false;
    for (const pool of others) if (isGoing(pool) || victims.has(pool)) used -= shareOf(pool);
    const evictable = others
      .filter((pool) => !victims.has(pool) && mayLeave(pool, target, nowMs, lostCacheMs))
      .sort(byWorth(lostCacheMs));
    for (const pool of evictable) {
      if (used + wanted.spec.share <= FULL) break;
      victims.add(pool);
      used -= shareOf(pool);
    }
    if (used + wanted.spec.share > FULL) return undefined;
  }
  return { victims: [...victims], fits };
}

/** Shares such as a third do not add up to 1 exactly. */
const FULL = 1 + 1e-9;

/** The wait of its tasks has come to its bound. */
export function isOverdue({ residency }: PoolState, nowMs: number): boolean {
  const sinceMs = residency?.unservedSinceMs;
  return sinceMs !== undefined && nowMs - sinceMs >= (residency?.spec.maxWaitMs ?? Infinity);
}

/**
 * Those whose tasks wait to be loaded, the first to be served first: the overdue by their wait, before
 * the others by their need.
 */
export function inOrderOfNeed(sharing: readonly PoolState[], nowMs: number): readonly PoolState[] {
  const waiting = sharing.filter((pool) => pool.residency?.phase === 'unloaded' && hasDemand(pool));
  const need = new Map(waiting.map((pool) => [pool, needOf(pool, nowMs)]));
  return waiting.sort(
    (a, b) => (need.get(b) ?? 0) - (need.get(a) ?? 0) || a.poolId.localeCompare(b.poolId),
  );
}

/**
 * Tasks that wait, by the square of the time for which they have been waiting, over the root of the time
 * it takes to load and serve them. The exponents were chosen on simulated agents (`npm run sim:swap`):
 * between the oldest first, which has the shortest longest waits, and most tasks per ms first, which has
 * the shortest mean, they come near the best of both.
 */
function needOf(pool: PoolState, nowMs: number): number {
  const { residency } = pool;
  if (residency === undefined) return 0;
  const ageMs = nowMs - (residency.unservedSinceMs ?? nowMs);
  if (isOverdue(pool, nowMs)) return OVERDUE * (1 + ageMs);
  const { weight, serviceMs } = backlogOf(pool);
  const claim = residency.isClaiming ? CLAIM : 1;
  return (claim * weight * (NEW_MS + ageMs) ** 2) / Math.sqrt(residency.loadMs + serviceMs);
}

/** Makes the newest ones differ by what waits and not by a few ms. */
const NEW_MS = 1_000;

/** More than the need of any that room is not made for already, and of any that are not overdue. */
const CLAIM = 1e9;
const OVERDUE = 1e40;

/** Whether a loaded pool has to make room for this one. */
function mayLeave(
  pool: PoolState,
  target: PoolState,
  nowMs: number,
  lostCacheMs: LostCacheMs,
): boolean {
  const { residency, unavailableReason } = pool;
  // It is waited for no longer than it can still come up.
  if (residency?.phase === 'loading') return unavailableReason !== undefined;
  if (residency?.phase !== 'loaded') return false;
  if (isIdle(pool)) return true;
  if (nowMs - residency.sinceMs < residency.spec.minResidencyMs) return false;
  if (isOverdue(target, nowMs)) return true;
  if (hasDemand(pool)) return false;
  const waitedMs = nowMs - (target.residency?.unservedSinceMs ?? nowMs);
  const switchMs = (target.residency?.loadMs ?? 0) + residency.loadMs + lostCacheMs(pool);
  return waitedMs >= PATIENCE * switchMs;
}

/**
 * So many times what a switch costs, tasks wait for those that still come to a loaded model. Chosen as
 * the exponents of the need were: less loads more often for shorter longest waits, more does not.
 */
const PATIENCE = 6;

/** In which order they leave: the idle first, then by what would have to be loaded and computed again. */
function byWorth(lostCacheMs: LostCacheMs): (a: PoolState, b: PoolState) => number {
  const worthOf = (pool: PoolState) => {
    const againMs = (pool.residency?.loadMs ?? 0) + lostCacheMs(pool);
    return { busy: isIdle(pool) ? 0 : 1, againMs, usedAtMs: pool.residency?.usedAtMs ?? 0 };
  };
  return (one, other) => {
    const a = worthOf(one);
    const b = worthOf(other);
    return (
      a.busy - b.busy ||
      a.againMs - b.againMs ||
      a.usedAtMs - b.usedAtMs ||
      (one.poolId < other.poolId ? -1 : 1)
    );
  };
}

function isGoing({ residency }: PoolState): boolean {
  return residency?.phase === 'leaving' || residency?.phase === 'unloading';
}

function shareOf({ residency }: PoolState): number {
  return residency?.spec.share ?? 0;
}

function sum(pools: readonly PoolState[], share: (pool: PoolState) => number): number {
  return pools.reduce((total, pool) => total + share(pool), 0);
}
