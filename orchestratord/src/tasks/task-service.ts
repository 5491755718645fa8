/** Creating and canceling tasks, apart from HTTP. Every refusal is an OrchError. */
import { randomUUID } from 'node:crypto';
import {
  OrchError,
  invalidParams,
  validateTaskRequest,
  type AdmissionResponse,
  type TaskRequest,
} from '@llama-orch/contracts';
import type { Core, Effect } from '@llama-orch/orchestrator-core';
import type { Clock } from '../clock.ts';
import type { ParsedBody } from '../http/json-body.ts';
import type { Ledger } from '../ledger/types.ts';
import type { Logger } from '../logging.ts';
import type { Metrics } from '../metrics/metrics.ts';
import {
  boundPromptTokens,
  deriveSeed,
  hashRequest,
  taskIdForKey,
  toTaskSpec,
  type PromptTokens,
} from './admission.ts';
import { archivedAdmission, toStoredAdmission, type StoredAdmission } from './archived-record.ts';
import { predictionFields } from './admission-promise.ts';
import type { CoreHost } from './core-host.ts';
import { LiveTask, isAudit, seedNumber, type RerunPlace, type TaskRecord } from './live-task.ts';
import type { PoolDirectory, PoolEntry } from './pool-directory.ts';
import type { PromptPrefixes } from './prompt-prefixes.ts';
import type { Replayable } from './replayable.ts';
import type { TaskBook } from './task-book.ts';
import { noSuchTask } from './task-queries.ts';
import type { TokenCounts } from './token-counts.ts';
import { isAnsweredWhole, textsOf } from './whole-answers.ts';

export interface TaskServiceOptions {
  readonly core: Core;
  readonly host: CoreHost;
  readonly book: TaskBook;
  readonly ledger: Ledger;
  readonly pools: PoolDirectory;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly prefixes: PromptPrefixes;
  readonly counts: Pick<TokenCounts, 'ofPrompt' | 'tooLong'>;
  /** Before a task is admitted: whatever runs for nobody gives way to it. */
  readonly makeWay: (record: TaskRecord) => void;
}

export interface Caller {
  readonly tenantId: string;
  readonly keyId: string | undefined;
  readonly correlationId: string;
  readonly idempotencyKey?: string | undefined;
}

/** A task that was admitted; `task` is undefined when a retried POST named one that has ended. */
export interface Admitted {
  readonly response: AdmissionResponse;
  readonly task: LiveTask | undefined;
}

/** A finished task that is to run again, elsewhere. */
export interface Rerun {
  readonly first: Replayable;
  readonly where: RerunPlace;
  /** Asked at the last moment before its admission; without it, it is admitted like any other task. */
  readonly mayStart?: (taskId: string) => boolean;
}

/** The id a client gave its task, and what it asked for under it. */
interface TaskName {
  readonly taskId: string;
  readonly requestHash: string;
}

const MIN_INT64 = -(2n ** 63n);
const MAX_INT64 = 2n ** 63n - 1n;

export class TaskService {
  readonly #options: TaskServiceOptions;
  readonly #creating = new Map<string, Promise<unknown>>();
  #closed = false;

  constructor(options: TaskServiceOptions) {
    this.#options = options;
  }

  /** Refuses everything new from here on; the daemon is shutting down. */
  close(): void {
    this.#closed = true;
  }

  /**
   * Admits the second run of a finished task: batch work of the caller's tenant, strict, from a cold start,
   * in no session and without a deadline. Resolves when its acceptance is durable.
   * @throws OrchError with the refusals of an admission, and CONFLICT when its pool is no longer configured or it
   * may not start
   */
  async rerun({ first, where, mayStart }: Rerun, caller: Caller): Promise<LiveTask> {
    if (this.#closed) throw shuttingDown();
    const pool = this.#options.pools.entry(first.poolId);
    if (pool === undefined) throw new OrchError('CONFLICT', 'its pool is no longer there');
    const request = toRerunRequest(first);
    const prompt = await this.#promptTokens(pool, request);
    const taskId = randomUUID();
    if (mayStart?.(taskId) === false) throw new OrchError('CONFLICT', 'there is no time for it');
    const { task } = await this.#admit(
      {
        taskId,
        ...belonging(pool, caller),
        request,
        promptFormat: first.promptFormat,
        determinism: 'strict',
        seed: first.seed,
        requestHash: undefined,
        acceptedAtMs: this.#options.clock.now(),
        deadlineAtMs: undefined,
        rerunOf: { taskId: first.taskId, setId: first.setId, ...where },
      },
      pool,
      prompt,
    );
    return task;
  }

