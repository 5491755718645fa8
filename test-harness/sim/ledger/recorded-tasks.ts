/** What a ledger's events tell of each task, from its acceptance to its end. */
import { DatabaseSync } from 'node:sqlite';
import type { CoreEvent, TaskSpec, Usage } from '@llama-orch/orchestrator-core';
import { TraceError } from '../trace-files.ts';
import { copyLedger } from './ledger-copy.ts';

/** A task that ran to its end and can be played again. Times are the daemon's wall clock, ms. */
export interface RecordedTask {
  readonly spec: TaskSpec;
  readonly usage: Usage;
  readonly acceptedAtMs: number;
  /** First dispatch: the end of the wait in the queue. */
  readonly dispatchedAtMs: number;
  /** Last dispatch: where the output that counts began. */
  readonly startedAtMs: number;
  /** From its end and the recorded time between first and last token. */
  readonly firstTokenAtMs: number;
  readonly endedAtMs: number;
  readonly replicaId: string;
}

/** Why a task cannot be played again. */
export type Unusable =
  'accepted before the oldest event kept' | 'not ended yet' | 'canceled' | 'failed' | 'no tokens';

export interface LedgerReading {
  readonly tasks: readonly RecordedTask[];
  /** In order of acceptance, by pool. */
  readonly pools: ReadonlyMap<string, readonly RecordedTask[]>;
  readonly unusable: ReadonlyMap<Unusable, number>;
}

interface Begun {
  readonly spec: TaskSpec;
  readonly acceptedAtMs: number;
  dispatchedAtMs: number | undefined;
  startedAtMs: number;
  replicaId: string;
}

interface EventRow {
  readonly at_ms: number;
  readonly data: string;
}

/** Version of the events that this reader knows. */
const EVENT_VERSION = 1;

/**
 * Reads the events of a daemon's ledger, which may be running.
 * @throws TraceError when the folder holds no ledger that can be read
 */
export function readLedger(dataDir: string): LedgerReading {
  using copy = copyLedger(dataDir);
  const db = new DatabaseSync(copy.path);
  try {
    const newest = Number(db.prepare('SELECT max(v) AS v FROM events').get()?.['v'] ?? 0);
    if (newest > EVENT_VERSION) {
      throw new TraceError(
        `${dataDir} was written by a newer release: events of version ${newest}`,
      );
    }
    const rows = db
      .prepare(
        `SELECT at_ms, data FROM events
         WHERE type IN ('task.accepted', 'task.dispatched', 'task.ended') ORDER BY seq`,
      )
      .iterate() as unknown as Iterable<EventRow>;
    return collect(rows);
  } catch (cause) {
    if (cause instanceof TraceError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new TraceError(`${dataDir} holds no ledger that can be read: ${reason}`, { cause });
  } finally {
    db.close();
  }
}

function collect(rows: Iterable<EventRow>): LedgerReading {
  const begun = new Map<string, Begun>();
  const tasks: RecordedTask[] = [];
  const unusable = new Map<Unusable, number>();
  const leave = (why: Unusable) => unusable.set(why, (unusable.get(why) ?? 0) + 1);
  for (const { at_ms: atMs, data } of rows) {
    const { event } = JSON.parse(data) as { readonly event: CoreEvent };
    switch (event.type) {
      case 'task.accepted':
        begun.set(event.taskId, {
          spec: event.task,
          acceptedAtMs: atMs,
          dispatchedAtMs: undefined,
          startedAtMs: atMs,
          replicaId: '',
        });
        break;
      case 'task.dispatched': {
        const task = begun.get(event.taskId);
        if (task === undefined) break;
        task.dispatchedAtMs ??= atMs;
        task.startedAtMs = atMs;
        task.replicaId = event.replicaId;
        break;
      }
      case 'task.ended': {
        const task = begun.get(event.taskId);
        begun.delete(event.taskId);
        const recorded = task === undefined ? undefined : finish(task, event.outcome, atMs);
        if (task === undefined) leave('accepted before the oldest event kept');
        else if (typeof recorded === 'object') tasks.push(recorded);
        else if (recorded !== undefined) leave(recorded);
        break;
      }
      default:
    }
  }
  if (begun.size > 0) unusable.set('not ended yet', begun.size);
  tasks.sort((a, b) => a.acceptedAtMs - b.acceptedAtMs);
  return { tasks, pools: Map.groupBy(tasks, ({ spec }) => spec.poolId), unusable };
}

function finish(
  { spec, acceptedAtMs, dispatchedAtMs = acceptedAtMs, startedAtMs, replicaId }: Begun,
  outcome: Extract<CoreEvent, { type: 'task.ended' }>['outcome'],
  endedAtMs: number,
): RecordedTask | Unusable {
  if (outcome.kind !== 'completed') return outcome.kind;
  const { usage } = outcome;
  if (usage.tokensIn < 1 || usage.tokensOut < 1) return 'no tokens';
  // The clock of the daemon's machine may have been set: no first token before its dispatch.
  const firstTokenAtMs = Math.max(startedAtMs, endedAtMs - usage.decodeMs);
  return {
    spec,
    usage,
    acceptedAtMs,
    dispatchedAtMs,
    startedAtMs,
    firstTokenAtMs,
    endedAtMs,
    replicaId,
  };
}
