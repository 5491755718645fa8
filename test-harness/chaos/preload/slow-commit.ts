/**
 * Loaded into every thread of a daemon before its own code (`--import`): a commit of its ledger takes as many
 * milliseconds longer as a file says, as on a disk that is slow to flush; while the file says `hold` it does
 * not return at all. Whoever holds it is told by a second file.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import process from 'node:process';
import { DatabaseSync, type StatementSync } from 'node:sqlite';

const file = process.env['CHAOS_COMMIT_FILE'];
if (file === undefined) throw new Error('CHAOS_COMMIT_FILE is not set');

const LOOK_EVERY_MS = 5;
const nobody = new Int32Array(new SharedArrayBuffer(4));
const sleep = (ms: number): void => void Atomics.wait(nobody, 0, 0, ms);

function stall(path: string): void {
  let order = readFileSync(path, 'utf8');
  if (order === 'hold') writeFileSync(`${path}.held`, '');
  for (; order === 'hold'; order = readFileSync(path, 'utf8')) sleep(LOOK_EVERY_MS);
  if (Number(order) > 0) sleep(Number(order));
}

// eslint-disable-next-line @typescript-eslint/unbound-method
const { prepare } = DatabaseSync.prototype;
DatabaseSync.prototype.prepare = function (sql: string): StatementSync {
  const statement = prepare.call(this, sql);
  if (sql !== 'COMMIT') return statement;
  const run = statement.run.bind(statement);
  statement.run = () => {
    stall(file);
    return run();
  };
  return statement;
};
