/**
 * What the archive keeps of a task: how lists show it, what `GET /v1/tasks/{id}` adds, and what a retried
 * POST must be told. Three lines of JSON in one text, so that answering needs no parsing, which would
 * also round int64 seeds.
 */
import type { Task } from '@llama-orch/contracts';
import type { LiveTask } from './live-task.ts';

/** What a retried POST of the same task is answered with. */
export interface StoredAdmission {
  readonly taskId: string;
  readonly sessionId: string | undefined;
  readonly seed: string;
  readonly queuePosition: number;
  readonly predictedStartMs: number;
  readonly requestHash: string | undefined;
}

export function toStoredAdmission(task: LiveTask): StoredAdmission {
  return {
    taskId: task.taskId,
    sessionId: task.record.request.session_id,
    seed: task.record.seed,
    ...task.admission,
    requestHash: task.record.requestHash,
  };
}

export function packArchived(task: Task, admission: StoredAdmission): string {
  const { result, proof, ...summary } = task;
  return [summary, { result, proof }, admission].map((part) => JSON.stringify(part)).join('\n');
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

export function archivedAdmission(packed: string): StoredAdmission {
  return JSON.parse(packed.slice(packed.lastIndexOf('\n') + 1)) as StoredAdmission;
}
