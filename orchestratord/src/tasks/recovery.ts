/**
 * Brings the daemon back to where its ledger says it was: the newest snapshot, the events after it, and
 * the logs of the tasks that had not ended. And the other direction: what a snapshot holds.
 */
import type { Core, CoreEvent, Learned } from '@llama-orch/orchestrator-core';
import type { Ledger, SequencedEvent } from '../ledger/types.ts';
import type { Logger } from '../logging.ts';
import { storedForecast, type AdmissionPromise } from './admission-promise.ts';
import { EVENT_VERSION, type StoredEvent } from './core-host.ts';
import {
  LiveTask,
  type AcceptedDetail,
  type ForeseenDetail,
  type TaskRecord,
} from './live-task.ts';
import type { TaskBook } from './task-book.ts';
import { NO_HISTORY, withEntry, type HistoryEntry, type TaskHistory } from './task-history.ts';
import { parseLogEntry, type LogEntry } from './task-log.ts';

/** Version of `Snapshot`; a newer one than this is refused. */
const SNAPSHOT_VERSION = 1;
/** Version of what was learned; another one than this is left unused. */
const LEARNED_VERSION = 1;
/** Parts of it named in the log when they are damaged. */
const MAX_PARTS = 32;

interface Snapshot {
  readonly v: number;
  /** Hints, not facts: recovery goes on without them. */
  readonly learned?: unknown;
  readonly core: ReturnType<Core['durableState']>;
  readonly tasks: readonly SnapshotTask[];
}

interface SavedLearned {
  readonly v: number;
  readonly pools: Learned;
}

interface SnapshotTask {
  readonly record: TaskRecord;
  readonly admission: AdmissionPromise;
  readonly arrival: number;
  /** Dispatches so far; without any its log is empty. */
  readonly attempts: number;
  readonly preemptions?: number;
  /** Left out for a task that never ran. */
  readonly history?: TaskHistory;
}

export function takeSnapshot(core: Core, book: Pick<TaskBook, 'all'>): string {
  const tasks: SnapshotTask[] = [];
  for (const { record, admission, arrival, attempts, preemptions, history } of book.all()) {
    const { forecast } = admission;
    tasks.push({
      record,
      admission: { ...admission, forecast: forecast && storedForecast(forecast) },
      arrival,
      attempts,
      ...(attempts === 0 ? {} : { preemptions, history }),
    });
  }
  const snapshot: Snapshot = {
    v: SNAPSHOT_VERSION,
    core: core.durableState(),
    learned: { v: LEARNED_VERSION, pools: core.learned() } satisfies SavedLearned,
    tasks,
  };
  return JSON.stringify(snapshot);
}

export interface RecoveryPorts {
  readonly ledger: Ledger;
  readonly core: Core;
  readonly book: Pick<TaskBook, 'restore'>;
  readonly log: Logger;
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
export async function recover(
  { ledger, core, book, log }: RecoveryPorts,
  nowMs: number,
): Promise<Recovered> {
  const recovery = await ledger.recover();
  const live = new Map<string, SnapshotTask>();
  if (recovery.snapshot !== undefined) {
    const snapshot = JSON.parse(recovery.snapshot) as Snapshot;
    requireVersion('snapshot', snapshot.v, SNAPSHOT_VERSION);
    core.loadState(snapshot.core);
    loadLearned(core, snapshot.learned, log);
    for (const task of snapshot.tasks) live.set(task.record.taskId, task);
  }
  let events = 0;
  for await (const stored of recovery.events) {
    requireVersion(`event ${stored.seq}`, stored.v, EVENT_VERSION);
    const { event, detail } = JSON.parse(stored.data) as StoredEvent;
    core.restore(event, stored.atMs);
    follow(live, stored, event, detail);
    events += 1;
  }
  const outputSeen = new Set<string>();
  const restarted: HistoryEntry = { kind: 'restarted', atMs: nowMs };
  // Most of a deep queue never ran: there is one history for all of those, and no log to read.
  const ofWaiting = withEntry(NO_HISTORY, restarted);
  for (const saved of live.values()) {
    const { record, admission, arrival, attempts, preemptions = 0, history } = saved;
    const restored = attempts === 0 ? undefined : await readLog(ledger, record.taskId);
    const task = new LiveTask(record, restored);
    task.attempts = attempts;
    task.preemptions = preemptions;
    task.history = history === undefined ? ofWaiting : withEntry(history, restarted);
    task.admission = admission;
    task.arrival = arrival;
    if (attempts > 0 && task.log.tokens > 0) outputSeen.add(record.taskId);
    book.restore(task);
  }
  return { events, outputSeen };
}

/** A damaged or unknown part is left out, and the pools start with guesses there. */
function loadLearned(core: Core, learned: unknown, log: Logger): void {
  if (learned === undefined) return;
  const { v, pools } = (learned ?? {}) as { readonly [K in keyof SavedLearned]?: unknown };
  if (v !== LEARNED_VERSION || typeof pools !== 'object' || pools === null) {
    log.warn('what was learned of the pools is damaged or of another version, and is not used');
    return;
  }
  const parts = core.loadLearned(pools);
  if (parts.length === 0) return;
  log.warn(
    { parts: parts.slice(0, MAX_PARTS) },
    'part of what was learned of the pools is not used',
  );
}

/** What events say of a task beyond the core's own state; why it was dispatched they do not. */
function follow(
  live: Map<string, SnapshotTask>,
  { atMs }: SequencedEvent,
  event: CoreEvent,
  detail: unknown,
): void {
  if (event.type === 'task.accepted') {
    const { forecast, ...record } = detail as AcceptedDetail;
    const { queuePosition, predictedStartMs } = event;
    live.set(event.taskId, {
      record,
      admission: { queuePosition, predictedStartMs, forecast },
      arrival: event.seq,
      attempts: 0,
    });
    return;
  }
  if (event.type === 'task.ended') live.delete(event.taskId);
  const task = 'taskId' in event ? live.get(event.taskId) : undefined;
  if (task === undefined) return;
  if (event.type === 'task.foreseen') {
    const { queuePosition, predictedStartMs } = event;
    const { forecast } = detail as ForeseenDetail;
    live.set(event.taskId, { ...task, admission: { queuePosition, predictedStartMs, forecast } });
    return;
  }
  if (event.type !== 'task.dispatched' && event.type !== 'task.requeued') return;
  const { history = NO_HISTORY, preemptions = 0 } = task;
  if (event.type === 'task.dispatched') {
    const { attempt, replicaId } = event;
    const entry = { kind: 'dispatched', atMs, attempt, replicaId } as const;
    live.set(event.taskId, { ...task, attempts: attempt, history: withEntry(history, entry) });
  } else {
    const { reason } = event;
    live.set(event.taskId, {
      ...task,
      preemptions: preemptions + (reason === 'preempted' ? 1 : 0),
      history: withEntry(history, { kind: 'requeued', atMs, reason }),
    });
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
