/**
 * The data directory as this process's own: who this host is, how often it was started, and the lock
 * that makes a higher count proof that the processes before are dead (OC-POOL-3111). SQLite, because its
 * lock is the system's, which drops it when the process dies, however it dies.
 */
import { randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { HostInstance } from '@llama-orch/contracts';
import { OrchError } from '@llama-orch/contracts';

const FILE = 'host.db';
const SQLITE_BUSY = 5;
/** Tokens of one start; the next one's are greater. */
const TOKENS_A_GENERATION = 2 ** 32;

export interface HostHome {
  readonly instance: HostInstance;
  /** Every fencing token of this start is greater. */
  readonly leaseTokensAfter: number;
  /** Lets the next process have the directory. */
  close(): void;
}

/**
 * Takes the directory, which is made when there is none, and counts this start.
 * @throws OrchError CONFLICT when another process holds it; Error of the file system or of SQLite
 */
export function openHostHome(dataDir: string): HostHome {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const db = new DatabaseSync(join(dataDir, FILE));
  try {
    db.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = FULL; BEGIN EXCLUSIVE');
    db.exec('CREATE TABLE IF NOT EXISTS host (home TEXT NOT NULL, generation INTEGER NOT NULL)');
    const known = db.prepare('SELECT home, generation FROM host').get() as
      { readonly home: string; readonly generation: number } | undefined;
    const home = known?.home ?? randomUUID();
    const generation = (known?.generation ?? 0) + 1;
    db.exec('DELETE FROM host');
    db.prepare('INSERT INTO host VALUES (?, ?)').run(home, generation);
    db.exec('COMMIT');
    return {
      instance: { id: randomUUID(), home, generation },
      leaseTokensAfter: generation * TOKENS_A_GENERATION,
      close: () => db.close(),
    };
  } catch (error) {
    db.close();
    if (!isBusy(error)) throw error;
    const message = `${dataDir} is in use by another pool-managerd; each needs a data directory of its own`;
    throw new OrchError('CONFLICT', message, { cause: error });
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY;
}
