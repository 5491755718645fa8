/**
 * A canary takes a fixed share of the tasks: which ones follows from a hash of their session, or of their
 * own id, so that a session stays on its side and a task that runs again goes where it went before.
 */
import { textHash } from './text-hash.ts';
import type { PoolState, TaskRecord } from './state.ts';
import type { ReplicaView, TaskSpec } from './types.ts';

export type Side = 'stable' | 'canary';

/**
 * The share of the tasks that are for canaries, percent. Undefined when there is nothing to share: no
 * canary is ready, or there is no other replica, ready or not.
 */
export function canaryShareOf(replicas: Iterable<ReplicaView>): number | undefined {
  let share: number | undefined;
  let hasStable = false;
  for (const { canaryPercent, ready } of replicas) {
    if (canaryPercent === undefined) hasStable = true;
    else if (ready) share = Math.max(share ?? 0, canaryPercent);
  }
  return hasStable ? share : undefined;
}

/**
 * The side that a task is on while the pool has two. Undefined for one that is bound otherwise: to the set
 * that began its output, or by labels or devices that it names, or to or away from a replica.
 */
export function sideOf(
  { canaryShare }: Pick<PoolState, 'canaryShare'>,
  { pinnedSetId, spec }: Pick<TaskRecord, 'pinnedSetId' | 'spec'>,
): Side | undefined {
  if (canaryShare === undefined || pinnedSetId !== undefined) return undefined;
  const { labels, devices, notOn, on } = spec.placement ?? {};
  const isBound = [labels, devices, notOn, on].some((each) => each !== undefined);
  if (isBound) return undefined;
  return sharePoint(spec) < canaryShare ? 'canary' : 'stable';
}

export function sideOfReplica({ canaryPercent }: ReplicaView): Side {
  return canaryPercent === undefined ? 'stable' : 'canary';
}

/** From 0 up to 100, evenly spread over ids. */
export function sharePoint({ sessionId, taskId }: Pick<TaskSpec, 'sessionId' | 'taskId'>): number {
  return (textHash(sessionId ?? taskId) / 2 ** 32) * 100;
}
