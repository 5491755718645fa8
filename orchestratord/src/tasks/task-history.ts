/**
 * What the scheduler did with a task, as it is kept to explain it later: in memory while the task lives,
 * as JSON in snapshots and in the archive. A history is a value that tasks may share: one that waits and
 * never ran holds `NO_HISTORY`, whatever its queue.
 */
import type { ExplainedReplica, ExplanationEntry } from '@llama-orch/contracts';
import type {
  DispatchDecision,
  ReplicaVerdict,
  RequeueReason,
  WaitCauses,
  WaitRecord,
  WentFirst,
} from '@llama-orch/orchestrator-core';

export type TaskHistory = readonly HistoryEntry[];

export type HistoryEntry =
  | Dispatched
  /** The first token that readers saw. */
  | { readonly kind: 'first-token'; readonly atMs: number }
  | { readonly kind: 'requeued'; readonly atMs: number; readonly reason: RequeueReason }
  /** The daemon was started again with the task in its ledger. */
  | { readonly kind: 'restarted'; readonly atMs: number }
  /** Entries that made room for later ones. */
  | { readonly kind: 'omitted'; readonly atMs: number; readonly entries: number }
  | {
      readonly kind: 'ended';
      readonly atMs: number;
      readonly deadlineKept?: boolean | undefined;
      /** The wait that this ended; undefined for a task that ran. */
      readonly wait?: KeptWait | undefined;
    };

export interface Dispatched {
  readonly kind: 'dispatched';
  readonly atMs: number;
  readonly attempt: number;
  readonly replicaId: string;
  /** Left out where only the ledger's event of the dispatch survived. */
  readonly decision?: KeptDecision;
}

/** A `WaitRecord` in whole milliseconds and bounded size. */
export interface KeptWait {
  readonly waitedMs: number;
  readonly causes: readonly CauseOfWait[];
  readonly wentFirst: readonly WentFirst[];
  readonly wentFirstTruncated: boolean;
}

/** A `DispatchDecision` likewise. */
export interface KeptDecision extends KeptWait {
  readonly replicas: readonly ExplainedReplica[];
  readonly firstTokenMs: number;
  readonly stoppedAnother: boolean;
}

export type CauseOfWait = NonNullable<
  Extract<ExplanationEntry, { kind: 'waited' }>['causes']
>[number];

export const NO_HISTORY: TaskHistory = [];

/** Entries kept of a task. */
export const MAX_ENTRIES = 32;
/** Of them, those that are kept from its beginning. */
const FIRST_ENTRIES = 8;
/** Groups kept of those who went first. */
const MAX_GROUPS = 8;

/** The history with one more entry; the oldest in the middle make room. */
export function withEntry(history: TaskHistory, entry: HistoryEntry): TaskHistory {
  const [first, second] = history.slice(FIRST_ENTRIES, FIRST_ENTRIES + 2);
  if (history.length < MAX_ENTRIES || first === undefined || second === undefined) {
    return [...history, entry];
  }
  const omitted = {
    kind: 'omitted',
    atMs: first.atMs,
    entries: entriesIn(first) + entriesIn(second),
  } as const;
  return [...history.slice(0, FIRST_ENTRIES), omitted, ...history.slice(FIRST_ENTRIES + 2), entry];
}

/** True for a task that was stopped for others and has not been dispatched since. */
export function isPreempted(history: TaskHistory): boolean {
  const last = history.findLast(({ kind }) => kind === 'dispatched' || kind === 'requeued');
  return last?.kind === 'requeued' && last.reason === 'preempted';
}

export function keptWait({ waitedMs, waits, wentFirst, wentFirstTruncated }: WaitRecord): KeptWait {
  return {
    waitedMs: Math.round(waitedMs),
    causes: causesOf(waits),
    wentFirst: wentFirst.slice(0, MAX_GROUPS),
    wentFirstTruncated: wentFirstTruncated || wentFirst.length > MAX_GROUPS,
  };
}

export function keptDecision(decision: DispatchDecision): KeptDecision {
  return {
    ...keptWait(decision),
    replicas: decision.replicas.map(toExplained),
    firstTokenMs: Math.round(decision.firstTokenMs),
    stoppedAnother: decision.preempted,
  };
}

/** Longest first, in whole milliseconds. */
export function causesOf(waits: Partial<WaitCauses>): readonly CauseOfWait[] {
  return Object.entries(waits)
    .map(([cause, ms]) => ({ cause: cause as keyof WaitCauses, ms: Math.round(ms) }))
    .filter(({ ms }) => ms > 0)
    .sort((a, b) => b.ms - a.ms);
}

export function toExplained(verdict: ReplicaVerdict): ExplainedReplica {
  const { replicaId, firstTokenMs, cachedTokens } = verdict;
  return {
    replica_id: replicaId,
    verdict: verdict.verdict,
    ...(firstTokenMs === undefined ? {} : { first_token_ms: Math.round(firstTokenMs) }),
    cached_tokens: Math.round(cachedTokens),
  };
}

function entriesIn(entry: HistoryEntry): number {
  return entry.kind === 'omitted' ? entry.entries : 1;
}
