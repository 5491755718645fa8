import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PrefixIndex, type PrefixHits } from './prefix-index.ts';
import { blocksUpTo, tokensUpTo } from './prompt-prefix.ts';
import { ReplicaPrefixes, type ExpectedReuse } from './replica-prefixes.ts';
import { NaivePrefixes, Numbering, someBlocks, type Blocks } from './testing/prefix-fixtures.ts';

const MAX_ENTRIES = 150;
const REPLICAS = ['r-0', 'r-1', 'r-2'];
const capacities = fc.integer({ min: 0, max: 600 });
const replicaIds = fc.constantFrom(...REPLICAS);

interface Dispatch {
  readonly replicaId: string;
  readonly real: ExpectedReuse;
  readonly naive: { tokens: number; lastUse: number; asOf: number };
  /** The naive replica it was made on: a restart makes another. */
  readonly on: NaivePrefixes;
}

interface Model {
  readonly replicas: Map<string, NaivePrefixes>;
  readonly numbering: Numbering;
  readonly dispatches: Dispatch[];
  /** What is kept of prompts that were looked for. */
  readonly found: { readonly blocks: Blocks; readonly hits: PrefixHits }[];
}

type IndexCommand = fc.Command<Model, PrefixIndex>;
const always = () => true;

const command = (name: string, run: IndexCommand['run']): IndexCommand => ({
  check: always,
  run,
  toString: () => name,
});

const resize = (replicaId: string, limit: number) =>
  command(`resize ${replicaId} ${limit}`, ({ replicas }, index) => {
    index.resize(replicaId, limit);
    const known = replicas.get(replicaId);
    if (known === undefined) replicas.set(replicaId, new NaivePrefixes(MAX_ENTRIES, limit));
    else known.resize(limit);
  });

const forget = (replicaId: string) =>
  command(`forget ${replicaId}`, ({ replicas }, index) => {
    index.forget(replicaId);
    replicas.delete(replicaId);
  });

const insert = (replicaId: string, blocks: Blocks) =>
  command(`insert ${replicaId} ${blocks}`, ({ replicas, numbering, dispatches }, index) => {
    const prefix = numbering.prefixOf(blocks);
    const real = index.insert(replicaId, prefix);
    const on = replicas.get(replicaId);
    const naive = on?.insert(prefix);
    expect(real?.tokens).toBe(naive?.tokens);
    if (real === undefined || on === undefined || naive === undefined) return;
    dispatches.push({ replicaId, real, naive, on });
  });

const correct = (pick: number, share: number) =>
  command(`correct ${pick} ${share}`, ({ replicas, dispatches }, index) => {
    const dispatch = dispatches[pick % Math.max(1, dispatches.length)];
    if (dispatch === undefined) return;
    const cached = Math.round(dispatch.real.tokens * share) + (share > 1 ? 3 : 0);
    index.correct(dispatch.replicaId, dispatch.real, cached);
    if (replicas.get(dispatch.replicaId) === dispatch.on) {
      dispatch.on.correct(dispatch.naive, cached);
    }
  });

const match = (blocks: Blocks) =>
  command(`match ${blocks}`, ({ replicas, numbering, found }, index) => {
    const prefix = numbering.prefixOf(blocks);
    const into = new Map([['left over', 1]]);
    index.matchAll(prefix, into);
    const wanted = [...replicas]
      .map(([replicaId, naive]) => [replicaId, naive.match(prefix)] as const)
      .filter(([, tokens]) => tokens > 0);
    expect(into).toEqual(new Map(wanted));
    found.push({ blocks, hits: { asOf: -Infinity, tokens: into } });
    for (const replicaId of REPLICAS) {
      expect(index.match(replicaId, prefix)).toBe(replicas.get(replicaId)?.match(prefix) ?? 0);
    }
  });

const refresh = (pick: number) =>
  command(`refresh ${pick}`, ({ replicas, numbering, found }, index) => {
    const known = found.at(-1 - (pick % Math.max(1, found.length)));
    if (known === undefined) return;
    const prefix = numbering.prefixOf(known.blocks);
    index.refresh(prefix, known.hits);
    const wanted = [...replicas]
      .map(([replicaId, naive]) => [replicaId, naive.match(prefix)] as const)
      .filter(([, tokens]) => tokens > 0);
    expect(known.hits.tokens).toEqual(new Map(wanted));
  });

