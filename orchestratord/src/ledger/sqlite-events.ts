import type { DatabaseSync } from 'node:sqlite';
import type { LedgerEvent, SequencedEvent } from './types.ts';
import type { StepResult, StoredSnapshot } from './wire.ts';

/** Events dropped in one step: about a millisecond of work between two commits. */
const PRUNE_STEP = 2_000;

/** A page of events ends after this many characters of data, so that none grows without limit. */
const PAGE_CHARS = 4 * 1024 * 1024;

interface EventRow {
  readonly seq: number;
  readonly at_ms: number;
  readonly v: number;
  readonly type: string;
  readonly task_id: string | null;
  readonly data: string;
}

/** The events, in order, and the snapshot that lets old ones go. */
export interface EventTable {
  /** Seq of the newest event, dropped ones included. */
  lastSeq(): number;
  append(event: LedgerEvent): void;
  /** Forgets the seqs given out since the last commit, after a rollback. */
  rollback(): void;
  commit(): void;
  read(after: number, limit: number): readonly SequencedEvent[];
  putSnapshot(state: string): void;
  latestSnapshot(): StoredSnapshot | undefined;
  /** @see StoreCalls.pruneEvents; runs in the caller's transaction */
  prune(keep: number): StepResult;
}

export function createEventTable(db: DatabaseSync): EventTable {
  const insert = db.prepare('INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)');
  const select = db.prepare('SELECT * FROM events WHERE seq > ? ORDER BY seq LIMIT ?');
  const bounds = db.prepare('SELECT min(seq) AS oldest, max(seq) AS newest FROM events');
  const remove = db.prepare('DELETE FROM events WHERE seq < ?');
  const getSnapshot = db.prepare('SELECT seq, state FROM snapshot');
  const snapshotSeq = db.prepare('SELECT seq FROM snapshot');
  const putSnapshot = db.prepare('INSERT OR REPLACE INTO snapshot VALUES (1, ?, ?)');

  const coveredSeq = () => Number(snapshotSeq.get()?.['seq'] ?? 0);
  // Only events that a snapshot covers are ever dropped, so one of the two knows the newest seq.
  let committedSeq = Math.max(Number(bounds.get()?.['newest'] ?? 0), coveredSeq());
  let seq = committedSeq;

  return {
    lastSeq: () => committedSeq,
    append({ atMs, v, type, taskId, data }) {
      insert.run(seq + 1, atMs, v, type, taskId ?? null, data);
      seq += 1;
    },
    rollback() {
      seq = committedSeq;
    },
    commit() {
      committedSeq = seq;
    },
    read(after, limit) {
      const page: SequencedEvent[] = [];
      let chars = 0;
      for (const row of select.iterate(after, limit) as unknown as Iterable<EventRow>) {
        const { seq, at_ms: atMs, v, type, task_id: taskId, data } = row;
        page.push({ seq, atMs, v, type, taskId: taskId ?? undefined, data });
        chars += data.length;
        if (chars > PAGE_CHARS) break;
      }
      return page;
    },
    putSnapshot(state) {
      putSnapshot.run(seq, state);
    },
    latestSnapshot() {
      return getSnapshot.get() as unknown as StoredSnapshot | undefined;
    },
    prune(keep) {
      const oldest = bounds.get()?.['oldest'];
      const firstKept = Math.min(coveredSeq(), committedSeq - keep) + 1;
      if (typeof oldest !== 'number' || oldest >= firstKept) return { removed: 0, done: true };
      const until = Math.min(oldest + PRUNE_STEP, firstKept);
      return { removed: Number(remove.run(until).changes), done: until === firstKept };
    },
  };
}
