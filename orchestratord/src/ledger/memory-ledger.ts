/**
 * The ledger without a disk: the same promises except durability, for tests of what is built on it. A
 * `MemoryDisk` outlives its ledger, so a test can "restart" by opening another one on it.
 */
import { LedgerError } from './ledger-error.ts';
import { SWEPT_KEPT } from './sqlite-swept.ts';
import { entriesAfter, mergeRuns, newParts, packChunk } from './transcript-chunks.ts';
import type { PackedRun } from './transcript-chunks.ts';
import type {
  ArchivedTask,
  CommitStats,
  Ledger,
  LedgerHealth,
  Recovery,
  RetentionPolicy,
  SequencedEvent,
  TaskFilter,
  TranscriptChunk,
  WriteBatch,
} from './types.ts';

/** What stays when a memory ledger is closed or dropped. */
export interface MemoryDisk {
  lastSeq: number;
  events: SequencedEvent[];
  snapshot: { readonly seq: number; readonly state: string } | undefined;
  readonly runs: Map<string, readonly PackedRun[]>;
  readonly archive: Map<string, ArchivedTask>;
  /** Tenants of swept tasks, the last `SWEPT_KEPT` of them. */
  readonly swept: Map<string, string>;
}

export interface MemoryLedgerOptions {
  readonly disk?: MemoryDisk;
  /** As in `LedgerOptions`. */
  readonly keepEvents?: number;
  /** Makes the storage refuse a batch: return the error to refuse it with. */
  readonly refuse?: (batch: WriteBatch) => LedgerError | undefined;
}

export function createMemoryDisk(): MemoryDisk {
  return {
    lastSeq: 0,
    events: [],
    snapshot: undefined,
    runs: new Map(),
    archive: new Map(),
    swept: new Map(),
  };
}

export function createMemoryLedger(options: MemoryLedgerOptions = {}): Ledger {
  return new MemoryLedger(options);
}

interface Write {
  /** Returns how many events it stored. @throws LedgerError having changed nothing */
  readonly apply: () => number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

class MemoryLedger implements Ledger {
  readonly #disk: MemoryDisk;
  readonly #keepEvents: number;
  readonly #refuse: (batch: WriteBatch) => LedgerError | undefined;
  readonly #listeners: ((stats: CommitStats) => void)[] = [];
  readonly failed = new Promise<never>(() => undefined);
  readonly saturated = false;
  #waiting: Write[] = [];
  #error: LedgerError | undefined;
  #closed = false;

  constructor(options: MemoryLedgerOptions) {
    this.#disk = options.disk ?? createMemoryDisk();
    this.#keepEvents = options.keepEvents ?? 100_000;
    this.#refuse = options.refuse ?? (() => undefined);
  }

  get lastSeq(): number {
    return this.#disk.lastSeq;
  }

  health(): LedgerHealth {
    const open = this.#error === undefined ? 'ok' : 'degraded';
    const state = this.#closed ? 'closed' : open;
    return { state, error: this.#error, waitingWrites: this.#waiting.length, commitRunningMs: 0 };
  }

  write(batch: WriteBatch): Promise<void> {
    return this.#enqueue(() => this.#store(batch));
  }

  async snapshot(state: string): Promise<void> {
    const disk = this.#disk;
    await this.#enqueue(() => {
      disk.snapshot = { seq: disk.lastSeq, state };
      return 0;
    });
    const firstKept = Math.min(disk.snapshot?.seq ?? 0, disk.lastSeq - this.#keepEvents) + 1;
    disk.events = disk.events.filter((event) => event.seq >= firstKept);
  }

