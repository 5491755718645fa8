/**
 * Brings the daemon back to where its ledger says it was: the newest snapshot, the events after it, and
 * the logs of the tasks that had not ended. And the other direction: what a snapshot holds.
 */
import type { Core, CoreEvent } from '@llama-orch/orchestrator-core';
import type { Ledger } from '../ledger/types.ts';
import { EVENT_VERSION, type StoredEvent } from './core-host.ts';
import { LiveTask, type AdmissionPromise, type TaskRecord } from './live-task.ts';
import type { TaskBook } from './task-book.ts';
import { parseLogEntry, type LogEntry } from './task-log.ts';

/** Version of `Snapshot`; a newer one than this is refused. */
const SNAPSHOT_VERSION = 1;

interface Snapshot {
  readonly v: number;
  readonly core: ReturnType<Core['durableState']>;
  readonly tasks: readonly SnapshotTask[];
}

interface SnapshotTask {
  readonly record: TaskRecord;
  readonly admission: AdmissionPromise;
  readonly arrival: number;
  /** Dispatches so far; without any its log is empty. */
  readonly attempts: number;
}

export function takeSnapshot(core: Core, book: TaskBook): string {
  const tasks: SnapshotTask[] = [];
  for (const { record, admission, arrival, attempts } of book.all()) {
    tasks.push({ record, admission, arrival, attempts });
  }
  const snapshot: Snapshot = { v: SNAPSHOT_VERSION, core: core.durableState(), tasks };
  return JSON.stringify(snapshot);
}

export interface Recovered {
  readonly events: number;
  /** Live tasks whose log holds tokens: readers may have seen output. */
  readonly outputSeen: ReadonlySet<string>;
}

/**
 * Fills an empty core and book. The core still has to be told its pools and to `resume`.
 * @throws Error when the ledger was written by a newer version
 * @throws LedgerError
 */
export async function recover(ledger: Ledger, core: Core, book: TaskBook): Promise<Recovered> {
  const recovery = await ledger.recover();
  const live = new Map<string, SnapshotTask>();
  if (recovery.snapshot !== undefined) {
    const snapshot = JSON.parse(recovery.snapshot) as Snapshot;
    requireVersion('snapshot', snapshot.v, SNAPSHOT_VERSION);
    core.loadState(snapshot.core);
    for (const task of snapshot.tasks) live.set(task.record.taskId, task);
  }
  let events = 0;
  for await (const stored of recovery.events) {
    requireVersion(`event ${stored.seq}`, stored.v, EVENT_VERSION);
    const { event, detail } = JSON.parse(stored.data) as StoredEvent;
    core.restore(event, stored.atMs);
    follow(live, event, detail);
    events += 1;
  }
  const outputSeen = new Set<string>();
  for (const { record, admission, arrival, attempts } of live.values()) {
    // Most of a deep queue never ran: there is no log to read.
    const restored = attempts === 0 ? undefined : await readLog(ledger, record.taskId);
    const task = new LiveTask(record, restored);
    task.attempts = attempts;
    task.admission = admission;
    task.arrival = arrival;
    if (attempts > 0 && task.log.tokens > 0) outputSeen.add(record.taskId);
    book.restore(task);
  }
  return { events, outputSeen };
}

function follow(live: Map<string, SnapshotTask>, event: CoreEvent, detail: unknown): void {
  if (event.type === 'task.accepted') {
    live.set(event.taskId, {
      record: detail as TaskRecord,
      admission: {
        queuePosition: event.queuePosition,
        predictedStartMs: event.predictedStartMs,
      },
      arrival: event.seq,
      attempts: 0,
    });
  } else if (event.type === 'task.dispatched') {
    const task = live.get(event.taskId);
    if (task !== undefined) live.set(event.taskId, { ...task, attempts: event.attempt });
  } else if (event.type === 'task.ended') {
    live.delete(event.taskId);
  }
}

const PAGE_ENTRIES = 2048;

async function readLog(ledger: Ledger, taskId: string): Promise<LogEntry[]> {
  const entries: LogEntry[] = [];
  for (;;) {
    const page = await ledger.readTranscript(taskId, entries.length, PAGE_ENTRIES);
    for (const text of page) entries.push(parseLogEntry(text));
    if (page.length < PAGE_ENTRIES) return entries;
  }
}

function requireVersion(what: string, found: number, known: number): void {
  if (found <= known) return;
  throw new Error(`${what} has version ${found}; this daemon knows up to ${known}`);
}
