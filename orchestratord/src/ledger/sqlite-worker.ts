/** The ledger's thread: takes groups and calls from the client, one at a time, in order. */
import { parentPort, workerData } from 'node:worker_threads';
import { toLedgerError } from './sqlite-errors.ts';
import { openSqliteStore, type SqliteStore } from './sqlite-store.ts';
import { decodeGroup, type CallRequest, type FromThread } from './wire.ts';
import type { ErrorReport, StoreOptions, ToThread } from './wire.ts';

const port = parentPort;
if (port === null) throw new Error('the ledger thread was started as a program');
const post = (message: FromThread) => port.postMessage(message);

const report = (error: unknown): ErrorReport => {
  const { code, message } = toLedgerError(error);
  return { code, message };
};

function serve(store: SqliteStore): void {
  const answer = ({ id, method, args }: CallRequest) => {
    try {
      const call = store[method] as (...args: readonly unknown[]) => unknown;
      post({ kind: 'answer', id, value: call(...args) });
    } catch (error) {
      post({ kind: 'refused', id, error: report(error) });
    }
    if (method === 'close') port?.close();
  };
  port?.on('message', (message: ToThread) => {
    if (message.kind === 'call') answer(message);
    else post({ kind: 'committed', result: store.commitGroup(decodeGroup(message.wire)) });
  });
  post({ kind: 'ready', lastSeq: store.lastSeq() });
}

try {
  serve(openSqliteStore(workerData as StoreOptions));
} catch (error) {
  post({ kind: 'unusable', error: report(error) });
}
