/** The SQLite ledger against the memory ledger: the same calls must give the same answers. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { archived, collect, entry, event } from './ledger-suite.ts';
import { openMemoryForTest, openSqliteForTest } from './temporary-ledger.ts';
import type { Ledger, WriteBatch } from './types.ts';

const TASKS = ['t0', 't1', 't2', 't3'];
const task = fc.constantFrom(...TASKS);

const chunk = fc.record({
  taskId: task,
  firstId: fc.integer({ min: 0, max: 20 }),
  // An entry with a separator makes its whole batch invalid.
  entries: fc.array(
    fc.oneof(
      { weight: 30, arbitrary: fc.nat({ max: 99 }).map((id) => entry(id)) },
      { weight: 1, arbitrary: fc.constant('\x1e') },
    ),
    { maxLength: 6 },
  ),
});

const archivedTask = fc
  .record({
    taskId: task,
    endedAtMs: fc.integer({ min: 0, max: 100 }),
    tenantId: fc.constantFrom('x', 'y'),
    priority: fc.constantFrom('interactive', 'batch'),
    sessionId: fc.option(fc.constantFrom('s1', 's2'), { nil: undefined }),
    state: fc.constantFrom('completed', 'failed'),
  })
  .map((rest) => archived(rest.taskId, TASKS.indexOf(rest.taskId) + 1, rest));

const batch: fc.Arbitrary<WriteBatch> = fc.record(
  {
    events: fc.array(
      fc.string({ unit: 'grapheme' }).map((data) => event(data)),
      { maxLength: 4 },
    ),
    transcripts: fc.array(chunk, { maxLength: 3 }),
    archive: fc.array(archivedTask, { maxLength: 2 }),
  },
  { requiredKeys: [] },
);

const filter = fc.record(
  {
    tenantId: fc.constantFrom('x', 'y'),
    state: fc.constantFrom('completed', 'failed'),
    sessionId: fc.constantFrom('s1', 's2'),
    priority: fc.constantFrom('interactive', 'batch'),
  },
  { requiredKeys: [] },
);

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('write' as const), batches: fc.array(batch) }),
  },
  fc.record({ do: fc.constant('snapshot' as const), state: fc.string() }),
  fc.record({
    do: fc.constant('sweep' as const),
    maxAgeMs: fc.integer({ min: 0, max: 100 }),
    maxTasks: fc.integer({ min: 0, max: 5 }),
  }),
  fc.record({ do: fc.constant('reopen' as const) }),
  fc.record({
    do: fc.constant('list' as const),
    filter,
    before: fc.option(fc.integer({ min: 0, max: 6 }), { nil: undefined }),
    limit: fc.integer({ min: 0, max: 5 }),
  }),
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

async function perform(ledger: Ledger, next: Step): Promise<unknown> {
  switch (next.do) {
    case 'write': {
      const writes = next.batches.map((each) => ledger.write(each));
      return (await Promise.allSettled(writes)).map(({ status }) => status);
    }
    case 'snapshot':
      return ledger.snapshot(next.state);
    case 'sweep':
      return ledger.sweep(next, 100);
    case 'list':
      return ledger.listArchived(next.filter, next.before, next.limit);
    case 'reopen': {
      const { snapshot, events } = await ledger.recover();
      return { snapshot, events: await collect(events) };
    }
  }
}

async function everything(ledger: Ledger): Promise<unknown> {
  return {
    lastSeq: ledger.lastSeq,
    events: await ledger.readEvents(0, 1_000),
    archive: await ledger.listArchived({}, undefined, 100),
    logs: await Promise.all(TASKS.map((taskId) => ledger.readTranscript(taskId, -1, 1_000))),
    found: await Promise.all(TASKS.map((taskId) => ledger.findArchived(taskId))),
  };
}

test('OC-LEDGER-2201 OC-LEDGER-2202 OC-LEDGER-2203 any run of calls and reopens gives what the model gives', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 1, maxLength: 25 }),
      fc.integer({ min: 0, max: 6 }),
      async (steps, keepEvents) => {
        await using sqlite = await openSqliteForTest({ keepEvents });
        await using memory = await openMemoryForTest({ keepEvents });
        for (const next of steps) {
          if (next.do === 'reopen') await Promise.all([sqlite.reopen(), memory.reopen()]);
          expect(await perform(sqlite.ledger, next)).toEqual(await perform(memory.ledger, next));
        }
        expect(await everything(sqlite.ledger)).toEqual(await everything(memory.ledger));
      },
    ),
    { numRuns: 25 },
  );
}, 120_000);
