/** The promises of the ledger port, tested on every implementation of it. */
import { describe, expect, test } from 'vitest';
import type { ArchivedTask, CommitStats, Ledger, LedgerEvent, SequencedEvent } from './types.ts';

export interface LedgerUnderTest extends AsyncDisposable {
  readonly ledger: Ledger;
  /** Closes the ledger and opens it again on the same storage. */
  reopen(): Promise<Ledger>;
}

export type OpenForTest = (options: { readonly keepEvents?: number }) => Promise<LedgerUnderTest>;

export function event(data: string, taskId?: string): LedgerEvent {
  return { v: 1, type: 'test.event', atMs: 1_700_000_000_000.5, taskId, data };
}

export function archived(taskId: string, acceptedSeq: number, rest: Partial<ArchivedTask> = {}) {
  return {
    taskId,
    acceptedSeq,
    endedAtMs: 1_000 + acceptedSeq,
    tenantId: 'default',
    poolId: 'default',
    priority: 'interactive',
    sessionId: undefined,
    state: 'completed',
    view: `{"task_id":"${taskId}"}`,
    ...rest,
  } satisfies ArchivedTask;
}

export function entry(id: number, text = 'token'): string {
  return JSON.stringify({ id, text });
}

export async function collect<T>(items: AsyncIterable<T>): Promise<readonly T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

const dataOf = (events: readonly SequencedEvent[]) => events.map(({ data }) => data);
const idsOf = (tasks: readonly ArchivedTask[]) => tasks.map(({ taskId }) => taskId);
const entries = (from: number, to: number, text?: string) =>
  Array.from({ length: to - from + 1 }, (_, index) => entry(from + index, text));

