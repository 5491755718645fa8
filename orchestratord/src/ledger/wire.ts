/**
 * What crosses between the client and the ledger's thread. A group of writes is one flat array of
 * strings and numbers: structured clone copies that in half the time of the objects themselves, and
 * as fast as one joined string, which would first have to be built.
 */
import { packChunk, type PackedChunk } from './transcript-chunks.ts';
import type { LedgerErrorCode } from './ledger-error.ts';
import type {
  ArchivedTask,
  LedgerEvent,
  RetentionPolicy,
  SequencedEvent,
  TaskFilter,
  WriteBatch,
} from './types.ts';

export type Wire = (string | number | undefined)[];

/** One item of a group. All of it is stored, or nothing. */
export interface StoreOp {
  readonly events: readonly LedgerEvent[];
  readonly chunks: readonly PackedChunk[];
  readonly archive: readonly ArchivedTask[];
  /** A snapshot that covers everything stored before this item. */
  readonly snapshot: string | undefined;
  /** Proves that the storage takes writes again, by changing a row. */
  readonly probe: boolean;
}

const SNAPSHOT = 1;
const PROBE = 2;

/** Appends a batch to a group. Returns its size in characters. */
export function encodeBatch(wire: Wire, batch: WriteBatch): number {
  const events = batch.events ?? [];
  const chunks = (batch.transcripts ?? []).filter((chunk) => chunk.entries.length > 0);
  const archive = batch.archive ?? [];
  let chars = 0;
  wire.push(0, events.length, chunks.length, archive.length);
  for (const event of events) {
    wire.push(event.v, event.type, event.atMs, event.taskId, event.data);
    chars += event.data.length;
  }
  for (const chunk of chunks) {
    const { taskId, firstId, lastId, packed } = packChunk(chunk);
    wire.push(taskId, firstId, lastId, packed);
    chars += packed.length;
  }
  for (const task of archive) {
    const { taskId, acceptedSeq, endedAtMs, tenantId, poolId, priority } = task;
    wire.push(taskId, acceptedSeq, endedAtMs, tenantId, poolId, priority);
    wire.push(task.sessionId, task.state, task.view);
    chars += task.view.length;
  }
  return chars;
}

export function encodeSnapshot(wire: Wire, state: string): number {
  wire.push(SNAPSHOT, 0, 0, 0, state);
  return state.length;
}

export function encodeProbe(wire: Wire): number {
  wire.push(PROBE, 0, 0, 0);
  return 0;
}

/** Reads back what the encoders wrote. */
export function decodeGroup(wire: Wire): readonly StoreOp[] {
  let at = 0;
  const text = () => wire[at++] as string;
  const number = () => wire[at++] as number;
  const optional = () => wire[at++] as string | undefined;
  const event = (): LedgerEvent => ({
    v: number(),
    type: text(),
    atMs: number(),
    taskId: optional(),
    data: text(),
  });
  const chunk = (): PackedChunk => ({
    taskId: text(),
    firstId: number(),
    lastId: number(),
    packed: text(),
  });
  const task = (): ArchivedTask => ({
    taskId: text(),
    acceptedSeq: number(),
    endedAtMs: number(),
    tenantId: text(),
    poolId: text(),
    priority: text(),
    sessionId: optional(),
    state: text(),
    view: text(),
  });
  const ops: StoreOp[] = [];
  while (at < wire.length) {
    const flags = number();
    const eventCount = number();
    const chunkCount = number();
    const archiveCount = number();
    ops.push({
      events: Array.from({ length: eventCount }, event),
      chunks: Array.from({ length: chunkCount }, chunk),
      archive: Array.from({ length: archiveCount }, task),
      snapshot: flags & SNAPSHOT ? text() : undefined,
      probe: (flags & PROBE) !== 0,
    });
  }
  return ops;
}

/** What the thread does for the client besides groups, each in one go between two commits. */
export interface StoreCalls {
  readonly latestSnapshot: () => StoredSnapshot | undefined;
  readonly readEvents: (after: number, limit: number) => readonly SequencedEvent[];
  readonly readTranscript: (taskId: string, afterId: number, limit: number) => readonly string[];
  readonly findArchived: (taskId: string) => ArchivedTask | undefined;
  readonly findSwept: (taskId: string) => string | undefined;
  readonly listArchived: (
    filter: TaskFilter,
    before: number | undefined,
    limit: number,
  ) => readonly ArchivedTask[];
  /** Drops some of the events that a snapshot covers, except the newest `keep` events. */
  readonly pruneEvents: (keep: number) => StepResult;
  /** Deletes some of the archived tasks that the policy lets go. */
  readonly sweepArchive: (policy: RetentionPolicy, nowMs: number) => StepResult;
  readonly close: () => void;
}

export interface StoredSnapshot {
  /** The newest event the snapshot covers. */
  readonly seq: number;
  readonly state: string;
}

export interface StepResult {
  readonly removed: number;
  /** False when another step would remove more. */
  readonly done: boolean;
}

export interface ErrorReport {
  readonly code: LedgerErrorCode;
  readonly message: string;
}

export interface CallRequest {
  readonly kind: 'call';
  readonly id: number;
  readonly method: keyof StoreCalls;
  readonly args: readonly unknown[];
}

export type ToThread = { readonly kind: 'group'; readonly wire: Wire } | CallRequest;

export interface Refusal extends ErrorReport {
  /** Position of the refused item in its group. */
  readonly index: number;
}

export interface GroupResult {
  readonly lastSeq: number;
  /** Events committed. */
  readonly events: number;
  readonly commitMs: number;
  readonly refusals: readonly Refusal[];
}

export type FromThread =
  | { readonly kind: 'ready'; readonly lastSeq: number }
  | { readonly kind: 'unusable'; readonly error: ErrorReport }
  | { readonly kind: 'committed'; readonly result: GroupResult }
  | { readonly kind: 'answer'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'refused'; readonly id: number; readonly error: ErrorReport };

/** What the thread needs to open its file. */
export interface StoreOptions {
  readonly path: string;
  /** How long to wait for another process to let go of the file, ms. */
  readonly busyTimeoutMs: number;
  /** The file never grows beyond this many bytes; undefined means as far as the disk goes. */
  readonly maxFileBytes: number | undefined;
}
