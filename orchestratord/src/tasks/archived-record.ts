/**
 * What the archive keeps of a task: its JSON as the API answers it, and what a retried POST must be told.
 * Two lines of JSON in one text, so that answering a GET needs no parsing.
 */
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

export function packArchived(taskJson: string, admission: StoredAdmission): string {
  return `${taskJson}\n${JSON.stringify(admission)}`;
}

export function archivedTaskJson(packed: string): string {
  return packed.slice(0, packed.indexOf('\n'));
}

export function archivedAdmission(packed: string): StoredAdmission {
  return JSON.parse(packed.slice(packed.indexOf('\n') + 1)) as StoredAdmission;
}
