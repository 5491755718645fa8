import { chmod, open, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { event } from './ledger-suite.ts';
import { openLedger } from './open-ledger.ts';
import { temporaryPath } from './temporary-ledger.ts';

test('OC-LEDGER-2209 a second ledger on the same file is refused, and told which file', async () => {
  await using file = await temporaryPath();
  await using first = await openLedger({ path: file.path });
  await expect(openLedger({ path: file.path, busyTimeoutMs: 0 })).rejects.toMatchObject({
    name: 'LedgerError',
    code: 'locked',
    message: expect.stringContaining(file.path) as string,
  });
  await first.write({ events: [event('still mine')] });
});

test('OC-LEDGER-2209 the file is free again after close', async () => {
  await using file = await temporaryPath();
  await (await openLedger({ path: file.path })).close();
  await using second = await openLedger({ path: file.path, busyTimeoutMs: 0 });
  expect(second.lastSeq).toBe(0);
});

test('OC-LEDGER-2208 a file of a newer release is refused and left as it is', async () => {
  await using file = await temporaryPath();
  await (await openLedger({ path: file.path })).close();
  const db = new DatabaseSync(file.path);
  db.exec('PRAGMA user_version = 99');
  db.close();
  await expect(openLedger({ path: file.path })).rejects.toMatchObject({
    code: 'newer-schema',
    message: expect.stringContaining('99') as string,
  });
  const after = new DatabaseSync(file.path);
  expect(after.prepare('PRAGMA user_version').get()).toEqual({ user_version: 99 });
  after.close();
});

test('OC-LEDGER-2210 the SQLite file of another application is refused', async () => {
  await using file = await temporaryPath();
  const db = new DatabaseSync(file.path);
  db.exec('CREATE TABLE recipes (name TEXT)');
  db.close();
  await expect(openLedger({ path: file.path })).rejects.toMatchObject({ code: 'foreign' });
});

test('OC-LEDGER-2210 a file that is not SQLite is refused', async () => {
  await using file = await temporaryPath();
  await writeFile(file.path, 'not a database, '.repeat(1_000));
  await expect(openLedger({ path: file.path })).rejects.toMatchObject({
    code: 'corrupt',
    message: expect.stringContaining(file.path) as string,
  });
});

test('OC-LEDGER-2210 a file whose pages were overwritten is refused or fails its first read', async () => {
  await using file = await temporaryPath();
  const ledger = await openLedger({ path: file.path });
  await ledger.write({ events: Array.from({ length: 500 }, () => event('x'.repeat(500))) });
  await ledger.close();
  const handle = await open(file.path, 'r+');
  const { size } = await handle.stat();
  await handle.write(Buffer.alloc(size - 4_096, 0xa5), 0, size - 4_096, 4_096);
  await handle.close();
  const attempt = async () => {
    await using damaged = await openLedger({ path: file.path });
    await damaged.readEvents(0, 1_000);
  };
  await expect(attempt()).rejects.toMatchObject({ code: 'corrupt' });
});

test('OC-LEDGER-2210 a path that cannot be opened is refused', async () => {
  await using file = await temporaryPath();
  await expect(openLedger({ path: dirname(file.path) })).rejects.toMatchObject({ code: 'io' });
});

test('an empty file becomes a ledger', async () => {
  await using file = await temporaryPath();
  await writeFile(file.path, '');
  await using ledger = await openLedger({ path: file.path });
  await ledger.write({ events: [event('1')] });
  expect(ledger.lastSeq).toBe(1);
});

test('OC-LEDGER-2221 only the owner may read the file, whatever the umask', async () => {
  await using file = await temporaryPath();
  await chmod(dirname(file.path), 0o755);
  await using ledger = await openLedger({ path: file.path });
  await ledger.write({ events: [event('1')] });
  for (const path of [file.path, `${file.path}-wal`]) {
    expect((await stat(path)).mode & 0o077).toBe(0);
  }
});