  /** Commits once what this turn wrote, as the SQLite ledger does, but within the turn. */
  #enqueue(apply: () => number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#assertOpen();
      if (this.#waiting.length === 0) queueMicrotask(() => this.#commit());
      this.#waiting.push({ apply, resolve, reject });
    });
  }

  #commit(): void {
    const group = this.#waiting;
    this.#waiting = [];
    let events = 0;
    let broken: LedgerError | undefined;
    for (const { apply, resolve, reject } of group) {
      try {
        if (broken !== undefined) throw broken;
        events += apply();
        resolve();
      } catch (error) {
        if (error instanceof LedgerError && error.code !== 'invalid') broken = error;
        reject(error);
      }
    }
    for (const listener of this.#listeners) listener({ events, commitMs: 0 });
  }

  #store(batch: WriteBatch): number {
    this.#error = this.#refuse(batch);
    if (this.#error !== undefined) throw this.#error;
    const disk = this.#disk;
    const runs = this.#runsWith(batch.transcripts ?? []);
    for (const [taskId, taskRuns] of runs) disk.runs.set(taskId, taskRuns);
    for (const event of batch.events ?? []) {
      disk.lastSeq += 1;
      disk.events.push({ ...event, seq: disk.lastSeq });
    }
    for (const task of batch.archive ?? []) {
      disk.archive.set(task.taskId, task);
      const taskRuns = disk.runs.get(task.taskId);
      if (taskRuns !== undefined) disk.runs.set(task.taskId, mergeRuns(taskRuns, Infinity));
    }
    return batch.events?.length ?? 0;
  }

  #runsWith(chunks: readonly TranscriptChunk[]): ReadonlyMap<string, readonly PackedRun[]> {
    const changed = new Map<string, readonly PackedRun[]>();
    for (const chunk of chunks) {
      if (chunk.entries.length === 0) continue;
      const stored = changed.get(chunk.taskId) ?? this.#disk.runs.get(chunk.taskId) ?? [];
      const parts = newParts(packChunk(chunk), stored);
      const runs = [...stored, ...parts].sort((a, b) => a.firstId - b.firstId);
      changed.set(chunk.taskId, runs);
    }
    return changed;
  }

  recover(): Promise<Recovery> {
    return this.#read(({ snapshot }) => ({
      snapshot: snapshot?.state,
      events: inOrder(this.readEvents(snapshot?.seq ?? 0, Infinity)),
    }));
  }

  readEvents(after: number, limit: number): Promise<readonly SequencedEvent[]> {
    return this.#read(({ events }) => events.filter(({ seq }) => seq > after).slice(0, limit));
  }

  readTranscript(taskId: string, afterId: number, limit: number): Promise<readonly string[]> {
    return this.#read(({ runs }) => entriesAfter(runs.get(taskId) ?? [], afterId, limit));
  }

  findArchived(taskId: string): Promise<ArchivedTask | undefined> {
    return this.#read(({ archive }) => archive.get(taskId));
  }

  findSwept(taskId: string): Promise<string | undefined> {
    return this.#read(({ swept }) => swept.get(taskId));
  }

  listArchived(
    filter: TaskFilter,
    before: number | undefined,
    limit: number,
  ): Promise<readonly ArchivedTask[]> {
    const keys = (['tenantId', 'state', 'sessionId', 'priority'] as const).filter(
      (key) => filter[key] !== undefined,
    );
    return this.#read(({ archive }) =>
      [...archive.values()]
        .filter((task) => task.acceptedSeq < (before ?? Infinity))
        .filter((task) => keys.every((key) => task[key] === filter[key]))
        .sort((a, b) => b.acceptedSeq - a.acceptedSeq)
        .slice(0, limit),
    );
  }

  sweep(policy: RetentionPolicy, nowMs: number): Promise<number> {
    return this.#read(({ archive, runs, swept }) => {
      const newestFirst = [...archive.values()].sort(
        (a, b) => b.endedAtMs - a.endedAtMs || b.acceptedSeq - a.acceptedSeq,
      );
      const gone = newestFirst.filter(
        (task, index) => index >= policy.maxTasks || task.endedAtMs < nowMs - policy.maxAgeMs,
      );
      for (const { taskId, tenantId } of gone.toReversed()) {
        archive.delete(taskId);
        runs.delete(taskId);
        swept.set(taskId, tenantId);
      }
      for (const taskId of swept.keys()) {
        if (swept.size <= SWEPT_KEPT) break;
        swept.delete(taskId);
      }
      return gone.length;
    });
  }

  #read<T>(read: (disk: MemoryDisk) => T): Promise<T> {
    return new Promise((resolve) => {
      this.#assertOpen();
      resolve(read(this.#disk));
    });
  }

  onCommit(listener: (stats: CommitStats) => void): void {
    this.#listeners.push(listener);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    await this.#enqueue(() => 0);
    this.#closed = true;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #assertOpen(): void {
    if (this.#closed) throw new LedgerError('closed', 'the ledger is closed');
  }
}

async function* inOrder(
  events: Promise<readonly SequencedEvent[]>,
): AsyncGenerator<SequencedEvent> {
  yield* await events;
}