  /**
   * Admits a task; resolves when its acceptance is durable.
   * @throws OrchError with every refusal of the contract's `createTask`
   */
  async create(body: ParsedBody, caller: Caller): Promise<Admitted> {
    if (this.#closed) throw shuttingDown();
    const request = parseRequest(body);
    const { exactSeed } = body;
    const named =
      request.task_id ??
      (caller.idempotencyKey === undefined
        ? undefined
        : taskIdForKey(caller.tenantId, caller.idempotencyKey));
    if (named === undefined) return this.#createNew(request, exactSeed, undefined, caller);
    const name = { taskId: named, requestHash: hashRequest(request, exactSeed) };
    return this.#inTurn(
      named,
      async () =>
        (await this.#findSame(name, caller)) ??
        (await this.#createNew(request, exactSeed, name, caller)),
    );
  }

  /** Creations of one id run one after another, so that a retry finds what it repeats. */
  async #inTurn<T>(taskId: string, run: () => Promise<T>): Promise<T> {
    for (
      let ahead = this.#creating.get(taskId);
      ahead !== undefined;
      ahead = this.#creating.get(taskId)
    ) {
      await ahead.catch(() => undefined);
    }
    const mine = run();
    this.#creating.set(taskId, mine);
    try {
      return await mine;
    } finally {
      this.#creating.delete(taskId);
    }
  }

  async #createNew(
    request: TaskRequest,
    exactSeed: bigint | undefined,
    name: TaskName | undefined,
    caller: Caller,
  ): Promise<Admitted> {
    const pool = this.#options.pools.resolve(request);
    const prompt = await this.#promptTokens(pool, request);
    const { clock } = this.#options;
    const taskId = name?.taskId ?? randomUUID();
    const now = clock.now();
    return this.#admit(
      {
        taskId,
        ...belonging(pool, caller),
        request,
        promptFormat: request.prompt_format ?? pool.promptFormat,
        determinism:
          request.determinism ?? (pool.determinism === 'exact' ? 'strict' : 'best_effort'),
        seed: String(exactSeed ?? request.seed ?? deriveSeed(taskId)),
        requestHash: name?.requestHash,
        acceptedAtMs: now,
        deadlineAtMs: request.deadline_ms === undefined ? undefined : now + request.deadline_ms,
      },
      pool,
      prompt,
    );
  }

  async #admit(
    record: TaskRecord,
    pool: PoolEntry,
    prompt: PromptTokens,
  ): Promise<Admitted & { readonly task: LiveTask }> {
    const { host, book, prefixes, makeWay } = this.#options;
    makeWay(record);
    const task = new LiveTask(record);
    book.add(task);
    try {
      const { effects, durable } = host.admit({
        type: 'admit',
        task: toTaskSpec(record, prompt, prefixes.of(record)),
      });
      const rejected = effects.find((effect) => effect.type === 'rejected');
      if (rejected !== undefined) throw this.#refusal(rejected, record, pool);
      await durable;
    } catch (error) {
      book.drop(record.taskId);
      throw error;
    }
    return { response: this.#promise(task), task };
  }

  /**
   * Cancels; idempotent. Resolves when the cancel is durable, or the end that came before it; no token
   * becomes visible from then on, and of a task that was canceled none from the call on.
   * @throws OrchError NOT_FOUND
   */
  async cancel(taskId: string, tenantId: string, reason: 'client' | 'disconnect'): Promise<void> {
    const { book, host, ledger } = this.#options;
    const task = book.get(taskId);
    if (task !== undefined && task.record.tenantId === tenantId) {
      await host.apply({ type: 'cancel', taskId, reason }).durable;
      await task.log.endShown();
      return;
    }
    const ended = await ledger.findArchived(taskId);
    if (ended?.tenantId !== tenantId) throw noSuchTask();
  }

  /** The task that a retried POST repeats. @throws OrchError CONFLICT when it was another request */
  async #findSame(name: TaskName, caller: Caller): Promise<Admitted | undefined> {
    const live = this.#options.book.get(name.taskId);
    if (live !== undefined) {
      requireSame(name, caller, live.record.requestHash, live.record.tenantId);
      return { response: this.#promise(live), task: live };
    }
    const ended = await this.#options.ledger.findArchived(name.taskId);
    if (ended === undefined) return undefined;
    const admission = archivedAdmission(ended.view);
    requireSame(name, caller, admission.requestHash, ended.tenantId);
    return { response: toResponse(admission, 0), task: undefined };
  }

  /** @throws OrchError INVALID_PARAMS when a text to embed or rank is longer than the pool's context */
  async #promptTokens(pool: PoolEntry, request: TaskRequest): Promise<PromptTokens> {
    const { counts } = this.#options;
    const bound = boundPromptTokens(request);
    if (bound + (request.max_tokens ?? 1) <= pool.ctx) return { count: bound, exact: false };
    if (isAnsweredWhole(request)) {
      const faults = await counts.tooLong(pool, textsOf(request));
      if (faults.length > 0) throw invalidParams('The request body', faults);
      return { count: bound, exact: false };
    }
    const count = await counts.ofPrompt(pool, request);
    return count === undefined ? { count: bound, exact: false } : { count, exact: true };
  }

  #promise(task: LiveTask): AdmissionResponse {
    const { core, clock } = this.#options;
    const priority = task.record.request.priority ?? 'interactive';
    const backoffMs = core.backoffMs(task.record.poolId, priority, clock.now());
    return toResponse(toStoredAdmission(task), backoffMs);
  }

  #refusal(
    effect: Extract<Effect, { type: 'rejected' }>,
    record: TaskRecord,
    pool: PoolEntry,
  ): OrchError {
    const { metrics, log } = this.#options;
    if (effect.policyLabel !== undefined && !isAudit(record)) {
      metrics.backpressure.inc({ engine: pool.engine, policy: effect.policyLabel });
    }
    log.info(
      {
        correlation_id: record.correlationId,
        job_id: effect.taskId,
        tenant_id: record.tenantId,
        key_id: record.keyId,
        pool_id: pool.poolId,
        engine: pool.engine,
        code: effect.code,
      },
      'task refused',
    );
    return new OrchError(effect.code, effect.message, {
      engine: pool.engine,
      poolId: pool.poolId,
      ...(effect.policyLabel === undefined ? {} : { policyLabel: effect.policyLabel }),
      ...(effect.retryAfterMs === undefined
        ? {}
        : { retryAfterMs: Math.max(1, Math.ceil(effect.retryAfterMs)) }),
      ...(effect.earliestFeasibleMs === undefined
        ? {}
        : { earliestFeasibleMs: effect.earliestFeasibleMs }),
      ...(effect.path === undefined
        ? {}
        : { details: [{ path: pathIn(record.request, effect.path), message: effect.message }] }),
    });
  }
}