test('the index believes of every replica what a plain list of its prompts says', () => {
  const commands = fc.commands(
    [
      fc.tuple(replicaIds, capacities).map(([id, limit]) => resize(id, limit)),
      replicaIds.map(forget),
      fc.tuple(replicaIds, someBlocks).map(([id, blocks]) => insert(id, blocks)),
      fc.tuple(replicaIds, someBlocks).map(([id, blocks]) => insert(id, blocks)),
      fc
        .tuple(fc.nat(50), fc.constantFrom(0, 0.5, 0.8, 1, 1.5))
        .map(([n, share]) => correct(n, share)),
      someBlocks.map(match),
      fc.nat(5).map(refresh),
    ],
    { maxCommands: 60, size: 'max' },
  );
  fc.assert(
    fc.property(commands, (steps) => {
      fc.modelRun(() => {
        const real = new PrefixIndex(MAX_ENTRIES);
        const replicas: Model['replicas'] = new Map();
        for (const replicaId of REPLICAS) {
          real.resize(replicaId, 300);
          replicas.set(replicaId, new NaivePrefixes(MAX_ENTRIES, 300));
        }
        return { model: { replicas, numbering: new Numbering(), dispatches: [], found: [] }, real };
      }, steps);
    }),
    { numRuns: 300 },
  );
});

const prompts = fc.array(someBlocks, { minLength: 1, maxLength: 30 });

test('a match is never longer than the longest beginning shared with a prompt given before', () => {
  fc.assert(
    fc.property(prompts, someBlocks, capacities, (given, asked, capacity) => {
      const numbering = new Numbering();
      const replica = new ReplicaPrefixes(1, MAX_ENTRIES, capacity);
      for (const blocks of given) replica.insert(numbering.prefixOf(blocks));
      const longest = Math.max(...given.map((blocks) => sharedLength(blocks, asked)));
      expect(blocksUpTo(replica.depthOf(numbering.prefixOf(asked).hashes, 0))).toBeLessThanOrEqual(
        longest,
      );
    }),
  );
});

test('a prompt just given is held in full, or as far as it fits', () => {
  fc.assert(
    fc.property(prompts, capacities, (given, capacity) => {
      const numbering = new Numbering();
      const replica = new ReplicaPrefixes(1, MAX_ENTRIES, capacity);
      for (const blocks of given) {
        const prefix = numbering.prefixOf(blocks);
        replica.insert(prefix);
        const fitting = prefix.hashes.filter((_, at) => tokensUpTo(prefix, at + 1) <= capacity);
        expect(replica.depthOf(prefix.hashes, 0)).toBe(Math.min(fitting.length, MAX_ENTRIES));
      }
    }),
  );
});

test('a search finds what a walk finds, wherever it starts', () => {
  fc.assert(
    fc.property(prompts, someBlocks, capacities, fc.nat(200), (given, asked, capacity, guess) => {
      const numbering = new Numbering();
      const replica = new ReplicaPrefixes(1, MAX_ENTRIES, capacity);
      const naive = new NaivePrefixes(MAX_ENTRIES, capacity);
      for (const blocks of given) {
        replica.insert(numbering.prefixOf(blocks));
        naive.insert(numbering.prefixOf(blocks));
      }
      const prefix = numbering.prefixOf(asked);
      const depth = replica.depthOf(prefix.hashes, guess);
      expect(tokensUpTo(prefix, depth)).toBe(naive.match(prefix));
    }),
  );
});

test('the bounds hold for any hashes: colliding, repeated, under changing estimates', () => {
  const anything = fc.record({
    blockTokens: fc.double({ min: 0, max: 20, noNaN: true }),
    hashes: fc.array(fc.integer({ min: -9, max: 9 }), { maxLength: 40 }),
  });
  const bound = fc.record({ entries: fc.integer({ min: 1, max: 12 }), capacity: capacities });
  const reports = fc.array(fc.nat(200), { minLength: 60, maxLength: 60 });
  fc.assert(
    fc.property(fc.array(anything, { maxLength: 60 }), bound, reports, (given, max, cached) => {
      const replica = new ReplicaPrefixes(1, max.entries, max.capacity);
      for (const [at, prefix] of given.entries()) {
        const expected = replica.insert(prefix);
        expect(replica.size).toBeLessThanOrEqual(max.entries);
        expect(replica.tokens).toBeLessThanOrEqual(replica.capacityTokens);
        expect(replica.depthOf(prefix.hashes, 7)).toBeLessThanOrEqual(prefix.hashes.length);
        replica.correct(expected, cached[at] ?? 0);
        expect(replica.tokens).toBeLessThanOrEqual(replica.capacityTokens);
        expect(replica.capacityTokens).toBeLessThanOrEqual(max.capacity);
      }
    }),
  );
});

function sharedLength(a: Blocks, b: Blocks): number {
  let length = 0;
  while (length < Math.min(a.length, b.length) && a[length] === b[length]) length += 1;
  return length;
}
