/**
 * The ledger port: what the daemon remembers across any death. SQLite implements it now; Postgres
 * will, behind the same interface. Every write is asynchronous and durable when its promise
 * resolves; writes are applied in call order, grouped into one transaction and one fsync.
 */

import type { LedgerError } from './ledger-error.ts';

/** One durable fact. `data` is the event's JSON text, written once by the caller. */
export interface LedgerEvent {
  /** Version of this event type's shape. */
  readonly v: number;
  readonly type: string;
  readonly atMs: number;
  readonly taskId: string | undefined;
  readonly data: string;
}

export interface SequencedEvent extends LedgerEvent {
  /** Strictly increasing, no gaps on one ledger. */
  readonly seq: number;
}

/**
 * Consecutive entries of one task's log: ids `firstId … firstId + entries.length - 1`. A chunk may
 * be sent again or overlap what is stored, as a task that runs again does: stored entries win.
 */
export interface TranscriptChunk {
  readonly taskId: string;
  readonly firstId: number;
  /** Each entry is the JSON text of a log entry. */
  readonly entries: readonly string[];
}

/** A finished task as it is looked up and listed; `view` is text of the daemon's own making. */
export interface ArchivedTask {
  readonly taskId: string;
  /** Sequence of acceptance: the order of listing, newest first. */
  readonly acceptedSeq: number;
  readonly endedAtMs: number;
  readonly tenantId: string;
  readonly poolId: string;
  readonly priority: string;
  readonly sessionId: string | undefined;
  readonly state: string;
  readonly view: string;
}

export interface WriteBatch {
  readonly events?: readonly LedgerEvent[];
  readonly transcripts?: readonly TranscriptChunk[];
  /** Moves finished tasks to the archive; their transcript chunks are merged into one row each. */
  readonly archive?: readonly ArchivedTask[];
}

export interface TaskFilter {
  readonly tenantId?: string;
  readonly state?: string;
  readonly sessionId?: string;
  readonly priority?: string;
}

export interface Recovery {
  /** The newest snapshot's JSON text, if there is one. */
  readonly snapshot: string | undefined;
  /** Every event after the snapshot, in order. */
  readonly events: AsyncIterable<SequencedEvent>;
}

export interface RetentionPolicy {
  /** Archived tasks older than this are deleted, with their transcripts. */
  readonly maxAgeMs: number;
  /** Archived tasks beyond this many are deleted, oldest first. */
  readonly maxTasks: number;
}

export interface CommitStats {
  readonly events: number;
  /** Transaction and fsync, ms. */
  readonly commitMs: number;
}

export interface LedgerHealth {
  /** `degraded`: the newest commit was refused by the storage. `failed`: nothing can be written any more. */
  readonly state: 'ok' | 'degraded' | 'failed' | 'closed';
  /** Why the state is `degraded` or `failed`. */
  readonly error: LedgerError | undefined;
  /** Writes whose promises are still open. */
  readonly waitingWrites: number;
  /** How long the commit now running has been running, ms; 0 when there is none. Grows when the disk hangs. */
  readonly commitRunningMs: number;
}

export interface Ledger extends AsyncDisposable {
  /** Resolves when durable. @throws LedgerError when the write failed; nothing of the batch was kept */
  write(batch: WriteBatch): Promise<void>;
  /** The newest snapshot and what came after it; call once, before the first write. */
  recover(): Promise<Recovery>;
  /** Entries of a task's log after `afterId`, in order, at most `limit`. Works for live and archived tasks. */
  readTranscript(taskId: string, afterId: number, limit: number): Promise<readonly string[]>;
  findArchived(taskId: string): Promise<ArchivedTask | undefined>;
  /** The tenant of a task that was swept, while that is remembered. */
  findSwept(taskId: string): Promise<string | undefined>;
  /** Newest first; `before` is the acceptedSeq to start below. */
  listArchived(
    filter: TaskFilter,
    before: number | undefined,
    limit: number,
  ): Promise<readonly ArchivedTask[]>;
  /** Events with a seq above `after`, in order, at most `limit`; an empty page means there are none. */
  readEvents(after: number, limit: number): Promise<readonly SequencedEvent[]>;
  /** Seq of the newest durable event. */
  readonly lastSeq: number;
  /** Stores a snapshot that covers every event written before this call and drops events no longer needed. */
  snapshot(state: string): Promise<void>;
  sweep(policy: RetentionPolicy, nowMs: number): Promise<number>;
  /**
   * True when half of the room for waiting writes is taken. Refuse new work then, so that what was
   * accepted before still finds room.
   */
  readonly saturated: boolean;
  health(): LedgerHealth;
  /** Resolves, with the reason, when the ledger can never write again; the daemon must stop. */
  readonly failed: Promise<LedgerError>;
  /** Called after each group commit; for metrics. */
  onCommit(listener: (stats: CommitStats) => void): void;
  /** Commits what is waiting, then closes. Safe to call twice. */
  close(): Promise<void>;
}
