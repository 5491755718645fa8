import type { DatabaseSync } from 'node:sqlite';
import {
  entriesAfter,
  mergeRuns,
  newParts,
  unpackRun,
  type IdRange,
  type PackedChunk,
  type PackedRun,
} from './transcript-chunks.ts';

/**
 * Packed characters a merged row may hold. Most tasks fit one row; a page of a very long log is still
 * read without unpacking all of it.
 */
const MERGED_ROW_CHARS = 256 * 1024;

export interface TranscriptTable {
  /** Stores the entries whose ids are new to the task. @throws LedgerError `invalid` */
  add(chunk: PackedChunk): void;
  /** Packs the task's chunks into as few rows as they fit. */
  merge(taskId: string): void;
  read(taskId: string, afterId: number, limit: number): readonly string[];
  remove(taskId: string): void;
}

export function createTranscriptTable(db: DatabaseSync): TranscriptTable {
  const insert = db.prepare('INSERT INTO transcript VALUES (?, ?, ?, ?)');
  // Rows of a task never overlap, so their order by last id is their order by first id as well.
  const rangesFrom = db.prepare(
    `SELECT first_id AS firstId, last_id AS lastId FROM transcript
     WHERE task_id = ? AND last_id >= ? ORDER BY last_id LIMIT ?`,
  );
  const runsAfter = db.prepare(
    `SELECT first_id AS firstId, last_id AS lastId, entries AS packed FROM transcript
     WHERE task_id = ? AND last_id > ? ORDER BY last_id`,
  );
  const remove = db.prepare('DELETE FROM transcript WHERE task_id = ?');

  const add = (taskId: string, run: PackedRun) => {
    insert.run(taskId, run.firstId, run.lastId, run.packed);
  };

  return {
    add(chunk) {
      const { taskId, firstId, lastId } = chunk;
      // No more rows than the chunk has entries can overlap it, and they come first.
      const most = lastId - firstId + 1;
      const stored = rangesFrom.all(taskId, firstId, most) as unknown as readonly IdRange[];
      if (stored.length > 0) {
        for (const part of newParts(chunk, stored)) add(taskId, part);
      } else {
        unpackRun(chunk);
        add(taskId, chunk);
      }
    },
    merge(taskId) {
      const runs = runsAfter.all(taskId, -1) as unknown as readonly PackedRun[];
      const merged = mergeRuns(runs, MERGED_ROW_CHARS);
      if (merged.length === runs.length) return;
      remove.run(taskId);
      for (const run of merged) add(taskId, run);
    },
    read(taskId, afterId, limit) {
      const runs = runsAfter.iterate(taskId, afterId) as unknown as Iterable<PackedRun>;
      return entriesAfter(runs, afterId, limit);
    },
    remove(taskId) {
      remove.run(taskId);
    },
  };
}
