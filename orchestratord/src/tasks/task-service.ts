/**
 * What can be asked about tasks, apart from HTTP: create, cancel, look up, list. Every refusal is an
 * OrchError.
 */
import { randomUUID } from 'node:crypto';
import {
  OrchError,
  invalidParams,
  validateTaskRequest,
  type AdmissionResponse,
  type TaskRequest,
} from '@llama-orch/contracts';
import type { Core, Effect, TaskView } from '@llama-orch/orchestrator-core';
import type { Clock } from '../clock.ts';
import type { ParsedBody } from '../http/json-body.ts';
import type { ArchivedTask, Ledger, TaskFilter } from '../ledger/types.ts';
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
import {
  archivedAdmission,
  archivedTaskJson,
  toStoredAdmission,
  type StoredAdmission,
} from './archived-record.ts';
import type { CoreHost } from './core-host.ts';
import { LiveTask, liveView, seedNumber, type TaskRecord } from './live-task.ts';
import type { PoolDirectory, PoolEntry } from './pool-directory.ts';
import type { TaskBook } from './task-book.ts';

export interface TaskServiceOptions {
  readonly core: Core;
  readonly host: CoreHost;
  readonly book: TaskBook;
  readonly ledger: Ledger;
  readonly pools: PoolDirectory;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly log: Logger;
  /** Exact prompt tokens by asking a ready replica, or undefined when none can say. */
  readonly countTokens: (pool: PoolEntry, request: TaskRequest) => Promise<number | undefined>;
}

export interface Caller {
  readonly tenantId: string;
  readonly correlationId: string;
  readonly idempotencyKey?: string | undefined;
}

/** A task that was admitted; `task` is undefined when a retried POST named one that has ended. */
export interface Admitted {
  readonly response: AdmissionResponse;
  readonly task: LiveTask | undefined;
}

const MIN_INT64 = -(2n ** 63n);
const MAX_INT64 = 2n ** 63n - 1n;

export class TaskService {
  readonly #options: TaskServiceOptions;
  #closed = false;

  constructor(options: TaskServiceOptions) {
    this.#options = options;
  }

  /** Refuses everything new from here on; the daemon is shutting down. */
  close(): void {
    this.#closed = true;
  }

