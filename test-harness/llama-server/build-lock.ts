/** One build at a time on this machine, whatever became of the process that had the turn before. */
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 200;
const SQLITE_BUSY = 5;

export interface LockOptions {
  readonly withinMs: number;
  readonly signal: AbortSignal;
  /** Called once when another process has the lock. */
  readonly onWait: () => void;
}

/**
 * Waits for the lock. It is SQLite's lock on an empty database: the system lets go of it when its
 * process ends, however it ends, so no lock is ever left behind.
 * @returns to be disposed of when the work is done
 * @throws Error when the lock is not free in time; the signal's reason when it is aborted
 */
export async function takeBuildLock(file: string, options: LockOptions): Promise<Disposable> {
  const { withinMs, signal, onWait } = options;
  const database = new DatabaseSync(file);
  try {
    let waits = false;
    for (let waitedMs = 0; !tryLock(database); waitedMs += POLL_MS) {
      if (waitedMs > withinMs) throw new Error(`another build has had ${file} for too long`);
      if (!waits) onWait();
      waits = true;
      await sleep(POLL_MS, undefined, { signal });
    }
  } catch (error) {
    database.close();
    throw error;
  }
  return { [Symbol.dispose]: () => database.close() };
}

function tryLock(database: DatabaseSync): boolean {
  try {
    database.exec('BEGIN EXCLUSIVE');
    return true;
  } catch (error) {
    if ((error as { errcode?: number }).errcode === SQLITE_BUSY) return false;
    throw error;
  }
}
