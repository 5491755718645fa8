import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { LedgerClient, type ClientOptions } from './ledger-client.ts';
import { archived, entry, event } from './ledger-suite.ts';
import { ready, startLedgerThread } from './open-ledger.ts';
import { openSqliteForTest, temporaryPath } from './temporary-ledger.ts';
import type { CommitStats, Ledger } from './types.ts';

const HUGE = 'x'.repeat(4 * 1024 * 1024);
const overloaded = { name: 'LedgerError', code: 'overloaded' };

async function until(condition: () => boolean): Promise<void> {
  const giveUpAt = performance.now() + 10_000;
  while (!condition()) {
    if (performance.now() > giveUpAt) throw new Error('the condition never came true');
    await setImmediate();
  }
}

const fill = (ledger: Ledger, count: number, data = 'x') =>
  Array.from({ length: count }, () => ledger.write({ events: [event(data)] }));

test('OC-LEDGER-2205 beyond the bound a write is refused and those waiting are kept', async () => {
  await using under = await openSqliteForTest({ maxWaitingWrites: 4 });
  const { ledger } = under;
  const accepted = fill(ledger, 4);
  await expect(ledger.write({ events: [event('5')] })).rejects.toMatchObject(overloaded);
  await Promise.all(accepted);
  await ledger.write({ events: [event('6')] });
  expect(ledger.lastSeq).toBe(5);
});

test('OC-LEDGER-2205 the bound counts text as well', async () => {
  await using under = await openSqliteForTest({ maxWaitingChars: 1_000 });
  const accepted = fill(under.ledger, 2, 'x'.repeat(600));
  await expect(under.ledger.write({})).rejects.toMatchObject(overloaded);
  await Promise.all(accepted);
});

test('OC-LEDGER-2205 the ledger is saturated from half of the bound on', async () => {
  await using under = await openSqliteForTest({ maxWaitingWrites: 4 });
  const { ledger } = under;
  const writes = fill(ledger, 1);
  expect(ledger.saturated).toBe(false);
  writes.push(...fill(ledger, 1));
  expect(ledger.saturated).toBe(true);
  expect(ledger.health().waitingWrites).toBe(2);
  await Promise.all(writes);
  expect(ledger.saturated).toBe(false);
});

test('OC-LEDGER-2205 reads that are open at once are bounded', async () => {
  await using under = await openSqliteForTest({});
  const reads = Array.from({ length: 1_025 }, () => under.ledger.findArchived('t'));
  const outcomes = await Promise.allSettled(reads);
  expect(outcomes.filter(({ status }) => status === 'rejected')).toMatchObject([
    { reason: overloaded },
  ]);
});

test('a read that the storage cannot take is refused with its reason, and the next one is answered', async () => {
  await using under = await openSqliteForTest({});
  const { ledger } = under;
  const wrong = undefined as unknown as string;
  await expect(ledger.findArchived(wrong)).rejects.toMatchObject({
    name: 'LedgerError',
    code: 'invalid',
  });
  expect(await ledger.findArchived('t')).toBeUndefined();
  await ledger.write({ events: [event('x')] });
});

test('OC-LEDGER-2204 writes made during a commit share the next one', async () => {
  await using under = await openSqliteForTest({});
  const commits: CommitStats[] = [];
  under.ledger.onCommit((stats) => commits.push(stats));
  const first = fill(under.ledger, 1, HUGE);
  await setImmediate();
  expect(under.ledger.health().commitRunningMs).toBeGreaterThan(0);
  const rest = fill(under.ledger, 30);
  await Promise.all([...first, ...rest]);
  expect(commits.map(({ events }) => events)).toEqual([1, 30]);
  expect(commits.every(({ commitMs }) => commitMs > 0)).toBe(true);
});

test('OC-LEDGER-2218 a read waits for the group under commit and not for those behind it', async () => {
  await using under = await openSqliteForTest({});
  const { ledger } = under;
  let commits = 0;
  const commitsAtAnswer = new Promise<number>((resolve, reject) => {
    ledger.onCommit(() => {
      commits += 1;
      // The second group is under commit already, four more wait.
      if (commits === 1) ledger.readEvents(0, 1).then(() => resolve(commits), reject);
    });
  });
  await Promise.all(fill(ledger, 12_000));
  expect(await commitsAtAnswer).toBe(2);
  expect(commits).toBe(6);
});

