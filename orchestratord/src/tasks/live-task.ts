/**
 * A task between admission and its end, as the daemon holds it: what was asked (durable, `TaskRecord`),
 * what has happened, and the log of what it said. Decisions about it live in the core.
 */
import { hash } from 'node:crypto';
import type { Determinism, Priority, PromptFormat, Task, TaskRequest } from '@llama-orch/contracts';
import type { Outcome, TaskView, Usage } from '@llama-orch/orchestrator-core';
import type { ReplicaSnapshot } from '@llama-orch/pool-managerd';
import { AUDIT_TENANT } from '../auth/identity.ts';
import {
  predictionFields,
  shownChance,
  type AdmissionPromise,
  type FirstTokenForecast,
} from './admission-promise.ts';
import { NO_HISTORY, withEntry, type HistoryEntry, type TaskHistory } from './task-history.ts';
import { TaskLog, type LogEntry } from './task-log.ts';
import { wholeJson, type WholeResult } from './whole-answers.ts';

/** What is asked of a task: enough to run the task after any crash. */
export interface TaskRecord {
  readonly taskId: string;
  readonly tenantId: string;
  /** The API key it came with, by its name; for logs. */
  readonly keyId?: string | undefined;
  readonly poolId: string;
  readonly modelId: string;
  readonly engine: string;
  readonly correlationId: string;
  readonly request: TaskRequest;
  /** How a bare prompt becomes text for the engine: the request's word, else the pool's. */
  readonly promptFormat: PromptFormat;
  /** As it was given to the task; a record from before pools could differ in it has the request's word. */
  readonly determinism?: Determinism | undefined;
  /** int64 in decimal: JSON numbers cannot hold it. */
  readonly seed: string;
  /** SHA-256 of the canonical request, kept when the client may retry it under the same id. */
  readonly requestHash: string | undefined;
  readonly acceptedAtMs: number;
  readonly deadlineAtMs: number | undefined;
  /** Of a second run: whose output it is to be compared with, and where it may run. */
  readonly rerunOf?: (RerunPlace & { readonly taskId: string; readonly setId: string }) | undefined;
}

/** The one replica of the set that may not run a task again, or the one that is to. */
export type RerunPlace = { readonly notOn: string } | { readonly on: string };

/** What is written with `task.accepted`. */
export interface AcceptedDetail extends TaskRecord {
  readonly forecast?: FirstTokenForecast | undefined;
}

/** What is written with `task.foreseen`. */
export type ForeseenDetail = Pick<AcceptedDetail, 'forecast'>;

export const SAMPLER_PROFILE_VERSION = 'v1';

export class LiveTask {
  readonly record: TaskRecord;
  #log: TaskLog | undefined;
  /** Arrival number, given by the core; orders lists. */
  arrival = 0;
  admission: AdmissionPromise = { queuePosition: 0, predictedStartMs: 0 };
  attempts = 0;
  /** How often it was stopped for others. */
  preemptions = 0;
  history: TaskHistory = NO_HISTORY;
  kvWarmth = false;
  /** First dispatch: the end of the wait in the queue. */
  dispatchedAtMs: number | undefined;
  /** Last dispatch: when the attempt that counts began. */
  startedAtMs: number | undefined;
  firstTokenAtMs: number | undefined;
  lastTokenAtMs: number | undefined;
  /** What an embedding or a ranking ended with. */
  wholeResult: WholeResult | undefined;
  /** Where it runs or ran last. */
  replica: ReplicaSnapshot | undefined;

  /** @param restored the log an earlier life of the daemon left, after a restart */
  constructor(record: TaskRecord, restored?: readonly LogEntry[]) {
    this.record = record;
    if (restored === undefined) return;
    this.#log = this.#newLog(restored);
  }

  /** Made when first asked for: most of a deep queue has nobody reading it yet. */
  get log(): TaskLog {
    this.#log ??= this.#newLog();
    return this.#log;
  }

