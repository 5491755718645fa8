import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { archived, entry, event } from './ledger-suite.ts';
import { listStatement } from './sqlite-archive.ts';
import { MIGRATIONS } from './sqlite-schema.ts';
import { openSqliteStore } from './sqlite-store.ts';
import { temporaryPath } from './temporary-ledger.ts';
import type { TaskFilter, WriteBatch } from './types.ts';
import { decodeGroup, encodeBatch, type Wire } from './wire.ts';

const KEYS: readonly (keyof TaskFilter)[] = ['tenantId', 'state', 'sessionId', 'priority'];
const COMBINATIONS = Array.from({ length: 2 ** KEYS.length }, (_, bits) =>
  KEYS.filter((_key, position) => bits & (1 << position)),
);

function group(...batches: readonly WriteBatch[]) {
  const wire: Wire = [];
  for (const batch of batches) encodeBatch(wire, batch);
  return decodeGroup(wire);
}

async function openStore() {
  const file = await temporaryPath();
  const store = openSqliteStore({ path: file.path, busyTimeoutMs: 0, maxFileBytes: undefined });
  return {
    store,
    path: file.path,
    async [Symbol.asyncDispose]() {
      store.close();
      await file[Symbol.asyncDispose]();
    },
  };
}

test.each(COMBINATIONS)(
  'OC-LEDGER-2216 listing by %s %s %s %s seeks in an index and sorts nothing',
  (...keys) => {
    const db = new DatabaseSync(':memory:');
    for (const migration of MIGRATIONS) db.exec(migration);
    const filters = keys.filter((key) => key !== undefined);
    const plan = db.prepare(`EXPLAIN QUERY PLAN ${listStatement(filters)}`);
    const values = [...filters.map(() => 'x'), 1, 1];
    const steps = plan.all(...values).map((row) => String(row['detail']));
    expect(steps).toEqual([expect.stringMatching(/^SEARCH archive USING INDEX archive_by_/)]);
    db.close();
  },
);

test('OC-LEDGER-2215 archiving merges the chunks of a log into one row', async () => {
  const file = await temporaryPath();
  const store = openSqliteStore({ path: file.path, busyTimeoutMs: 0, maxFileBytes: undefined });
  const chunk = (firstId: number) => ({ taskId: 't', firstId, entries: [entry(firstId)] });
  store.commitGroup(group({ transcripts: [chunk(1), chunk(2)] }, { transcripts: [chunk(3)] }));
  store.commitGroup(group({ archive: [archived('t', 1)] }));
  store.close();
  const db = new DatabaseSync(file.path);
  expect(db.prepare('SELECT task_id, first_id, last_id FROM transcript').all()).toEqual([
    { task_id: 't', first_id: 1, last_id: 3 },
  ]);
  db.close();
  await file[Symbol.asyncDispose]();
});

test('OC-LEDGER-2206 every item at fault in a group is refused by its position', async () => {
  await using opened = await openStore();
  const good = { events: [event('good')] };
  const bad = { events: [event('bad'), { ...event('bad'), v: NaN }] };
  const result = opened.store.commitGroup(group(bad, good, good, bad, good, bad));
  expect(result).toMatchObject({ lastSeq: 3, events: 3 });
  expect(result.refusals.map(({ index, code }) => [index, code])).toEqual([
    [0, 'invalid'],
    [3, 'invalid'],
    [5, 'invalid'],
  ]);
  expect(opened.store.readEvents(0, 10).map(({ data }) => data)).toEqual(['good', 'good', 'good']);
});

test('OC-LEDGER-2222 a refusal never quotes what was written', async () => {
  await using opened = await openStore();
  const secret = { ...event('a secret prompt'), v: 1.5, type: 'a secret type' };
  const { refusals } = opened.store.commitGroup(group({ events: [secret] }));
  expect(refusals).toHaveLength(1);
  expect(refusals[0]?.message).not.toContain('secret');
});

test('OC-LEDGER-2217 a sweep works in steps, so that commits come in between', async () => {
  await using opened = await openStore();
  const tasks = Array.from({ length: 200 }, (_, n) => archived(`t${n}`, n + 1));
  opened.store.commitGroup(group({ archive: tasks }));
  const policy = { maxAgeMs: Infinity, maxTasks: 0 };
  const first = opened.store.sweepArchive(policy, 0);
  expect(first.done).toBe(false);
  expect(first.removed).toBeGreaterThan(0);
  expect(first.removed).toBeLessThanOrEqual(64);
});

test('OC-LEDGER-2212 old events go in steps, so that commits come in between', async () => {
  await using opened = await openStore();
  const { store } = opened;
  store.commitGroup(group({ events: Array.from({ length: 4_500 }, () => event('x')) }));
  store.commitGroup([{ events: [], chunks: [], archive: [], snapshot: '{}', probe: false }]);
  expect([1, 2, 3, 4].map(() => store.pruneEvents(0))).toEqual([
    { removed: 2_000, done: false },
    { removed: 2_000, done: false },
    { removed: 500, done: true },
    { removed: 0, done: true },
  ]);
});

test('a page of events ends early when its data is large', async () => {
  await using opened = await openStore();
  const large = event('x'.repeat(3 * 1024 * 1024));
  opened.store.commitGroup(group({ events: [large, large, large] }));
  expect(opened.store.readEvents(0, 10).map(({ seq }) => seq)).toEqual([1, 2]);
  expect(opened.store.readEvents(2, 10).map(({ seq }) => seq)).toEqual([3]);
});
