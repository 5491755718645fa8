import { LedgerError, type LedgerErrorCode } from './ledger-error.ts';

/** Primary result codes of SQLite (https://sqlite.org/rescode.html) that mean something to a caller. */
const CODES: Readonly<Record<number, LedgerErrorCode>> = {
  5: 'locked', // SQLITE_BUSY
  6: 'locked', // SQLITE_LOCKED
  8: 'io', // SQLITE_READONLY
  10: 'io', // SQLITE_IOERR
  11: 'corrupt', // SQLITE_CORRUPT
  13: 'disk-full', // SQLITE_FULL
  14: 'io', // SQLITE_CANTOPEN
  18: 'invalid', // SQLITE_TOOBIG
  19: 'invalid', // SQLITE_CONSTRAINT
  20: 'invalid', // SQLITE_MISMATCH
  26: 'corrupt', // SQLITE_NOTADB
};

/** Any error of the storage as a LedgerError. Result codes may be extended: the low byte is the primary one. */
export function toLedgerError(error: unknown): LedgerError {
  if (error instanceof LedgerError) return error;
  const message = error instanceof Error ? error.message : String(error);
  if (typeof error !== 'object' || error === null || !('code' in error)) {
    return new LedgerError('io', message, { cause: error });
  }
  // Node refuses values that SQLite cannot hold before SQLite sees them.
  if (error.code === 'ERR_INVALID_ARG_TYPE') {
    return new LedgerError('invalid', message, { cause: error });
  }
  const primary = 'errcode' in error ? Number(error.errcode) & 0xff : 0;
  return new LedgerError(CODES[primary] ?? 'io', message, { cause: error });
}
