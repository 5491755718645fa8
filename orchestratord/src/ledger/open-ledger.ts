import { Worker } from 'node:worker_threads';
import { LedgerClient } from './ledger-client.ts';
import { LedgerError } from './ledger-error.ts';
import type { FromThread, StoreOptions } from './wire.ts';
import type { Ledger } from './types.ts';

export interface LedgerOptions {
  /** The SQLite file; it and its folder are created when missing. */
  readonly path: string;
  /** Events kept for operators although a snapshot covers them. Default 100,000. */
  readonly keepEvents?: number;
  /** Writes that may wait before `write` refuses. Default 16,384. */
  readonly maxWaitingWrites?: number;
  /** JSON text that may wait before `write` refuses, characters. Default 64 Mi. */
  readonly maxWaitingChars?: number;
  /** How long to wait for another process to let go of the file, ms. Default 2,000. */
  readonly busyTimeoutMs?: number;
  /** How long opening may take in all, recovery after a crash included, ms. Default 60,000. */
  readonly openTimeoutMs?: number;
  /** While the storage refuses writes: how often to try one, ms. Default 1,000. */
  readonly probeIntervalMs?: number;
  /** The file never grows beyond this; writes that need more are refused with `disk-full`. */
  readonly maxFileBytes?: number;
}

/**
 * Opens the SQLite ledger on a thread of its own.
 *
 * @throws LedgerError `locked`, `newer-schema`, `foreign`, `corrupt`, `io`, `failed`: each names the file
 */
export async function openLedger(options: LedgerOptions): Promise<Ledger> {
  const storeOptions: StoreOptions = {
    path: options.path,
    busyTimeoutMs: options.busyTimeoutMs ?? 2_000,
    maxFileBytes: options.maxFileBytes,
  };
  const worker = startLedgerThread(storeOptions);
  const lastSeq = await ready(worker, options.path, options.openTimeoutMs ?? 60_000);
  return new LedgerClient(worker, lastSeq, {
    keepEvents: options.keepEvents ?? 100_000,
    maxWaitingWrites: options.maxWaitingWrites ?? 16_384,
    maxWaitingChars: options.maxWaitingChars ?? 64 * 1024 * 1024,
    probeIntervalMs: options.probeIntervalMs ?? 1_000,
  });
}

export function startLedgerThread(options: StoreOptions): Worker {
  return new Worker(new URL('./sqlite-worker.ts', import.meta.url), {
    name: 'ledger',
    workerData: options,
    // The thread needs none of the process's own flags. The one it has hides the notice that Node's
    // SQLite module may still change.
    execArgv: ['--disable-warning=ExperimentalWarning'],
  });
}

/** Resolves with the seq of the newest event once the thread has its file open. */
export async function ready(worker: Worker, path: string, timeoutMs: number): Promise<number> {
  const opened = Promise.withResolvers<number>();
  const give = (reason: string, cause?: unknown) =>
    opened.reject(
      new LedgerError('failed', `cannot open the ledger ${path}: ${reason}`, { cause }),
    );
  const onMessage = (message: FromThread) => {
    if (message.kind === 'ready') opened.resolve(message.lastSeq);
    if (message.kind === 'unusable') {
      opened.reject(new LedgerError(message.error.code, message.error.message));
    }
  };
  const onError = (error: unknown) => give(String(error), error);
  const onExit = () => give('its thread ended');
  const timer = setTimeout(() => give(`it took longer than ${timeoutMs} ms`), timeoutMs);
  worker.on('message', onMessage).on('error', onError).on('exit', onExit);
  try {
    return await opened.promise;
  } catch (error) {
    await worker.terminate();
    throw error;
  } finally {
    clearTimeout(timer);
    worker.off('message', onMessage).off('error', onError).off('exit', onExit);
  }
}