/** Whose task it is, and who is to run it. */
function belonging(
  { poolId, modelId, engine }: PoolEntry,
  { tenantId, keyId, correlationId }: Caller,
) {
  return { tenantId, keyId, poolId, modelId, engine, correlationId };
}

function shuttingDown(): OrchError {
  return new OrchError('POOL_UNREADY', 'the daemon is shutting down', { retryAfterMs: 5000 });
}

/** The same generation; what concerned the first run alone is left out. */
function toRerunRequest({ request, taskId }: Replayable): TaskRequest {
  const {
    task_id: _taskId,
    session_id: _sessionId,
    deadline_ms: _deadlineMs,
    deadline_for: _deadlineFor,
    placement: _placement,
    model_ref: _modelRef,
    ...same
  } = request;
  return {
    ...same,
    priority: 'batch',
    determinism: 'strict',
    kv_hint: 'cold',
    metadata: { verifies: taskId },
  };
}

/** The core knows of a prompt; the client may have sent it as messages. */
function pathIn(request: TaskRequest, path: string): string {
  return path === '/prompt' && request.messages !== undefined ? '/messages' : path;
}

function toResponse(admission: StoredAdmission, backoffMs: number): AdmissionResponse {
  return {
    task_id: admission.taskId,
    queue_position: admission.queuePosition,
    predicted_start_ms: Math.round(admission.predictedStartMs),
    backoff_ms: Math.ceil(backoffMs),
    ...predictionFields(admission.forecast),
    stream_url: `/v1/tasks/${admission.taskId}/stream`,
    ...(admission.sessionId === undefined ? {} : { session_id: admission.sessionId }),
    seed: seedNumber(admission.seed),
  };
}

/** @throws OrchError INVALID_PARAMS */
function parseRequest(body: ParsedBody): TaskRequest {
  const result = validateTaskRequest(body.value);
  if (!result.ok) throw invalidParams('The request body', result.details);
  const { seed = 0 } = result.value;
  const exactSeed = body.exactSeed ?? BigInt(seed);
  if (exactSeed < MIN_INT64 || exactSeed > MAX_INT64) {
    throw invalidParams('The request body', [
      { path: '/seed', message: 'must be a signed 64-bit integer' },
    ]);
  }
  return result.value;
}

/**
 * Says the same of another tenant's task as of the caller's own.
 * @throws OrchError CONFLICT
 */
function requireSame(
  name: TaskName,
  caller: Caller,
  requestHash: string | undefined,
  tenantId: string,
): void {
  if (tenantId === caller.tenantId && requestHash === name.requestHash) return;
  throw new OrchError('CONFLICT', 'this task id was used before with another request');
}
