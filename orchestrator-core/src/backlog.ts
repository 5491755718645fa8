/** Reads off a pool what its predictor needs; O(replicas), however many tasks there are. */
import type { Backlog } from './prediction.ts';
import type { PoolState } from './state.ts';
import type { Ahead } from './waiting-queue.ts';

/** What stands between a task with `ahead` before it and its start. */
export function backlogOf(pool: PoolState, ahead: Ahead, nowMs: number): Backlog {
  let readySlots = 0;
  let knownSlots = 0;
  for (const { view } of pool.replicas.values()) {
    knownSlots += view.slots;
    if (view.ready) readySlots += view.slots;
  }
  const { interactive, batch } = pool.load;
  const elapsed = (load: typeof interactive) => ({
    count: load.count,
    elapsedMs: load.count * nowMs - load.dispatchedAtSumMs,
  });
  return {
    slots: readySlots > 0 ? readySlots : knownSlots,
    hasReadySlot: readySlots > 0,
    ahead,
    running: { interactive: elapsed(interactive), batch: elapsed(batch) },
  };
}

/** When a refused or failed client should try again, ms. */
export function retryAfterMs(pool: PoolState, nowMs: number): number {
  const nobody = { interactive: 0, batch: 0 };
  return pool.predictor.retryAfterMs(backlogOf(pool, nobody, nowMs));
}
