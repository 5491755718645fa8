/**
 * Opens the ledger's file: settings, the exclusive lock, and the numbered migrations. The settings
 * follow https://sqlite.org/wal.html and https://sqlite.org/pragma.html.
 */
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { LedgerError } from './ledger-error.ts';
import { toLedgerError } from './sqlite-errors.ts';
import type { StoreOptions } from './wire.ts';

/** Marks the file as ours in its header: "LLOR". */
const APPLICATION_ID = 0x4c4c4f52;

/**
 * Migration n takes a file from version n - 1 to n. A migration that was released never changes.
 *
 * The big rows live in ordinary tables, which append; their text keys in separate indexes. A table
 * without rowid, clustered by task, took 6 times as long for transcript chunks and 3 times the space.
 * Events have no index by task: nothing reads them so, and it would double the cost of an insert.
 */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    at_ms REAL NOT NULL,
    v INTEGER NOT NULL,
    type TEXT NOT NULL,
    task_id TEXT,
    data TEXT NOT NULL
  ) STRICT;

  CREATE TABLE transcript (
    task_id TEXT NOT NULL,
    first_id INTEGER NOT NULL,
    last_id INTEGER NOT NULL,
    entries TEXT NOT NULL,
    PRIMARY KEY (task_id, last_id)
  ) STRICT;

  CREATE TABLE archive (
    task_id TEXT NOT NULL PRIMARY KEY,
    accepted_seq INTEGER NOT NULL,
    ended_at_ms REAL NOT NULL,
    tenant_id TEXT NOT NULL,
    pool_id TEXT NOT NULL,
    priority TEXT NOT NULL,
    session_id TEXT,
    state TEXT NOT NULL,
    view TEXT NOT NULL
  ) STRICT;
  CREATE INDEX archive_by_seq ON archive (accepted_seq);
  CREATE INDEX archive_by_tenant ON archive (tenant_id, accepted_seq);
  CREATE INDEX archive_by_tenant_state ON archive (tenant_id, state, accepted_seq);
  CREATE INDEX archive_by_state ON archive (state, accepted_seq);
  CREATE INDEX archive_by_priority ON archive (priority, accepted_seq);
  CREATE INDEX archive_by_session ON archive (session_id, accepted_seq)
    WHERE session_id IS NOT NULL;
  CREATE INDEX archive_by_end ON archive (ended_at_ms, accepted_seq);

  CREATE TABLE swept (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    task_id TEXT NOT NULL UNIQUE,
    tenant_id TEXT NOT NULL
  ) STRICT;

  CREATE TABLE snapshot (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    seq INTEGER NOT NULL,
    state TEXT NOT NULL
  ) STRICT;

  CREATE TABLE meta (
    key TEXT NOT NULL PRIMARY KEY,
    value INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,
];

/**
 * Opens, locks and migrates the file; creates it, readable by its owner only, when there is none.
 *
 * @throws LedgerError `locked`, `newer-schema`, `foreign`, `corrupt`, `io`: each names the file
 */
export function openDatabase(options: StoreOptions): DatabaseSync {
  let db: DatabaseSync | undefined;
  try {
    createPrivately(options.path);
    db = new DatabaseSync(options.path, { timeout: options.busyTimeoutMs });
    applySettings(db, options);
    migrate(db);
    return db;
  } catch (error) {
    if (db?.isOpen) db.close();
    throw explain(options.path, toLedgerError(error));
  }
}

function createPrivately(path: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  try {
    closeSync(openSync(path, 'ax', 0o600));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

function applySettings(db: DatabaseSync, options: StoreOptions): void {
  // Exclusive from the first page read: no second daemon gets in, and the WAL index stays in memory.
  // The operating system drops the lock when the process dies, however it dies.
  db.exec('PRAGMA locking_mode = EXCLUSIVE');
  db.exec('PRAGMA journal_mode = WAL');
  db.exec('PRAGMA synchronous = FULL');
  // On macOS a plain fsync does not reach the platter; a no-op elsewhere.
  db.exec('PRAGMA fullfsync = ON');
  // A checkpoint copies the WAL back inside a commit: every 4 MiB, a few milliseconds. With 16 MiB and
  // more the worst commit took 25 to 200 ms, and those in between slowed down as the WAL kept growing.
  db.exec('PRAGMA wal_autocheckpoint = 1000');
  db.exec(`PRAGMA journal_size_limit = ${64 * 1024 * 1024}`);
  db.exec('PRAGMA cache_size = -16384');
  if (options.maxFileBytes !== undefined) {
    const pageBytes = pragma(db, 'page_size');
    db.exec(`PRAGMA max_page_count = ${Math.ceil(options.maxFileBytes / pageBytes)}`);
  }
}

function migrate(db: DatabaseSync): void {
  db.exec('BEGIN IMMEDIATE');
  const version = pragma(db, 'user_version');
  const isNew = version === 0 && pragma(db, 'application_id') === 0 && isEmpty(db);
  if (!isNew && pragma(db, 'application_id') !== APPLICATION_ID) {
    throw new LedgerError('foreign', 'it belongs to another application');
  }
  if (version > MIGRATIONS.length) {
    throw new LedgerError(
      'newer-schema',
      `it has schema version ${version}, this release knows ${MIGRATIONS.length}: start the newer release again`,
    );
  }
  for (const migration of MIGRATIONS.slice(version)) db.exec(migration);
  db.exec(`PRAGMA application_id = ${APPLICATION_ID}`);
  db.exec(`PRAGMA user_version = ${MIGRATIONS.length}`);
  db.exec('COMMIT');
}

function pragma(db: DatabaseSync, name: string): number {
  return Number(db.prepare(`PRAGMA ${name}`).get()?.[name]);
}

function isEmpty(db: DatabaseSync): boolean {
  return db.prepare('SELECT 1 FROM sqlite_schema LIMIT 1').get() === undefined;
}

function explain(path: string, error: LedgerError): LedgerError {
  const reasons: Partial<Record<LedgerError['code'], string>> = {
    locked: 'another process has it open; each daemon needs a data directory of its own',
    corrupt: `it is damaged or not a ledger (${error.message}); move it away or restore a copy`,
  };
  const reason = reasons[error.code] ?? error.message;
  return new LedgerError(error.code, `cannot open the ledger ${path}: ${reason}`, { cause: error });
}
