/**
 * Runs a finished strict task again on another replica of its set and compares the outputs (ORCH-3045).
 * The second run is an ordinary task: admitted, queued and counted as any other of its tenant's batch work.
 */
import { OrchError, type Task, type TaskVerification } from '@llama-orch/contracts';
import type { PoolManager } from '@llama-orch/pool-managerd';
import type { Clock } from '../clock.ts';
import type { ArchivedTask, Ledger } from '../ledger/types.ts';
import { archivedAdmission, archivedOrder, archivedTaskJson } from './archived-record.ts';
import { compareOutputs } from './compare-outputs.ts';
import { outputOf, type LiveTask } from './live-task.ts';
import { isToken, parseLogEntry, tokenText } from './task-log.ts';
import type { TaskQueries } from './task-queries.ts';
import type { Caller, Rerun, TaskService } from './task-service.ts';

export interface VerifierOptions {
  readonly queries: Pick<TaskQueries, 'findLive' | 'findEnded'>;
  readonly service: Pick<TaskService, 'rerun' | 'cancel'>;
  readonly ledger: Pick<Ledger, 'readTranscript'>;
  readonly pools: Pick<PoolManager, 'replicas'>;
  readonly clock: Clock;
}

/** For the second run to wait its turn and come to its end, ms. */
const LIMIT_MS = 300_000;
const RETRY_MS = 5_000;
/** Entries of a transcript read at once. */
const PAGE = 1_000;

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
    const { queries, service, ledger, clock } = this.#options;
    if (queries.findLive(taskId, caller.tenantId) !== undefined) {
      throw new OrchError('CONFLICT', 'the task has not ended');
    }
    const ended = await queries.findEnded(taskId, caller.tenantId);
    const { rerun, expected } = this.#plan(ended);
    const tokens = await readTokens(ledger, taskId);
    signal.throwIfAborted();
    const again = await service.rerun(rerun, caller);
    const task = await this.#ended(again, caller, signal, clock);
    const { tokensCompared, firstDifference } = compareOutputs(tokens, tokensOf(task));
    return {
      task_id: taskId,
      verified_by_task_id: task.taskId,
      match: firstDifference === undefined,
      replica_id: rerun.notOn,
      verified_on_replica_id: task.replica?.replicaId ?? '',
      replica_set_id: rerun.setId,
      tokens_compared: tokensCompared,
      output_sha256: expected,
      verified_sha256: outputOf(task).outputSha256,
      ...(firstDifference === undefined ? {} : { first_difference: firstDifference }),
    };
  }

  /** @throws OrchError CONFLICT, POOL_UNREADY, NOT_FOUND */
  #plan(ended: ArchivedTask): { readonly rerun: Rerun; readonly expected: string } {
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
    const notOn = view.replica?.replica_id ?? '';
    const setId = view.proof?.replica_set_id ?? '';
    const { poolId } = ended;
    const others = this.#options.pools
      .replicas(poolId)
      .filter((each) => each.setId === setId && each.replicaId !== notOn);
    if (others.length === 0) {
      throw new OrchError('CONFLICT', 'there is no other replica in the set of this task');
    }
    if (!others.some(({ state }) => state === 'ready')) {
      const message = 'no other replica of its set is ready';
      throw new OrchError('POOL_UNREADY', message, { poolId, retryAfterMs: RETRY_MS });
    }
    const { seed } = archivedAdmission(ended.view);
    return {
      rerun: { ofTaskId: ended.taskId, poolId, ...order, seed, setId, notOn },
      expected: view.output_sha256 ?? '',
    };
  }

  /** Resolves with the second run when it has completed. @throws OrchError */
  async #ended(
    task: LiveTask,
    caller: Caller,
    signal: AbortSignal,
    clock: Clock,
  ): Promise<LiveTask> {
    const timedOut = new AbortController();
    const stopTimer = clock.setTimer(LIMIT_MS, () => timedOut.abort());
    const given = AbortSignal.any([signal, timedOut.signal]);
    const giveUp = (): void => {
      // It may have ended at this very moment, and then there is nothing to cancel.
      void this.#options.service
        .cancel(task.taskId, caller.tenantId, 'disconnect')
        .catch(() => undefined);
    };
    given.addEventListener('abort', giveUp);
    if (given.aborted) giveUp();
    try {
      await untilSealed(task);
    } finally {
      stopTimer();
      given.removeEventListener('abort', giveUp);
    }
    const last = task.log.entry(task.log.length - 1);
    if (last === undefined || isToken(last) || typeof last === 'string') throw lost();
    const end = JSON.parse(last.data) as EndOrError;
    if (last.event === 'end' && end.finish_reason !== 'canceled') return task;
    if (timedOut.signal.aborted) {
      const message = 'no other replica of its set had time for it';
      throw new OrchError('POOL_UNREADY', message, { poolId: task.poolId, retryAfterMs: RETRY_MS });
    }
    if (last.event === 'end') throw new OrchError('CONFLICT', 'the second run was canceled');
    throw lost(end.message);
  }
}

interface EndOrError {
  readonly finish_reason?: string;
  readonly message?: string;
}

function lost(why = 'it ended without a result'): OrchError {
  return new OrchError('POOL_UNREADY', `the second run failed: ${why}`, { retryAfterMs: RETRY_MS });
}

/** Resolves once the log is complete and durable. */
function untilSealed({ log }: LiveTask): Promise<void> {
  const isOver = (): boolean => log.sealed && log.visible === log.length;
  if (isOver()) return Promise.resolve();
  return new Promise((resolve) => {
    const unsubscribe = log.subscribe(() => {
      if (!isOver()) return;
      unsubscribe();
      resolve();
    });
  });
}

function tokensOf({ log }: LiveTask): readonly string[] {
  const tokens: string[] = [];
  for (let position = 0; position < log.length; position += 1) {
    const entry = log.entry(position);
    if (entry !== undefined && isToken(entry)) tokens.push(tokenText(entry));
  }
  return tokens;
}

async function readTokens(
  ledger: Pick<Ledger, 'readTranscript'>,
  taskId: string,
): Promise<readonly string[]> {
  const tokens: string[] = [];
  for (let after = 0; ; after += PAGE) {
    const page = await ledger.readTranscript(taskId, after, PAGE);
    for (const text of page) {
      const entry = parseLogEntry(text);
      if (isToken(entry)) tokens.push(tokenText(entry));
    }
    if (page.length < PAGE) return tokens;
  }
}
