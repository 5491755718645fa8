/**
 * The ledger's storage, all of it synchronous: it runs on the ledger's thread and nowhere else.
 */
import type { LedgerError } from './ledger-error.ts';
import { createSweptTable } from './sqlite-swept.ts';
import { createArchiveTable } from './sqlite-archive.ts';
import { toLedgerError } from './sqlite-errors.ts';
import { createEventTable } from './sqlite-events.ts';
import { openDatabase } from './sqlite-schema.ts';
import { createTranscriptTable } from './sqlite-transcripts.ts';
import type {
  GroupResult,
  Refusal,
  StepResult,
  StoreCalls,
  StoreOp,
  StoreOptions,
} from './wire.ts';

/** Tasks looked at, and time spent, in one step of a sweep: what a commit may have to wait. */
const SWEEP_STEP = 64;
const SWEEP_STEP_MS = 3;

export interface SqliteStore extends StoreCalls {
  readonly lastSeq: () => number;
  /** Commits a group in one transaction; items that make it fail are refused, the others kept. */
  readonly commitGroup: (ops: readonly StoreOp[]) => GroupResult;
}

/** @throws LedgerError as `openDatabase` does */
export function openSqliteStore(options: StoreOptions): SqliteStore {
  const db = openDatabase(options);
  const events = createEventTable(db);
  const transcripts = createTranscriptTable(db);
  const archive = createArchiveTable(db);
  const swept = createSweptTable(db);
  const begin = db.prepare('BEGIN IMMEDIATE');
  const commit = db.prepare('COMMIT');
  const probe = db.prepare(
    `INSERT INTO meta VALUES ('probes', 1) ON CONFLICT DO UPDATE SET value = value + 1`,
  );

  const transaction = <T>(work: () => T): T => {
    try {
      begin.run();
      const value = work();
      commit.run();
      events.commit();
      return value;
    } catch (error) {
      events.rollback();
      // A full disk or an I/O error may have ended the transaction already.
      if (db.isTransaction) db.exec('ROLLBACK');
      throw toLedgerError(error);
    }
  };

  const apply = (op: StoreOp) => {
    for (const event of op.events) events.append(event);
    for (const chunk of op.chunks) transcripts.add(chunk);
    for (const task of op.archive) {
      transcripts.merge(task.taskId);
      archive.put(task);
    }
    if (op.snapshot !== undefined) events.putSnapshot(op.snapshot);
    if (op.probe) probe.run();
  };

  /**
   * On failure, halves the group until an item at fault stands alone. Items behind an `invalid` one go
   * on; once the storage itself refuses, everything behind is refused with it, so that what is stored
   * is always a prefix of what was written.
   */
  const commitOrSplit = (
    ops: readonly StoreOp[],
    offset: number,
    refusals: Refusal[],
  ): LedgerError | undefined => {
    try {
      transaction(() => {
        for (const op of ops) apply(op);
      });
      return undefined;
    } catch (error) {
      if (ops.length > 1) {
        const middle = ops.length >> 1;
        const broken = commitOrSplit(ops.slice(0, middle), offset, refusals);
        const rest = ops.slice(middle);
        if (broken === undefined) return commitOrSplit(rest, offset + middle, refusals);
        const { code, message } = broken;
        for (const at of rest.keys()) refusals.push({ index: offset + middle + at, code, message });
        return broken;
      }
      const refusal = toLedgerError(error);
      refusals.push({ index: offset, code: refusal.code, message: refusal.message });
      return refusal.code === 'invalid' ? undefined : refusal;
    }
  };

  const sweepStep = (taskIds: readonly string[]): StepResult => {
    const startedAt = performance.now();
    let removed = 0;
    for (const taskId of taskIds) {
      swept.remember(taskId);
      transcripts.remove(taskId);
      archive.remove(taskId);
      removed += 1;
      if (performance.now() - startedAt > SWEEP_STEP_MS) break;
    }
    if (removed > 0) swept.trim();
    return { removed, done: removed === 0 };
  };

  return {
    lastSeq: () => events.lastSeq(),
    commitGroup(ops) {
      const startedAt = performance.now();
      const seqBefore = events.lastSeq();
      const refusals: Refusal[] = [];
      commitOrSplit(ops, 0, refusals);
      const lastSeq = events.lastSeq();
      const commitMs = performance.now() - startedAt;
      return { lastSeq, events: lastSeq - seqBefore, commitMs, refusals };
    },
    latestSnapshot: () => events.latestSnapshot(),
    readEvents: (after, limit) => events.read(after, limit),
    readTranscript: (taskId, afterId, limit) => transcripts.read(taskId, afterId, limit),
    findArchived: (taskId) => archive.find(taskId),
    findSwept: (taskId) => swept.tenantOf(taskId),
    listArchived: (filter, before, limit) => archive.list(filter, before, limit),
    pruneEvents: (keep) => transaction(() => events.prune(keep)),
    sweepArchive: (policy, nowMs) =>
      transaction(() => sweepStep(archive.expired(policy, nowMs, SWEEP_STEP))),
    close: () => db.close(),
  };
}