  /**
   * Admits a task; resolves when its acceptance is durable.
   * @throws OrchError with every refusal of the contract's `createTask`
   */
  async create(body: ParsedBody, caller: Caller): Promise<Admitted> {
    try {
      return await this.#create(body, caller);
    } catch (error) {
      if (error instanceof OrchError) {
        this.#options.metrics.tasksRejected.inc({
          reason: error.kind,
          engine: error.engine ?? '',
        });
      }
      throw error;
    }
  }

  async #create(body: ParsedBody, caller: Caller): Promise<Admitted> {
    if (this.#closed) {
      throw new OrchError('POOL_UNREADY', 'the daemon is shutting down', { retryAfterMs: 5000 });
    }
    const request = parseRequest(body);
    const named =
      request.task_id ??
      (caller.idempotencyKey === undefined
        ? undefined
        : taskIdForKey(caller.tenantId, caller.idempotencyKey));
    const requestHash = named === undefined ? undefined : hashRequest(request, body.exactSeed);
    if (named !== undefined && requestHash !== undefined) {
      const before = await this.#findSame(named, requestHash, caller);
      if (before !== undefined) return before;
    }
    const pool = this.#options.pools.resolve(request);
    const prompt = await this.#promptTokens(pool, request);
    // Another POST of the same id may have come in while the engine or the ledger was asked.
    if (named !== undefined && requestHash !== undefined) {
      const live = this.#findLive(named, requestHash, caller);
      if (live !== undefined) return live;
    }
    return this.#admit(request, body.exactSeed, pool, prompt, named, requestHash, caller);
  }

  async #admit(
    request: TaskRequest,
    exactSeed: bigint | undefined,
    pool: PoolEntry,
    prompt: PromptTokens,
    named: string | undefined,
    requestHash: string | undefined,
    caller: Caller,
  ): Promise<Admitted> {
    const { host, book, clock } = this.#options;
    const taskId = named ?? randomUUID();
    const now = clock.now();
    const record: TaskRecord = {
      taskId,
      tenantId: caller.tenantId,
      poolId: pool.poolId,
      modelId: pool.modelId,
      engine: pool.engine,
      correlationId: caller.correlationId,
      request,
      promptFormat: request.prompt_format ?? pool.promptFormat,
      seed: String(exactSeed ?? request.seed ?? deriveSeed(taskId)),
      requestHash,
      acceptedAtMs: now,
      deadlineAtMs: request.deadline_ms === undefined ? undefined : now + request.deadline_ms,
    };
    const task = new LiveTask(record);
    book.add(task);
    try {
      const { effects, durable } = host.admit({ type: 'admit', task: toTaskSpec(record, prompt) });
      const rejected = effects.find((effect) => effect.type === 'rejected');
      if (rejected !== undefined) throw this.#refusal(rejected, pool);
      task.accepted = durable;
      await durable;
    } catch (error) {
      book.drop(taskId);
      throw error;
    }
    return { response: this.#promise(task), task };
  }

  /**
   * Cancels; idempotent. Resolves when the cancel is durable; no token is shown to any reader from the
   * call on.
   * @throws OrchError NOT_FOUND
   */
  async cancel(taskId: string, tenantId: string, reason: 'client' | 'disconnect'): Promise<void> {
    const { book, host, ledger } = this.#options;
    const task = book.get(taskId);
    if (task !== undefined && task.record.tenantId === tenantId) {
      await host.apply({ type: 'cancel', taskId, reason }).durable;
      return;
    }
    const ended = await ledger.findArchived(taskId);
    if (ended?.tenantId !== tenantId) throw notFound();
  }

  /** The JSON text of a task. @throws OrchError NOT_FOUND */
  async get(taskId: string, tenantId: string): Promise<string> {
    const task = this.findLive(taskId, tenantId);
    if (task !== undefined) return this.#liveJson(task);
    const ended = await this.#options.ledger.findArchived(taskId);
    if (ended?.tenantId !== tenantId) throw notFound();
    return archivedTaskJson(ended.view);
  }

  findLive(taskId: string, tenantId: string): LiveTask | undefined {
    const task = this.#options.book.get(taskId);
    return task?.record.tenantId === tenantId ? task : undefined;
  }

  /** @throws OrchError NOT_FOUND */
  async findEnded(taskId: string, tenantId: string): Promise<ArchivedTask> {
    const ended = await this.#options.ledger.findArchived(taskId);
    if (ended?.tenantId !== tenantId) throw notFound();
    return ended;
  }

  /**
   * Newest first. The answer is the JSON text of a TaskPage.
   * @param before arrival number to start below; undefined starts at the newest
   */
  async list(
    filter: TaskFilter & { readonly tenantId: string },
    before: number | undefined,
    limit: number,
  ): Promise<{ readonly items: readonly string[]; readonly next: number | undefined }> {
    const rows: { readonly seq: number; readonly id: string; readonly json: string }[] = [];
    for (const task of this.#options.book.newestFirst(before)) {
      if (!this.#matches(task, filter)) continue;
      rows.push({ seq: task.arrival, id: task.taskId, json: this.#liveJson(task) });
      if (rows.length > limit) break;
    }
    const live = new Set(rows.map((row) => row.id));
    for (const ended of await this.#options.ledger.listArchived(filter, before, limit + 1)) {
      if (live.has(ended.taskId)) continue;
      rows.push({ seq: ended.acceptedSeq, id: ended.taskId, json: archivedTaskJson(ended.view) });
    }
    rows.sort((a, b) => b.seq - a.seq);
    const page = rows.slice(0, limit);
    return {
      items: page.map((row) => row.json),
      next: rows.length > limit ? page.at(-1)?.seq : undefined,
    };
  }

  #matches(task: LiveTask, filter: TaskFilter): boolean {
    const { request } = task.record;
    return (
      task.record.tenantId === filter.tenantId &&
      (filter.sessionId === undefined || request.session_id === filter.sessionId) &&
      (filter.priority === undefined || (request.priority ?? 'interactive') === filter.priority) &&
      (filter.state === undefined || this.#coreView(task)?.state === filter.state)
    );
  }

  #coreView(task: LiveTask): TaskView | undefined {
    return this.#options.core.task(task.taskId, this.#options.clock.now());
  }

  #liveJson(task: LiveTask): string {
    const view = this.#coreView(task);
    const waiting =
      view?.state === 'queued'
        ? { queuePosition: view.queuePosition, predictedStartMs: view.predictedStartMs }
        : undefined;
    return JSON.stringify(liveView(task, waiting));
  }

  async #findSame(taskId: string, hash: string, caller: Caller): Promise<Admitted | undefined> {
    const live = this.#findLive(taskId, hash, caller);
    if (live !== undefined) return live;
    const ended = await this.#options.ledger.findArchived(taskId);
    if (ended === undefined) return undefined;
    const admission = archivedAdmission(ended.view);
    if (ended.tenantId !== caller.tenantId || admission.requestHash !== hash) throw conflict();
    return { response: toResponse(admission), task: undefined };
  }

  #findLive(taskId: string, hash: string, caller: Caller): Promise<Admitted> | undefined {
    const task = this.#options.book.get(taskId);
    if (task === undefined) return undefined;
    if (task.record.tenantId !== caller.tenantId || task.record.requestHash !== hash) {
      throw conflict();
    }
    return task.accepted.then(() => ({ response: this.#promise(task), task }));
  }

  async #promptTokens(pool: PoolEntry, request: TaskRequest): Promise<PromptTokens> {
    const bound = boundPromptTokens(request);
    if (bound + (request.max_tokens ?? 1) <= pool.ctx) return { count: bound, exact: false };
    const count = await this.#options.countTokens(pool, request);
    return count === undefined ? { count: bound, exact: false } : { count, exact: true };
  }

  #promise(task: LiveTask): AdmissionResponse {
    return toResponse(toStoredAdmission(task));
  }

  #refusal(effect: Extract<Effect, { type: 'rejected' }>, pool: PoolEntry): OrchError {
    const { metrics, log } = this.#options;
    if (effect.policyLabel !== undefined) {
      metrics.backpressure.inc({ engine: pool.engine, policy: effect.policyLabel });
    }
    log.info(
      { job_id: effect.taskId, pool_id: pool.poolId, engine: pool.engine, code: effect.code },
      'task refused',
    );
    return new OrchError(effect.code, effect.message, {
      engine: pool.engine,
      poolId: pool.poolId,
      ...(effect.policyLabel === undefined ? {} : { policyLabel: effect.policyLabel }),
      ...(effect.retryAfterMs === undefined
        ? {}
        : { retryAfterMs: Math.max(1, Math.ceil(effect.retryAfterMs)) }),
      ...(effect.path === undefined
        ? {}
        : { details: [{ path: effect.path, message: effect.message }] }),
    });
  }
}

function toResponse(admission: StoredAdmission): AdmissionResponse {
  return {
    task_id: admission.taskId,
    queue_position: admission.queuePosition,
    predicted_start_ms: Math.round(admission.predictedStartMs),
    backoff_ms: 0,
    stream_url: `/v1/tasks/${admission.taskId}/stream`,
    ...(admission.sessionId === undefined ? {} : { session_id: admission.sessionId }),
    seed: seedNumber(admission.seed),
  };
}

/** @throws OrchError INVALID_PARAMS */
function parseRequest(body: ParsedBody): TaskRequest {
  const result = validateTaskRequest(body.value);
  if (!result.ok) throw invalidParams('The request body', result.details);
  const { exactSeed } = body;
  if (exactSeed !== undefined && (exactSeed < MIN_INT64 || exactSeed > MAX_INT64)) {
    throw invalidParams('The request body', [
      { path: '/seed', message: 'must be a signed 64-bit integer' },
    ]);
  }
  return result.value;
}

function notFound(): OrchError {
  return new OrchError('NOT_FOUND', 'no such task');
}

function conflict(): OrchError {
  return new OrchError('CONFLICT', 'this task id was used before with another request');
}
