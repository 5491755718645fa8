/**
 * Why the ledger refused.
 *
 * - `overloaded`: too much is waiting to be written or read; nothing was queued, try again later.
 * - `disk-full`, `io`: the storage refused; nothing of the batch was kept, later writes may succeed.
 * - `invalid`: the batch itself cannot be stored.
 * - `locked`: another process has the ledger open.
 * - `newer-schema`: a newer release wrote the file.
 * - `foreign`: a sound SQLite file, but not a ledger.
 * - `corrupt`: not a SQLite file, or a damaged one.
 * - `failed`: the ledger's thread is gone; the daemon must shut down.
 * - `closed`: used after `close()`.
 */
export type LedgerErrorCode =
  | 'overloaded'
  | 'disk-full'
  | 'io'
  | 'invalid'
  | 'locked'
  | 'newer-schema'
  | 'foreign'
  | 'corrupt'
  | 'failed'
  | 'closed';

/** The one error the ledger throws and rejects with; match on `code`, never on the message. */
export class LedgerError extends Error {
  override readonly name = 'LedgerError';
  readonly code: LedgerErrorCode;

  constructor(code: LedgerErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}
