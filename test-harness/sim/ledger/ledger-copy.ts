/**
 * A copy of a daemon's ledger to read from. The daemon holds its file under an exclusive lock, and even
 * a reader would have to write beside it; so nothing of its folder is opened through SQLite. The copy
 * is of files that may change meanwhile, and is whole all the same: a write-ahead log only grows until
 * it is started over with a new salt in its header (https://sqlite.org/walformat.html). With the same
 * salt before and after, every page that a checkpoint moved while the copy was made is in the log too.
 */
import {
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TraceError } from '../trace-files.ts';

const FILE = 'ledger.db';
const HEADER_BYTES = 32;
/** A log is started over about every 1000 pages; a copy of a busy ledger may meet that, hardly five times. */
const ATTEMPTS = 5;

export interface LedgerCopy extends Disposable {
  readonly path: string;
}

/**
 * Copies the ledger into a folder of its owner's only, which disposing deletes: it holds prompts.
 * Must not be called by a process that has the ledger open itself: closing a file drops all locks that
 * the process holds on it (POSIX).
 * @throws TraceError when the folder holds no ledger, or one too busy to be copied
 * @throws Error with a `code` when it cannot be read
 */
export function copyLedger(dataDir: string): LedgerCopy {
  const source = join(dataDir, FILE);
  if (!existsSync(source)) throw new TraceError(`${dataDir} holds no ${FILE}`);
  const folder = mkdtempSync(join(tmpdir(), 'llama-orch-ledger-'));
  const dispose = () => rmSync(folder, { recursive: true, force: true });
  const path = join(folder, FILE);
  try {
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const before = logHeader(source);
      copyFileSync(source, path, constants.COPYFILE_FICLONE);
      copyLog(source, path);
      if (logHeader(source) === before) return { path, [Symbol.dispose]: dispose };
    }
    throw new TraceError(`${source} changes too fast to be copied; try again`);
  } catch (error) {
    dispose();
    throw error;
  }
}

function copyLog(source: string, path: string): void {
  rmSync(`${path}-wal`, { force: true });
  if (!existsSync(`${source}-wal`)) return;
  copyFileSync(`${source}-wal`, `${path}-wal`, constants.COPYFILE_FICLONE);
}

/** Its salt and checkpoint count with it; empty where there is no log. */
function logHeader(source: string): string {
  const log = `${source}-wal`;
  if (!existsSync(log) || statSync(log).size < HEADER_BYTES) return '';
  const file = openSync(log, 'r');
  try {
    const header = Buffer.alloc(HEADER_BYTES);
    readSync(file, header, 0, HEADER_BYTES, 0);
    return header.toString('hex');
  } finally {
    closeSync(file);
  }
}
