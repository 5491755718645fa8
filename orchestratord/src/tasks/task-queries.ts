/** Looking tasks up, live or ended: one task, or a page of them. */
import { OrchError, type Task, type TaskExplanation } from '@llama-orch/contracts';
import type { Core, TaskView } from '@llama-orch/orchestrator-core';
import type { Clock } from '../clock.ts';
import type { ArchivedTask, Ledger, TaskFilter } from '../ledger/types.ts';
import {
  archivedAdmission,
  archivedHistory,
  archivedSummaryJson,
  archivedTaskJson,
} from './archived-record.ts';
import { explain, type Viewer } from './explanation.ts';
import { liveSummary, liveView, type LiveTask } from './live-task.ts';
import type { TaskBook } from './task-book.ts';

export interface TaskQueriesOptions {
  readonly core: Core;
  readonly book: TaskBook;
  readonly ledger: Ledger;
  readonly clock: Clock;
}

export class TaskQueries {
  readonly #options: TaskQueriesOptions;

  constructor(options: TaskQueriesOptions) {
    this.#options = options;
  }

  /** The JSON text of a task. @throws OrchError NOT_FOUND */
  async get(taskId: string, tenantId: string): Promise<string> {
    const task = this.findLive(taskId, tenantId);
    if (task !== undefined) return JSON.stringify(liveView(task, this.#coreView(task)));
    const ended = await this.#options.ledger.findArchived(taskId);
    if (ended?.tenantId !== tenantId) throw noSuchTask();
    return archivedTaskJson(ended.view);
  }

  /** @throws OrchError NOT_FOUND, with 410 when the task was swept */
  async explain(taskId: string, viewer: Viewer): Promise<TaskExplanation> {
    const task = this.findLive(taskId, viewer.tenantId);
    if (task !== undefined) return this.#explainLive(task, viewer);
    const ended = await this.findEnded(taskId, viewer.tenantId);
    return explain(
      {
        view: JSON.parse(archivedSummaryJson(ended.view)) as Task,
        admission: archivedAdmission(ended.view),
        history: archivedHistory(ended.view),
      },
      viewer,
      undefined,
    );
  }

  findLive(taskId: string, tenantId: string): LiveTask | undefined {
    const task = this.#options.book.get(taskId);
    return task?.record.tenantId === tenantId ? task : undefined;
  }

  /** A task that has ended and is kept. @throws OrchError NOT_FOUND, with 410 when it was swept */
  async findEnded(taskId: string, tenantId: string): Promise<ArchivedTask> {
    const { ledger } = this.#options;
    const ended = await ledger.findArchived(taskId);
    if (ended?.tenantId === tenantId) return ended;
    if ((await ledger.findSwept(taskId)) !== tenantId) throw noSuchTask();
    throw new OrchError('NOT_FOUND', 'what this task said and did is no longer kept', {
      status: 410,
    });
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
      rows.push({ seq: task.arrival, id: task.taskId, json: this.#liveSummaryJson(task) });
      if (rows.length > limit) break;
    }
    const live = new Set(rows.map((row) => row.id));
    for (const ended of await this.#options.ledger.listArchived(filter, before, limit + 1)) {
      if (live.has(ended.taskId)) continue;
      rows.push({
        seq: ended.acceptedSeq,
        id: ended.taskId,
        json: archivedSummaryJson(ended.view),
      });
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

  #liveSummaryJson(task: LiveTask): string {
    return JSON.stringify(liveSummary(task, this.#coreView(task)));
  }

  #explainLive(task: LiveTask, viewer: Viewer): TaskExplanation {
    const { core, clock } = this.#options;
    const nowMs = clock.now();
    const { taskId, admission, history } = task;
    const present = core.task(taskId, nowMs);
    const wait = core.wait(taskId, nowMs);
    return explain(
      { view: liveSummary(task, present), admission, history },
      viewer,
      present && wait && { nowMs, task: present, wait },
    );
  }
}

export function noSuchTask(): OrchError {
  return new OrchError('NOT_FOUND', 'no such task');
}
