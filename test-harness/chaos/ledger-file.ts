/** Reads the ledger's file after the daemon has ended, with nothing of the daemon's own code. */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { LedgerContent, LedgerTask } from './verdict.ts';

export interface LedgerRow {
  readonly seq: number;
  readonly type: string;
  readonly taskId: string | undefined;
}

/** Events in order. @throws Error when the file is damaged or cannot be read */
export function readLedgerRows(dataDir: string): readonly LedgerRow[] {
  using db = openFile(dataDir);
  return db
    .prepare('SELECT seq, type, task_id FROM events ORDER BY seq')
    .all()
    .map(({ seq, type, task_id: id }) => ({
      seq: Number(seq),
      type: String(type),
      taskId: id === null ? undefined : String(id),
    }));
}

/** @throws Error when the file is damaged or cannot be read */
export function readLedgerContent(dataDir: string): LedgerContent {
  const rows = readLedgerRows(dataDir);
  const tasks = new Map<string, LedgerTask>();
  const change = (id: string, with_: (task: LedgerTask) => Partial<LedgerTask>): void => {
    const task = tasks.get(id) ?? { accepted: 0, ended: 0, state: undefined, chunks: [] };
    tasks.set(id, { ...task, ...with_(task) });
  };
  for (const { type, taskId } of rows) {
    if (taskId === undefined) continue;
    if (type === 'task.accepted') change(taskId, ({ accepted }) => ({ accepted: accepted + 1 }));
    if (type === 'task.ended') change(taskId, ({ ended }) => ({ ended: ended + 1 }));
  }
  using db = openFile(dataDir);
  for (const row of db.prepare('SELECT task_id, state FROM archive').all()) {
    change(String(row['task_id']), () => ({ state: String(row['state']) }));
  }
  const chunks = db.prepare(
    'SELECT task_id, first_id, last_id FROM transcript ORDER BY task_id, first_id',
  );
  for (const row of chunks.all()) {
    const ids = [Number(row['first_id']), Number(row['last_id'])] as const;
    change(String(row['task_id']), (task) => ({ chunks: [...task.chunks, ids] }));
  }
  return { seqs: rows.map(({ seq }) => seq), tasks };
}

function openFile(dataDir: string): DatabaseSync {
  const path = join(dataDir, 'ledger.db');
  const db = new DatabaseSync(path, { readOnly: true });
  const found = db.prepare('PRAGMA quick_check').all();
  if (found.length === 1 && found[0]?.['quick_check'] === 'ok') return db;
  db.close();
  throw new Error(`the ledger is damaged: ${JSON.stringify(found)}`);
}
