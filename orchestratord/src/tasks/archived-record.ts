/**
 * What the archive keeps of a task: how lists show it, what `GET /v1/tasks/{id}` adds, and what a retried
 * POST must be told, the history that explains it, and of a strict completion what was asked, so that it
 * can be run again. Lines of JSON in one text, so that answering needs no parsing, which would also round
 * int64 seeds. Older records have no line for the order, and none for the history.
 */
import type { PromptFormat, Task, TaskRequest } from '@llama-orch/contracts';
import { storedForecast, type AdmissionPromise } from './admission-promise.ts';
import { isStrict, type LiveTask } from './live-task.ts';
import type { TaskHistory } from './task-history.ts';
import { isAnsweredWhole } from './whole-answers.ts';

/** What a retried POST of the same task is answered with. */
export interface StoredAdmission extends AdmissionPromise {
  readonly taskId: string;
  readonly sessionId: string | undefined;
  readonly seed: string;
  readonly requestHash: string | undefined;
}

export function toStoredAdmission(task: LiveTask): StoredAdmission {
  const { forecast } = task.admission;
  return {
    taskId: task.taskId,
    sessionId: task.record.request.session_id,
    seed: task.record.seed,
    ...task.admission,
    forecast: forecast && storedForecast(forecast),
    requestHash: task.record.requestHash,
  };
}

/** What a task was asked, less what concerned that one run. */
export interface StoredOrder {
  readonly request: TaskRequest;
  readonly promptFormat: PromptFormat;
}

/** Undefined for a task whose bytes need not come again. */
export function toStoredOrder({ record }: LiveTask): StoredOrder | undefined {
  const { request, promptFormat } = record;
  return isStrict(record) && !isAnsweredWhole(request) ? { request, promptFormat } : undefined;
}

export function packArchived(
  task: Task,
  history: TaskHistory,
  admission: StoredAdmission,
  order?: StoredOrder,
): string {
  const { result, proof, ...summary } = task;
  return [summary, { result, proof }, history, ...(order === undefined ? [] : [order]), admission]
    .map((part) => JSON.stringify(part))
    .join('\n');
}

/** The task without result and proof, as lists show it. */
export function archivedSummaryJson(packed: string): string {
  return packed.slice(0, packed.indexOf('\n'));
}

export function archivedTaskJson(packed: string): string {
  const [summary = '{}', rest = '{}'] = packed.split('\n', 2);
  // Both are objects, and the summary is never empty: one object of both is their text, joined.
  return rest === '{}' ? summary : `${summary.slice(0, -1)},${rest.slice(1)}`;
}

/** Undefined for a record from before histories were kept. */
export function archivedHistory(packed: string): TaskHistory | undefined {
  const [, , history, admission] = packed.split('\n', 4);
  if (history === undefined || admission === undefined) return undefined;
  return JSON.parse(history) as TaskHistory;
}

/** Undefined for a task that cannot be run again, and for a record from before orders were kept. */
export function archivedOrder(packed: string): StoredOrder | undefined {
  const [, , , order, admission] = packed.split('\n', 5);
  if (order === undefined || admission === undefined) return undefined;
  return JSON.parse(order) as StoredOrder;
}

export function archivedAdmission(packed: string): StoredAdmission {
  return JSON.parse(packed.slice(packed.lastIndexOf('\n') + 1)) as StoredAdmission;
}
