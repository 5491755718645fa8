/** Opens both kinds of ledger for a test, and cleans up after it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LedgerUnderTest } from './ledger-suite.ts';
import { createMemoryDisk, createMemoryLedger } from './memory-ledger.ts';
import { openLedger, type LedgerOptions } from './open-ledger.ts';

export interface TemporaryPath extends AsyncDisposable {
  readonly path: string;
}

export async function temporaryPath(): Promise<TemporaryPath> {
  const folder = await mkdtemp(join(tmpdir(), 'ledger-'));
  return {
    path: join(folder, 'ledger.sqlite'),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

export async function openSqliteForTest(
  options: Omit<LedgerOptions, 'path'>,
): Promise<LedgerUnderTest> {
  const file = await temporaryPath();
  let ledger = await openLedger({ ...options, path: file.path });
  return {
    get ledger() {
      return ledger;
    },
    async reopen() {
      await ledger.close();
      ledger = await openLedger({ ...options, path: file.path });
      return ledger;
    },
    async [Symbol.asyncDispose]() {
      await ledger.close();
      await file[Symbol.asyncDispose]();
    },
  };
}

export function openMemoryForTest(options: {
  readonly keepEvents?: number;
}): Promise<LedgerUnderTest> {
  const disk = createMemoryDisk();
  let ledger = createMemoryLedger({ ...options, disk });
  return Promise.resolve({
    get ledger() {
      return ledger;
    },
    async reopen() {
      await ledger.close();
      ledger = createMemoryLedger({ ...options, disk });
      return ledger;
    },
    [Symbol.asyncDispose]: () => ledger.close(),
  });
}