  #newLog(restored?: readonly LogEntry[]): TaskLog {
    const { record } = this;
    return new TaskLog({ durableFirst: !isStrict(record), restored, inMemory: isAudit(record) });
  }

  /** Adds to what an explanation will tell. */
  note(entry: HistoryEntry): void {
    this.history = withEntry(this.history, entry);
  }

  get taskId(): string {
    return this.record.taskId;
  }
  get poolId(): string {
    return this.record.poolId;
  }
  get priority(): Priority {
    return this.record.request.priority ?? 'interactive';
  }
  get seed(): bigint {
    return BigInt(this.record.seed);
  }
  // The clock may have been set back while the daemon was down: no duration is negative for it.
  get queueMs(): number {
    const { acceptedAtMs } = this.record;
    return Math.max(0, (this.dispatchedAtMs ?? acceptedAtMs) - acceptedAtMs);
  }
  get ttftMs(): number | undefined {
    if (this.firstTokenAtMs === undefined) return undefined;
    return Math.max(0, this.firstTokenAtMs - this.record.acceptedAtMs);
  }
  get decodeMs(): number {
    return (this.lastTokenAtMs ?? 0) - (this.firstTokenAtMs ?? 0);
  }
}

/** Whether it is nobody's: run by the daemon itself to compare replicas, and not accounted to anyone. */
export function isAudit({ tenantId }: Pick<TaskRecord, 'tenantId'>): boolean {
  return tenantId === AUDIT_TENANT;
}

/** Whether the task gives the same bytes when it runs again. */
export function isStrict(record: Pick<TaskRecord, 'determinism' | 'request'>): boolean {
  return determinismOf(record) === 'strict';
}

function determinismOf({
  determinism,
  request,
}: Pick<TaskRecord, 'determinism' | 'request'>): Determinism {
  return determinism ?? request.determinism ?? 'strict';
}

export function sha256Hex(text: string): string {
  return hash('sha256', text, 'hex');
}

/** How a task stands now, from the core. */
export type PresentView = Pick<
  TaskView,
  'state' | 'queuePosition' | 'predictedStartMs' | 'onTimeProbability'
>;

/** The task as `GET /v1/tasks/{id}` shows it while it is alive. */
export function liveView(task: LiveTask, present: PresentView | undefined): Task {
  const text = task.log.tokens === 0 ? undefined : task.log.text();
  return { ...liveSummary(task, present), ...(text === undefined ? {} : { result: { text } }) };
}

/** The same without its output so far. */
export function liveSummary(task: LiveTask, present: PresentView | undefined): Task {
  const chance = present?.onTimeProbability;
  return {
    ...commonView(task),
    state: present?.state ?? 'running',
    ...(chance === undefined ? {} : { on_time_probability: shownChance(chance) }),
    ...(present?.state !== 'queued'
      ? {}
      : {
          queue_position: present.queuePosition,
          predicted_start_ms: Math.round(present.predictedStartMs),
        }),
  };
}

export interface Ending {
  /** All that was said; empty for an embedding or a ranking. */
  readonly text: string;
  readonly outputSha256: string;
  readonly endedAtMs: number;
}

/** What the task said, and its hash as the contract has it. */
export function outputOf({ log, wholeResult }: LiveTask): Pick<Ending, 'text' | 'outputSha256'> {
  const text = log.text();
  return {
    text,
    outputSha256: sha256Hex(wholeResult === undefined ? text : wholeJson(wholeResult)),
  };
}

/** The task as it is kept after its end. */
export function endedView(task: LiveTask, outcome: Outcome, ending: Ending): Task {
  const { text, outputSha256, endedAtMs } = ending;
  const common = { ...commonView(task), ended_at_ms: endedAtMs };
  const partial = text === '' ? {} : { result: { text } };
  switch (outcome.kind) {
    case 'completed':
      return {
        ...common,
        state: 'completed',
        finish_reason: outcome.finishReason,
        usage: usageView(task, outcome.usage),
        output_sha256: outputSha256,
        result: task.wholeResult ?? { text },
        ...proofOf(task, outputSha256),
      };
    case 'canceled':
      return {
        ...common,
        state: 'canceled',
        finish_reason: 'canceled',
        usage: {
          tokens_in: 0,
          tokens_out: task.log.tokens,
          queue_ms: task.queueMs,
          ...preemptionFields(task),
        },
        ...partial,
      };
    case 'failed':
      return {
        ...common,
        state: 'failed',
        error: {
          code: outcome.code,
          message: outcome.message,
          retriable: outcome.retriable,
          engine: task.record.engine,
          pool_id: task.record.poolId,
          ...(outcome.retryAfterMs === undefined
            ? {}
            : { retry_after_ms: Math.ceil(outcome.retryAfterMs) }),
        },
        ...partial,
      };
  }
}

