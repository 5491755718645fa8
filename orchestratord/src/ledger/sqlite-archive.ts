import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { ArchivedTask, RetentionPolicy, TaskFilter } from './types.ts';

const COLUMNS = `task_id AS taskId, accepted_seq AS acceptedSeq, ended_at_ms AS endedAtMs,
  tenant_id AS tenantId, pool_id AS poolId, priority, session_id AS sessionId, state, view`;

const FILTER_COLUMNS = {
  tenantId: 'tenant_id',
  state: 'state',
  sessionId: 'session_id',
  priority: 'priority',
} as const satisfies Record<keyof TaskFilter, string>;

const FILTER_KEYS = Object.keys(FILTER_COLUMNS) as readonly (keyof TaskFilter)[];

export interface ArchiveTable {
  /** Stores a finished task, in place of an earlier one of the same id. */
  put(task: ArchivedTask): void;
  find(taskId: string): ArchivedTask | undefined;
  list(filter: TaskFilter, before: number | undefined, limit: number): readonly ArchivedTask[];
  /** Ids of at most `limit` tasks that the policy lets go, oldest end first. */
  expired(policy: RetentionPolicy, nowMs: number, limit: number): readonly string[];
  remove(taskId: string): void;
}

/**
 * The statement that lists a combination of filters, without a sort and without a full scan. The index
 * is named because SQLite, with no statistics, does not know that a session is small and a state large.
 */
export function listStatement(keys: readonly (keyof TaskFilter)[]): string {
  const where = keys.map((key) => `${FILTER_COLUMNS[key]} = ?`).concat('accepted_seq < ?');
  return `SELECT ${COLUMNS} FROM archive INDEXED BY ${indexFor(new Set(keys))}
    WHERE ${where.join(' AND ')} ORDER BY accepted_seq DESC LIMIT ?`;
}

function indexFor(keys: ReadonlySet<keyof TaskFilter>): string {
  if (keys.has('sessionId')) return 'archive_by_session';
  if (keys.has('tenantId') && keys.has('state')) return 'archive_by_tenant_state';
  if (keys.has('tenantId')) return 'archive_by_tenant';
  if (keys.has('state')) return 'archive_by_state';
  if (keys.has('priority')) return 'archive_by_priority';
  return 'archive_by_seq';
}

export function createArchiveTable(db: DatabaseSync): ArchiveTable {
  const put = db.prepare(
    `INSERT INTO archive VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (task_id) DO UPDATE SET
       accepted_seq = excluded.accepted_seq, ended_at_ms = excluded.ended_at_ms,
       tenant_id = excluded.tenant_id, pool_id = excluded.pool_id, priority = excluded.priority,
       session_id = excluded.session_id, state = excluded.state, view = excluded.view`,
  );
  const find = db.prepare(`SELECT ${COLUMNS} FROM archive WHERE task_id = ?`);
  const count = db.prepare('SELECT count(*) AS tasks FROM archive');
  const tooOld = db.prepare(
    'SELECT task_id FROM archive WHERE ended_at_ms < ? ORDER BY ended_at_ms, accepted_seq LIMIT ?',
  );
  const oldest = db.prepare(
    'SELECT task_id FROM archive ORDER BY ended_at_ms, accepted_seq LIMIT ?',
  );
  const remove = db.prepare('DELETE FROM archive WHERE task_id = ?');
  const lists = new Map<string, StatementSync>();

  const listFor = (keys: readonly (keyof TaskFilter)[]) => {
    const name = keys.join();
    const known = lists.get(name);
    if (known !== undefined) return known;
    const statement = db.prepare(listStatement(keys));
    lists.set(name, statement);
    return statement;
  };
  const ids = (rows: readonly Record<string, unknown>[]) =>
    rows.map((row) => row['task_id'] as string);

  return {
    put(task) {
      put.run(
        task.taskId,
        task.acceptedSeq,
        task.endedAtMs,
        task.tenantId,
        task.poolId,
        task.priority,
        task.sessionId ?? null,
        task.state,
        task.view,
      );
    },
    find(taskId) {
      const row = find.get(taskId);
      return row === undefined ? undefined : toTask(row);
    },
    list(filter, before, limit) {
      const keys = FILTER_KEYS.filter((key) => filter[key] !== undefined);
      const values = keys.map((key) => filter[key] ?? null);
      const rows = listFor(keys).all(...values, before ?? Number.MAX_SAFE_INTEGER, limit);
      return rows.map(toTask);
    },
    expired(policy, nowMs, limit) {
      const old = tooOld.all(nowMs - policy.maxAgeMs, limit);
      if (old.length > 0) return ids(old);
      const excess = Number(count.get()?.['tasks']) - policy.maxTasks;
      return excess > 0 ? ids(oldest.all(Math.min(excess, limit))) : [];
    },
    remove(taskId) {
      remove.run(taskId);
    },
  };
}

function toTask(row: Record<string, unknown>): ArchivedTask {
  const task = row as unknown as Omit<ArchivedTask, 'sessionId'> & { sessionId: string | null };
  return { ...task, sessionId: task.sessionId ?? undefined };
}
