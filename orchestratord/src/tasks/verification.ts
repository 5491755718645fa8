/**
 * Runs a finished strict task again on another replica of its set and compares the outputs (ORCH-3045).
 * The second run is an ordinary task: admitted, queued and counted as any other of its tenant's batch work.
 */
import { OrchError, type TaskVerification } from '@llama-orch/contracts';
import type { PoolManager } from '@llama-orch/pool-managerd';
import { compareOutputs } from './compare-outputs.ts';
import { outputOf } from './live-task.ts';
import { tokensOf, type Replayer } from './replay.ts';
import { othersOfItsSet, toReplayable, type Replayable } from './replayable.ts';
import type { TaskQueries } from './task-queries.ts';
import type { Caller } from './task-service.ts';

export interface VerifierOptions {
  readonly queries: Pick<TaskQueries, 'findLive' | 'findEnded'>;
  readonly replayer: Replayer;
  readonly pools: Pick<PoolManager, 'replicas'>;
}

/** For the second run to wait its turn and come to its end, ms. */
const LIMIT_MS = 300_000;
const RETRY_MS = 5_000;

export class Verifier {
  readonly #options: VerifierOptions;

  constructor(options: VerifierOptions) {
    this.#options = options;
  }

  /**
   * @param signal aborted when the caller has left: the second run is canceled
   * @throws OrchError NOT_FOUND (410 when it is no longer kept), CONFLICT when it cannot be verified,
   * POOL_UNREADY when no replica could, and every refusal of an admission
   */
  async verify(taskId: string, caller: Caller, signal: AbortSignal): Promise<TaskVerification> {
    const { queries, replayer } = this.#options;
    if (queries.findLive(taskId, caller.tenantId) !== undefined) {
      throw new OrchError('CONFLICT', 'the task has not ended');
    }
    const first = toReplayable(await queries.findEnded(taskId, caller.tenantId));
    this.#requireOther(first);
    const tokens = await replayer.outputOf(taskId);
    signal.throwIfAborted();
    const where = { notOn: first.replicaId };
    const second = await replayer.run({ first, where }, caller, signal, LIMIT_MS);
    const { tokensCompared, firstDifference } = compareOutputs(tokens, tokensOf(second));
    return {
      task_id: taskId,
      verified_by_task_id: second.taskId,
      match: firstDifference === undefined,
      replica_id: first.replicaId,
      verified_on_replica_id: second.replica?.replicaId ?? '',
      replica_set_id: first.setId,
      tokens_compared: tokensCompared,
      output_sha256: first.outputSha256,
      verified_sha256: outputOf(second).outputSha256,
      ...(firstDifference === undefined ? {} : { first_difference: firstDifference }),
    };
  }

  /** @throws OrchError CONFLICT, POOL_UNREADY */
  #requireOther(first: Replayable): void {
    const others = othersOfItsSet(this.#options.pools, first);
    if (others.length === 0) {
      throw new OrchError('CONFLICT', 'there is no other replica in the set of this task');
    }
    if (!others.some(({ state }) => state === 'ready')) {
      const message = 'no other replica of its set is ready';
      const { poolId } = first;
      throw new OrchError('POOL_UNREADY', message, { poolId, retryAfterMs: RETRY_MS });
    }
  }
}