export function usageView(task: LiveTask, usage: Usage): NonNullable<Task['usage']> {
  return {
    tokens_in: usage.tokensIn,
    tokens_out: usage.tokensOut,
    cached_tokens: usage.cachedTokens,
    queue_ms: task.queueMs,
    ...(task.ttftMs === undefined ? {} : { ttft_ms: task.ttftMs }),
    decode_ms: Math.round(usage.decodeMs),
    ...preemptionFields(task),
  };
}

/** Nothing for a task that was never stopped for others. */
export function preemptionFields({ preemptions }: LiveTask): { readonly preemptions?: number } {
  return preemptions === 0 ? {} : { preemptions };
}

/** Undefined for a task without a deadline, and for one that was taken back. */
export function deadlineKept(
  task: LiveTask,
  outcome: Outcome,
  endedAtMs: number,
): boolean | undefined {
  const { deadlineAtMs, request } = task.record;
  if (deadlineAtMs === undefined || outcome.kind === 'canceled') return undefined;
  if (request.deadline_for === 'first_token') {
    return task.firstTokenAtMs !== undefined && task.firstTokenAtMs <= deadlineAtMs;
  }
  return outcome.kind === 'completed' && endedAtMs <= deadlineAtMs;
}

function commonView(task: LiveTask): Omit<Task, 'state'> {
  const { record, replica } = task;
  const { request } = record;
  return {
    task_id: record.taskId,
    workload: request.workload ?? 'completion',
    ...(request.session_id === undefined ? {} : { session_id: request.session_id }),
    pool_id: record.poolId,
    model_id: record.modelId,
    priority: request.priority ?? 'interactive',
    determinism: determinismOf(record),
    seed: seedNumber(record.seed),
    accepted_at_ms: record.acceptedAtMs,
    ...(record.deadlineAtMs === undefined ? {} : { deadline_at_ms: record.deadlineAtMs }),
    ...(task.startedAtMs === undefined ? {} : { started_at_ms: task.startedAtMs }),
    ...predictionFields(task.admission.forecast),
    attempts: task.attempts,
    ...(replica === undefined
      ? {}
      : {
          replica: {
            replica_id: replica.replicaId,
            engine: replica.engine,
            engine_version: replica.engineVersion,
            model_digest: replica.modelDigest,
          },
        }),
    ...(request.metadata === undefined ? {} : { metadata: request.metadata }),
  };
}

function proofOf(task: LiveTask, outputSha256: string): Pick<Task, 'proof'> {
  const { replica, record } = task;
  if (replica === undefined) return {};
  return {
    proof: {
      seed: seedNumber(record.seed),
      engine: replica.engine,
      engine_version: replica.engineVersion,
      model_digest: replica.modelDigest,
      sampler_profile_version: record.request.sampler_profile_version ?? SAMPLER_PROFILE_VERSION,
      replica_set_id: replica.setId,
      output_sha256: outputSha256,
    },
  };
}

/** `JSON.rawJSON` (ES2026): lets an int64 be written digit for digit. */
declare global {
  interface JSON {
    rawJSON(text: string): unknown;
  }
}

/**
 * An int64 for a JSON answer, digit for digit. The type is the contract's `number`; beyond 2^53 the
 * value is a raw JSON literal, which only `JSON.stringify` may touch.
 */
export function seedNumber(seed: string): number {
  const value = Number(seed);
  return Number.isSafeInteger(value) ? value : (JSON.rawJSON(seed) as number);
}
