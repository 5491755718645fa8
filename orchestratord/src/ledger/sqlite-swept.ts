/** Remembers which tasks were swept, so that a reader who comes too late is told so (410, not 404). */
import type { DatabaseSync } from 'node:sqlite';

/** Swept tasks remembered; some 60 bytes each. */
export const SWEPT_KEPT = 100_000;

export interface SweptTable {
  /** Notes an archived task that is about to be removed. */
  remember(taskId: string): void;
  /** The tenant it belonged to. */
  tenantOf(taskId: string): string | undefined;
  /** Forgets the oldest beyond `SWEPT_KEPT`. */
  trim(): void;
}

export function createSweptTable(db: DatabaseSync): SweptTable {
  const remember = db.prepare(
    `INSERT OR REPLACE INTO swept (task_id, tenant_id)
       SELECT task_id, tenant_id FROM archive WHERE task_id = ?`,
  );
  const find = db.prepare('SELECT tenant_id AS tenantId FROM swept WHERE task_id = ?');
  const trim = db.prepare(
    `DELETE FROM swept WHERE id <= (SELECT max(id) FROM swept) - ${SWEPT_KEPT}`,
  );
  return {
    remember: (taskId) => void remember.run(taskId),
    tenantOf: (taskId) => find.get(taskId)?.['tenantId'] as string | undefined,
    trim: () => void trim.run(),
  };
}
