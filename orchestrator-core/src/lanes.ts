/**
 * Lanes of the queue: tasks that fit the same replicas, so that the one at the head speaks for those
 * behind it. A lane is named for the replicas, not for the words of the request, so that there are few
 * of them whatever clients ask for.
 */
import { keysApart } from './apart.ts';
import { sideOf } from './canary.ts';
import type { Side } from './canary.ts';
import type { PoolState, TaskRecord } from './state.ts';
import { textHash } from './text-hash.ts';

/** Anti-affinity keys are the client's own words; as many lanes as this keep them apart well enough. */
const KEY_LANES = 32;

/** What a lane's name says. */
export interface LaneSpec {
  /** The only replica set that may run them. */
  readonly setId: string | null;
  /** The only replicas that may; null is any. */
  readonly replicaIds: readonly string[] | null;
  readonly keyLane: number | null;
  /** While the pool has a canary: the only side that may run them. */
  readonly side: Side | null;
}

/** '' for a task that any replica may run. Holds until the pool's replicas change. */
export function laneOf(pool: PoolState, task: TaskRecord): string {
  const {
    pinnedSetId,
    spec: { placement },
  } = task;
  const keys = keysApart(task);
  const side = sideOf(pool, task);
  const isBound = pinnedSetId !== undefined || placement !== undefined || side !== undefined;
  if (!isBound && keys.length === 0) return '';
  const { devices, labels, notOn, on } = placement ?? {};
  const isFree = [devices, labels, notOn, on].every((each) => each === undefined);
  const lane: LaneSpec = {
    setId: pinnedSetId ?? null,
    replicaIds: isFree || placement === undefined ? null : matchingReplicas(pool, placement),
    keyLane: keys.length === 0 ? null : textHash(keys.join('\n')) % KEY_LANES,
    side: side ?? null,
  };
  return JSON.stringify(lane);
}

/** @param lane not '' */
export function parseLane(lane: string): LaneSpec {
  return JSON.parse(lane) as LaneSpec;
}

/** Whether none of the pool's replicas, ready or not, is one that the lane names; false while none is known. */
export function fitsNone(pool: PoolState, lane: string): boolean {
  return lane !== '' && pool.replicas.size > 0 && parseLane(lane).replicaIds?.length === 0;
}

export function hasLabels(
  labels: Readonly<Record<string, string>> | undefined,
  wanted: Readonly<Record<string, string>> | undefined,
): boolean {
  if (wanted === undefined) return true;
  for (const name of Object.keys(wanted)) if (labels?.[name] !== wanted[name]) return false;
  return true;
}

function matchingReplicas(
  pool: PoolState,
  { devices, labels, notOn, on }: NonNullable<TaskRecord['spec']['placement']>,
): readonly string[] {
  const ids: string[] = [];
  for (const [replicaId, { view }] of pool.replicas) {
    const onDevice = devices === undefined || devices.includes(view.device ?? '');
    const isNamed = replicaId !== notOn && (on === undefined || on === replicaId);
    if (onDevice && isNamed && hasLabels(view.labels, labels)) ids.push(replicaId);
  }
  return ids.sort();
}