test('OC-LEDGER-2206 when the disk has no room for a batch, what is stored is what was written before it', async () => {
  await using under = await openSqliteForTest({ maxFileBytes: 1024 * 1024 });
  const { ledger } = under;
  const small = fill(ledger, 5);
  const huge = ledger.write({
    events: [event(HUGE)],
    transcripts: [{ taskId: 't', firstId: 1, entries: [entry(1)] }],
    archive: [archived('t', 1)],
  });
  const later = fill(ledger, 5);
  await expect(huge).rejects.toMatchObject({ name: 'LedgerError', code: 'disk-full' });
  await Promise.all(small);
  const refused = await Promise.allSettled(later);
  expect(refused.map(({ status }) => status)).toEqual(Array.from({ length: 5 }, () => 'rejected'));
  await Promise.all(fill(ledger, 1));
  const reopened = await under.reopen();
  expect((await reopened.readEvents(0, 20)).map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6]);
  expect(await reopened.findArchived('t')).toBeUndefined();
  expect(await reopened.readTranscript('t', 0, 10)).toEqual([]);
});

test('OC-LEDGER-2206 a full disk refuses writes, keeps what it has and serves reads', async () => {
  await using under = await openSqliteForTest({ maxFileBytes: 256 * 1024 });
  const { ledger } = under;
  const outcomes = await Promise.allSettled(fill(ledger, 100, 'x'.repeat(10_000)));
  const kept = outcomes.filter(({ status }) => status === 'fulfilled').length;
  expect(kept).toBeGreaterThan(0);
  expect(kept).toBeLessThan(100);
  expect(await ledger.readEvents(0, 1_000)).toHaveLength(kept);
  expect(ledger.health()).toMatchObject({ state: 'degraded', error: { code: 'disk-full' } });
});

test('OC-LEDGER-2220 a refused write degrades health until the storage takes one again', async () => {
  await using under = await openSqliteForTest({ maxFileBytes: 1024 * 1024, probeIntervalMs: 1 });
  const { ledger } = under;
  const states: string[] = [];
  ledger.onCommit(() => states.push(ledger.health().state));
  await expect(ledger.write({ events: [event(HUGE)] })).rejects.toThrow();
  await until(() => ledger.health().state === 'ok');
  expect(states[0]).toBe('degraded');
  expect(ledger.health().error).toBeUndefined();
  expect(ledger.lastSeq).toBe(0);
});

const clientOptions: ClientOptions = {
  keepEvents: 0,
  maxWaitingWrites: 100,
  maxWaitingChars: 1_000_000,
  probeIntervalMs: 1_000,
};

test('OC-LEDGER-2207 when the thread dies, everything open is rejected and the ledger says so', async () => {
  await using file = await temporaryPath();
  const worker = startLedgerThread({
    path: file.path,
    busyTimeoutMs: 0,
    maxFileBytes: undefined,
  });
  const ledger = new LedgerClient(worker, await ready(worker, file.path, 10_000), clientOptions);
  // It dies before it comes to any of them, however quick it is.
  worker.postMessage = () => undefined;
  const writes = fill(ledger, 3);
  const read = ledger.readEvents(0, 1);
  const snapshot = ledger.snapshot('{}');
  const died = worker.terminate();
  const outcomes = await Promise.allSettled([...writes, read, snapshot]);
  const failed = { code: 'failed' };
  expect(outcomes).toMatchObject(outcomes.map(() => ({ status: 'rejected', reason: failed })));
  await died;
  expect(await ledger.failed).toMatchObject(failed);
  expect(ledger.health()).toMatchObject({ state: 'failed', error: failed, waitingWrites: 0 });
  await expect(ledger.write({})).rejects.toMatchObject(failed);
  await expect(ledger.findArchived('t')).rejects.toMatchObject(failed);
  await ledger.close();
});

test('OC-LEDGER-2207 a thread that dies while opening gives an error, not a wait', async () => {
  await using file = await temporaryPath();
  const options = { path: file.path, busyTimeoutMs: 0, maxFileBytes: undefined };
  const worker = startLedgerThread(options);
  const opening = ready(worker, file.path, 10_000);
  await Promise.all([
    worker.terminate(),
    expect(opening).rejects.toMatchObject({ code: 'failed' }),
  ]);
});

test('OC-LEDGER-2207 opening that takes too long is given up', async () => {
  await using file = await temporaryPath();
  const options = { path: file.path, busyTimeoutMs: 0, maxFileBytes: undefined };
  await expect(ready(startLedgerThread(options), file.path, 0)).rejects.toMatchObject({
    code: 'failed',
    message: expect.stringContaining('longer than 0 ms') as string,
  });
});
