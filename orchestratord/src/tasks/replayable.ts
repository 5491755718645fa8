/** What of a finished task can run again and give the same bytes, and where (ORCH-3045). */
import { OrchError, type Task } from '@llama-orch/contracts';
import type { PoolManager, ReplicaSnapshot } from '@llama-orch/pool-managerd';
import type { ArchivedTask } from '../ledger/types.ts';
import {
  archivedAdmission,
  archivedOrder,
  archivedTaskJson,
  type StoredOrder,
} from './archived-record.ts';

/** A finished task with all it takes to run it again. */
export interface Replayable extends StoredOrder {
  readonly taskId: string;
  readonly poolId: string;
  /** int64 in decimal. */
  readonly seed: string;
  /** Where it ran: the set that gives the same bytes, and the replica that gave these. */
  readonly setId: string;
  readonly replicaId: string;
  readonly outputSha256: string;
}

/**
 * @throws OrchError CONFLICT when the task did not complete or promised no bytes, NOT_FOUND (410) when what it
 * was asked is no longer kept
 */
export function toReplayable(ended: ArchivedTask): Replayable {
  const view = JSON.parse(archivedTaskJson(ended.view)) as Task;
  if (view.state !== 'completed') throw new OrchError('CONFLICT', 'the task did not complete');
  if (view.determinism !== 'strict' || view.workload !== 'completion') {
    throw new OrchError('CONFLICT', 'only strict completions give the same bytes again');
  }
  const order = archivedOrder(ended.view);
  if (order === undefined) {
    const message = 'what this task was asked is no longer kept';
    throw new OrchError('NOT_FOUND', message, { status: 410 });
  }
  return {
    ...order,
    taskId: ended.taskId,
    poolId: ended.poolId,
    seed: archivedAdmission(ended.view).seed,
    setId: view.proof?.replica_set_id ?? '',
    replicaId: view.replica?.replica_id ?? '',
    outputSha256: view.output_sha256 ?? '',
  };
}

/** The replicas of its pool, ready or not, that give the same bytes as the one that ran it. */
export function othersOfItsSet(
  pools: Pick<PoolManager, 'replicas'>,
  { poolId, setId, replicaId }: Pick<Replayable, 'poolId' | 'setId' | 'replicaId'>,
): readonly ReplicaSnapshot[] {
  return pools
    .replicas(poolId)
    .filter((each) => each.setId === setId && each.replicaId !== replicaId);
}
