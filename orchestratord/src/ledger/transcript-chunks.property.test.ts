import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  entriesAfter,
  mergeRuns,
  newParts,
  packChunk,
  unpackRun,
  type PackedRun,
} from './transcript-chunks.ts';

const chunk = fc.record({
  taskId: fc.constant('t'),
  firstId: fc.integer({ min: 0, max: 40 }),
  entries: fc.array(
    fc.json({ maxDepth: 1 }).map((json) => JSON.stringify(json)),
    {
      minLength: 1,
      maxLength: 12,
    },
  ),
});

/** Adds chunks one by one, as a ledger does. */
function store(chunks: readonly (typeof chunk extends fc.Arbitrary<infer C> ? C : never)[]) {
  let runs: readonly PackedRun[] = [];
  for (const next of chunks) {
    runs = [...runs, ...newParts(packChunk(next), runs)].sort((a, b) => a.firstId - b.firstId);
  }
  return runs;
}

test('OC-LEDGER-2214 any sequence of overlapping chunks keeps the first entry sent for each id', () => {
  fc.assert(
    fc.property(fc.array(chunk, { maxLength: 12 }), (chunks) => {
      const first = new Map<number, string>();
      for (const { firstId, entries } of chunks) {
        for (const [index, text] of entries.entries()) {
          if (!first.has(firstId + index)) first.set(firstId + index, text);
        }
      }
      const expected = [...first].sort(([a], [b]) => a - b).map(([, text]) => text);
      const runs = store(chunks);
      expect(runs.flatMap(unpackRun)).toEqual(expected);
      const ids = runs.flatMap((run) => [run.firstId, run.lastId]);
      expect(ids).toEqual(ids.toSorted((a, b) => a - b));
    }),
  );
});

test('OC-LEDGER-2215 merging keeps every entry, bridges no gap and respects the size of a row', () => {
  fc.assert(
    fc.property(
      fc.array(chunk, { maxLength: 12 }),
      fc.integer({ min: 1, max: 200 }),
      (chunks, max) => {
        const runs = store(chunks);
        const merged = mergeRuns(runs, max);
        expect(merged.flatMap(unpackRun)).toEqual(runs.flatMap(unpackRun));
        const longest = Math.max(0, ...runs.map((run) => run.packed.length));
        for (const run of merged) {
          expect(run.packed.length).toBeLessThanOrEqual(Math.max(max, longest));
        }
        expect(mergeRuns(runs, Infinity).length).toBe(
          runs.filter((run, index) => runs[index - 1]?.lastId !== run.firstId - 1).length,
        );
      },
    ),
  );
});

test('OC-LEDGER-2214 a page holds the entries after the id given, up to the limit', () => {
  const page = fc.tuple(fc.integer({ min: -1, max: 60 }), fc.integer({ min: 0, max: 30 }));
  fc.assert(
    fc.property(fc.array(chunk, { maxLength: 8 }), page, (chunks, [afterId, limit]) => {
      const runs = store(chunks);
      const all = runs.flatMap((run) =>
        unpackRun(run).map((text, index) => ({ id: run.firstId + index, text })),
      );
      const expected = all.filter(({ id }) => id > afterId).slice(0, limit);
      expect(entriesAfter(runs, afterId, limit)).toEqual(expected.map(({ text }) => text));
    }),
  );
});

test('an entry that is not a JSON text is refused, so that ids never shift', () => {
  const run = packChunk({ taskId: 't', firstId: 1, entries: ['"a"', 'b\x1ec'] });
  expect(() => unpackRun(run)).toThrow(expect.objectContaining({ code: 'invalid' }));
});
