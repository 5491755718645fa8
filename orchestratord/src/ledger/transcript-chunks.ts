/**
 * How a task's log lies in storage: runs of consecutive entries, each run packed into one text. The
 * runs of a task never overlap. Used by every ledger, so that all agree on what an overlap means.
 */
import { LedgerError } from './ledger-error.ts';
import type { TranscriptChunk } from './types.ts';

/**
 * Stands between packed entries. JSON text never contains a bare record separator (RFC 7464 builds
 * JSON sequences on that), so no escaping is needed.
 */
const SEPARATOR = '\x1e';

export interface PackedRun {
  readonly firstId: number;
  readonly lastId: number;
  readonly packed: string;
}

export interface PackedChunk extends PackedRun {
  readonly taskId: string;
}

export interface IdRange {
  readonly firstId: number;
  readonly lastId: number;
}

/** The chunk must have at least one entry. */
export function packChunk(chunk: TranscriptChunk): PackedChunk {
  const { taskId, firstId, entries } = chunk;
  const packed = entries.join(SEPARATOR);
  return { taskId, firstId, lastId: firstId + entries.length - 1, packed };
}

/** The entries of a run. @throws LedgerError `invalid` when an entry held a separator */
export function unpackRun(run: PackedRun): readonly string[] {
  const entries = run.packed.split(SEPARATOR);
  if (entries.length !== run.lastId - run.firstId + 1) {
    throw new LedgerError('invalid', `log entries ${run.firstId}-${run.lastId} are not JSON texts`);
  }
  return entries;
}

/** The parts of `run` whose ids are not in `stored`: disjoint ranges in ascending order. */
export function newParts(run: PackedRun, stored: readonly IdRange[]): readonly PackedRun[] {
  const entries = unpackRun(run);
  const parts: PackedRun[] = [];
  const keep = (firstId: number, lastId: number) => {
    if (firstId > lastId) return;
    const slice = entries.slice(firstId - run.firstId, lastId - run.firstId + 1);
    parts.push({ firstId, lastId, packed: slice.join(SEPARATOR) });
  };
  let nextId = run.firstId;
  for (const range of stored) {
    keep(nextId, Math.min(range.firstId - 1, run.lastId));
    nextId = Math.max(nextId, range.lastId + 1);
  }
  keep(nextId, run.lastId);
  return parts;
}

/**
 * Joins neighbouring runs, given in ascending order, into runs of at most `maxChars` packed
 * characters. A run that is longer by itself stays as it is; a gap in the ids is never bridged.
 */
export function mergeRuns(runs: readonly PackedRun[], maxChars: number): readonly PackedRun[] {
  const merged: PackedRun[] = [];
  let open: PackedRun[] = [];
  let openChars = 0;
  const closeOpen = () => {
    const first = open[0];
    const last = open.at(-1);
    if (first === undefined || last === undefined) return;
    const packed = open.map((run) => run.packed).join(SEPARATOR);
    merged.push({ firstId: first.firstId, lastId: last.lastId, packed });
    open = [];
    openChars = 0;
  };
  for (const run of runs) {
    const previous = open.at(-1);
    const adjacent = previous === undefined || previous.lastId + 1 === run.firstId;
    if (!adjacent || openChars + run.packed.length > maxChars) closeOpen();
    open.push(run);
    openChars += run.packed.length + SEPARATOR.length;
  }
  closeOpen();
  return merged;
}

/** Entries with ids above `afterId`, at most `limit`, from runs in ascending order. */
export function entriesAfter(
  runs: Iterable<PackedRun>,
  afterId: number,
  limit: number,
): readonly string[] {
  const found: string[] = [];
  if (limit <= 0) return found;
  for (const run of runs) {
    if (run.lastId <= afterId) continue;
    const skip = Math.max(0, afterId + 1 - run.firstId);
    found.push(...unpackRun(run).slice(skip, skip + limit - found.length));
    if (found.length >= limit) break;
  }
  return found;
}