export function describeLedger(name: string, open: OpenForTest): void {
  describe(name, () => {
    test('OC-LEDGER-2201 what was written is there after a reopen, unchanged', async () => {
      await using under = await open({});
      await under.ledger.write({ events: [event('{"a":"é😀\\u0000"}', 'task-1'), event('[]')] });
      const ledger = await under.reopen();
      expect(await ledger.readEvents(0, 10)).toEqual([
        { seq: 1, ...event('{"a":"é😀\\u0000"}', 'task-1') },
        { seq: 2, ...event('[]') },
      ]);
      expect(ledger.lastSeq).toBe(2);
    });

    test('OC-LEDGER-2203 seqs follow the order of calls without a gap', async () => {
      await using under = await open({});
      const { ledger } = under;
      const batches = Array.from({ length: 300 }, (_, n) => [event(`${n}a`), event(`${n}b`)]);
      await Promise.all(batches.map((events) => ledger.write({ events })));
      const stored = await ledger.readEvents(0, 1_000);
      expect(dataOf(stored)).toEqual(batches.flat().map(({ data }) => data));
      expect(stored.map(({ seq }) => seq)).toEqual(stored.map((_, index) => index + 1));
      expect(ledger.lastSeq).toBe(600);
    });

    test('OC-LEDGER-2204 what one turn writes is one commit', async () => {
      await using under = await open({});
      const commits: CommitStats[] = [];
      under.ledger.onCommit((stats) => commits.push(stats));
      const events = [event('1')];
      await Promise.all(Array.from({ length: 20 }, () => under.ledger.write({ events })));
      expect(commits.map((stats) => stats.events)).toEqual([20]);
    });

    test('an empty write resolves and changes nothing', async () => {
      await using under = await open({});
      await under.ledger.write({});
      const chunk = { taskId: 't', firstId: 1, entries: [] };
      await under.ledger.write({ events: [], transcripts: [chunk], archive: [] });
      expect(under.ledger.lastSeq).toBe(0);
    });

    test('OC-LEDGER-2211 recovery of a new ledger is empty', async () => {
      await using under = await open({});
      const { snapshot, events } = await under.ledger.recover();
      expect(snapshot).toBeUndefined();
      expect(await collect(events)).toEqual([]);
    });

    test('OC-LEDGER-2211 recovery gives the snapshot and exactly the events after it', async () => {
      await using under = await open({});
      const { ledger } = under;
      await ledger.write({ events: [event('1'), event('2')] });
      await ledger.snapshot('{"state":"old"}');
      const before = ledger.write({ events: [event('3')] });
      const snapshot = ledger.snapshot('{"state":"new"}');
      const after = ledger.write({ events: [event('4'), event('5')] });
      await Promise.all([before, snapshot, after]);

      const recovery = await (await under.reopen()).recover();
      expect(recovery.snapshot).toBe('{"state":"new"}');
      expect(dataOf(await collect(recovery.events))).toEqual(['4', '5']);
    });

    test('OC-LEDGER-2211 recovery reads more events than fit one page', async () => {
      await using under = await open({});
      const all = Array.from({ length: 2_500 }, (_, n) => event(String(n)));
      await under.ledger.write({ events: all });
      const recovery = await (await under.reopen()).recover();
      expect(dataOf(await collect(recovery.events))).toEqual(all.map(({ data }) => data));
    });

    test('OC-LEDGER-2212 a snapshot lets go of all but the newest events', async () => {
      await using under = await open({ keepEvents: 3 });
      const { ledger } = under;
      await ledger.write({ events: Array.from({ length: 5_000 }, (_, n) => event(String(n))) });
      await ledger.snapshot('{}');
      expect(dataOf(await ledger.readEvents(0, 10))).toEqual(['4997', '4998', '4999']);
    });

    test('OC-LEDGER-2212 no event after the snapshot is dropped', async () => {
      await using under = await open({ keepEvents: 0 });
      const { ledger } = under;
      await ledger.write({ events: [event('1')] });
      const snapshot = ledger.snapshot('{}');
      const after = ledger.write({ events: [event('2')] });
      await Promise.all([snapshot, after]);
      expect(dataOf(await ledger.readEvents(0, 10))).toEqual(['2']);
    });

    test('OC-LEDGER-2213 numbering goes on after a reopen when every event was dropped', async () => {
      await using under = await open({ keepEvents: 0 });
      await under.ledger.write({ events: [event('1'), event('2')] });
      await under.ledger.snapshot('{}');
      const ledger = await under.reopen();
      expect(await ledger.readEvents(0, 10)).toEqual([]);
      expect(ledger.lastSeq).toBe(2);
      await ledger.write({ events: [event('3')] });
      expect(await ledger.readEvents(0, 10)).toEqual([{ seq: 3, ...event('3') }]);
    });

    test('a page of events starts after the seq given and ends at the limit', async () => {
      await using under = await open({});
      await under.ledger.write({ events: ['1', '2', '3', '4'].map((data) => event(data)) });
      expect(dataOf(await under.ledger.readEvents(1, 2))).toEqual(['2', '3']);
      expect(await under.ledger.readEvents(4, 2)).toEqual([]);
    });

    test('OC-LEDGER-2214 a log is read in pages across its chunks', async () => {
      await using under = await open({});
      const { ledger } = under;
      await ledger.write({
        transcripts: [
          { taskId: 't', firstId: 1, entries: entries(1, 3) },
          { taskId: 'other', firstId: 1, entries: entries(1, 9, 'other') },
          { taskId: 't', firstId: 4, entries: entries(4, 6) },
        ],
      });
      expect(await ledger.readTranscript('t', 0, 100)).toEqual(entries(1, 6));
      expect(await ledger.readTranscript('t', 1, 3)).toEqual(entries(2, 4));
      expect(await ledger.readTranscript('t', 6, 3)).toEqual([]);
      expect(await ledger.readTranscript('t', 0, 0)).toEqual([]);
      expect(await ledger.readTranscript('nobody', 0, 3)).toEqual([]);
    });

    test('OC-LEDGER-2214 entries stored already win over entries sent again', async () => {
      await using under = await open({});
      const write = (firstId: number, lastId: number, text: string) =>
        under.ledger.write({
          transcripts: [{ taskId: 't', firstId, entries: entries(firstId, lastId, text) }],
        });
      await write(1, 3, 'first');
      await write(6, 6, 'first');
      await write(2, 8, 'again');
      await write(1, 9, 'third');
      expect(await under.ledger.readTranscript('t', 0, 100)).toEqual([
        ...entries(1, 3, 'first'),
        ...entries(4, 5, 'again'),
        ...entries(6, 6, 'first'),
        ...entries(7, 8, 'again'),
        ...entries(9, 9, 'third'),
      ]);
    });

    test('OC-LEDGER-2202 a batch that cannot be stored leaves nothing behind', async () => {
      await using under = await open({});
      const { ledger } = under;
      const bad = ledger.write({
        events: [event('lost')],
        transcripts: [
          { taskId: 't', firstId: 1, entries: entries(1, 2) },
          { taskId: 't', firstId: 3, entries: ['not JSON \x1e text'] },
        ],
        archive: [archived('t', 1)],
      });
      const good = ledger.write({ events: [event('kept')] });
      await expect(bad).rejects.toMatchObject({ name: 'LedgerError', code: 'invalid' });
      await good;
      expect(await ledger.readEvents(0, 10)).toEqual([{ seq: 1, ...event('kept') }]);
      expect(await ledger.readTranscript('t', 0, 10)).toEqual([]);
      expect(await ledger.findArchived('t')).toBeUndefined();
      expect(ledger.health().state).toBe('ok');
    });

    test('OC-LEDGER-2215 an archived task is found again, with its whole log', async () => {
      await using under = await open({});
      const { ledger } = under;
      const task = archived('t', 1, { sessionId: 's' });
      await ledger.write({ transcripts: [{ taskId: 't', firstId: 1, entries: entries(1, 2) }] });
      await ledger.write({
        transcripts: [{ taskId: 't', firstId: 3, entries: entries(3, 4) }],
        archive: [task, archived('u', 2)],
      });
      const reopened = await under.reopen();
      expect(await reopened.findArchived('t')).toEqual(task);
      expect(await reopened.findArchived('u')).toEqual(archived('u', 2));
      expect(await reopened.findArchived('v')).toBeUndefined();
      expect(await reopened.readTranscript('t', 1, 2)).toEqual(entries(2, 3));
    });

    test('OC-LEDGER-2215 a task archived again replaces its record', async () => {
      await using under = await open({});
      await under.ledger.write({ archive: [archived('t', 1)] });
      await under.ledger.write({ archive: [archived('t', 1, { state: 'failed', view: '{}' })] });
      expect(await under.ledger.listArchived({}, undefined, 10)).toEqual([
        archived('t', 1, { state: 'failed', view: '{}' }),
      ]);
    });

    test('OC-LEDGER-2216 finished tasks are listed newest first, filtered and in pages', async () => {
      await using under = await open({});
      const { ledger } = under;
      await ledger.write({
        archive: [
          archived('a', 1, { tenantId: 'x', state: 'failed' }),
          archived('c', 3, { tenantId: 'x', sessionId: 's' }),
          archived('b', 2, { tenantId: 'x', priority: 'batch' }),
          archived('d', 4, { tenantId: 'y', sessionId: 's', priority: 'batch' }),
        ],
      });
      const list = async (filter: Parameters<Ledger['listArchived']>[0], before?: number) =>
        idsOf(await ledger.listArchived(filter, before, 3));
      expect(await list({})).toEqual(['d', 'c', 'b']);
      expect(await list({}, 2)).toEqual(['a']);
      expect(await list({ tenantId: 'x' })).toEqual(['c', 'b', 'a']);
      expect(await list({ state: 'failed' })).toEqual(['a']);
      expect(await list({ sessionId: 's' })).toEqual(['d', 'c']);
      expect(await list({ priority: 'batch' }, 4)).toEqual(['b']);
      expect(await list({ tenantId: 'x', state: 'completed', priority: 'batch' })).toEqual(['b']);
      expect(await list({ tenantId: 'x', sessionId: 's' })).toEqual(['c']);
      expect(await list({ tenantId: 'z' })).toEqual([]);
    });

    test('OC-LEDGER-2217 a sweep deletes what is too old or too many, with its log', async () => {
      await using under = await open({});
      const { ledger } = under;
      for (let n = 1; n <= 200; n += 1) {
        void ledger.write({
          transcripts: [{ taskId: `t${n}`, firstId: 1, entries: entries(1, 2) }],
          archive: [archived(`t${n}`, n, { endedAtMs: n * 10 })],
        });
      }
      const live = { taskId: 'live', firstId: 1, entries: entries(1, 1) };
      await ledger.write({ transcripts: [live] });
      expect(await ledger.sweep({ maxAgeMs: 1_000, maxTasks: 1_000 }, 2_000)).toBe(99);
      expect(await ledger.findArchived('t99')).toBeUndefined();
      expect(await ledger.readTranscript('t99', 0, 10)).toEqual([]);
      expect(await ledger.findSwept('t99')).toBe(archived('t99', 99).tenantId);
      expect(await ledger.findSwept('t100')).toBeUndefined();
      expect(await ledger.findArchived('t100')).toBeDefined();
      expect(await ledger.sweep({ maxAgeMs: 1_000, maxTasks: 2 }, 2_000)).toBe(99);
      expect(idsOf(await ledger.listArchived({}, undefined, 10))).toEqual(['t200', 't199']);
      expect(await ledger.readTranscript('t200', 0, 10)).toEqual(entries(1, 2));
      expect(await ledger.readTranscript('live', 0, 10)).toEqual(entries(1, 1));
      expect(await ledger.sweep({ maxAgeMs: 1_000, maxTasks: 2 }, 2_000)).toBe(0);
    });

    test('OC-LEDGER-2219 closing commits what waits, and twice is once', async () => {
      await using under = await open({});
      const { ledger } = under;
      const writes = ['1', '2', '3'].map((data) => ledger.write({ events: [event(data)] }));
      await Promise.all([ledger.close(), ledger.close()]);
      await Promise.all(writes);
      expect(ledger.health().state).toBe('closed');
      const closed = { name: 'LedgerError', code: 'closed' };
      await expect(ledger.write({ events: [event('4')] })).rejects.toMatchObject(closed);
      await expect(ledger.readEvents(0, 1)).rejects.toMatchObject(closed);
      await expect(ledger.snapshot('{}')).rejects.toMatchObject(closed);
      expect(dataOf(await (await under.reopen()).readEvents(0, 10))).toEqual(['1', '2', '3']);
    });
  });
}
