import { expect, test } from 'vitest';
import { PrefixIndex } from './prefix-index.ts';
import { ReplicaPrefixes, type ExpectedReuse } from './replica-prefixes.ts';
import { Numbering } from './testing/prefix-fixtures.ts';

const TOKENS = 10;

function indexOf(capacities: Readonly<Record<string, number>>) {
  const index = new PrefixIndex();
  const numbering = new Numbering();
  for (const [replicaId, capacity] of Object.entries(capacities)) index.resize(replicaId, capacity);
  const prefixOf = (blocks: string) => numbering.prefixOf(blocks, TOKENS);
  return {
    index,
    prefixOf,
    match: (replicaId: string, blocks: string) => index.match(replicaId, prefixOf(blocks)),
    insert: (replicaId: string, blocks: string): ExpectedReuse => {
      const expected = index.insert(replicaId, prefixOf(blocks));
      if (expected === undefined) throw new Error(`${replicaId} is unknown`);
      return expected;
    },
  };
}

test('a next turn matches all of the turn before on its replica, and nothing elsewhere', () => {
  const { index, prefixOf, insert } = indexOf({ a: 1_000, b: 1_000 });
  insert('a', 'SSuuu');
  insert('b', 'SSxxxx');
  const into = new Map<string, number>();
  index.matchAll(prefixOf('SSuuurrrv'), into);
  expect(into).toEqual(new Map(Object.entries({ a: 50, b: 20 })));
  index.matchAll(prefixOf('other'), into);
  expect(into.size).toBe(0);
});

test('what was used longest ago goes first, and of it the end before the beginning', () => {
  const { match, insert } = indexOf({ a: 100 });
  insert('a', 'aaaaa');
  insert('a', 'bbbb');
  insert('a', 'ccc');
  expect([match('a', 'aaaaa'), match('a', 'bbbb'), match('a', 'ccc')]).toEqual([30, 40, 30]);
  insert('a', 'aa');
  insert('a', 'ddd');
  expect([match('a', 'aaaaa'), match('a', 'bbbb'), match('a', 'ccc')]).toEqual([20, 20, 30]);
});

test('of a prompt larger than the cache the beginning is held', () => {
  const { match, insert } = indexOf({ a: 35 });
  insert('a', 'bb');
  insert('a', 'aaaaaaaa');
  expect([match('a', 'aaaaaaaa'), match('a', 'bb')]).toEqual([30, 0]);
});

test('a lost replica has nothing, and nothing again when it comes back', () => {
  const { index, prefixOf, match, insert } = indexOf({ a: 100 });
  insert('a', 'aaa');
  index.forget('a');
  expect(match('a', 'aaa')).toBe(0);
  expect(index.insert('a', prefixOf('aaa'))).toBeUndefined();
  index.resize('a', 100);
  expect(match('a', 'aaa')).toBe(0);
});

test('a smaller cache keeps what was used last; the same size again changes nothing', () => {
  const { index, match, insert } = indexOf({ a: 100 });
  insert('a', 'aaa');
  insert('a', 'bbb');
  index.resize('a', 100);
  expect(match('a', 'aaa')).toBe(30);
  index.resize('a', 40);
  expect([match('a', 'aaa'), match('a', 'bbb')]).toEqual([10, 30]);
});

test('a capacity that is no number of tokens is refused', () => {
  const index = new PrefixIndex();
  expect(() => index.resize('a', -1)).toThrow(RangeError);
  expect(() => index.resize('a', Number.NaN)).toThrow(RangeError);
});

test('a beginning that has the hash of another does not pass for held without the ones before', () => {
  const replica = new ReplicaPrefixes(1, 100, 1_000);
  replica.insert({ blockTokens: TOKENS, hashes: [1, 2, 3, 4, 5] });
  for (let guess = 0; guess <= 5; guess += 1) {
    expect(replica.depthOf([11, 12, 3, 14, 15], guess)).toBe(0);
    expect(replica.depthOf([1, 12, 3, 14, 15], guess)).toBe(1);
  }
});

/** An engine that caches the prompts it was given last, as many as fit. */
function engine(capacityTokens: number) {
  let held: string[] = [];
  return (blocks: string): number => {
    const cached = held.includes(blocks) ? blocks.length * TOKENS : 0;
    held = [blocks, ...held.filter((other) => other !== blocks)];
    while (held.join('').length * TOKENS > capacityTokens) held.pop();
    return cached;
  };
}

/** Deterministic visits to `count` prompts of 10 blocks, each again after all the others. */
function shareOfTrueExpectations(index: PrefixIndex, real: number, counts: readonly number[]) {
  const run = engine(real);
  const numbering = new Numbering();
  return counts.map((count) => {
    let right = 0;
    for (let visit = 0; visit < 200; visit += 1) {
      const blocks = String.fromCharCode(97 + (visit % count)).repeat(10);
      const expected = index.insert('a', numbering.prefixOf(blocks, TOKENS));
      if (expected === undefined) throw new Error('unknown replica');
      const cached = run(blocks);
      if (cached === expected.tokens) right += 1;
      index.correct('a', expected, cached);
    }
    return right / 200;
  });
}

test('a capacity set too high heals by what the engine reports', () => {
  const index = new PrefixIndex();
  index.resize('a', 10_000);
  // Ten prompts of 100 tokens in turn never fit into 500, so nothing is ever found again.
  const [learning] = shareOfTrueExpectations(index, 500, [10]);
  expect(learning).toBeGreaterThan(0.9);
});

test('a capacity believed too low recovers while expectations are met', () => {
  const index = new PrefixIndex();
  index.resize('a', 1_000);
  const numbering = new Numbering();
  const prefixOf = (blocks: string) => numbering.prefixOf(blocks, TOKENS);
  // Reports of nothing at all, as while an engine flushed its cache.
  for (let visit = 0; visit < 30; visit += 1) {
    const expected = index.insert('a', prefixOf('x'.repeat(40)));
    if (expected !== undefined) index.correct('a', expected, 0);
  }
  const [recovered] = shareOfTrueExpectations(index, 1_000, [10]);
  expect(recovered).toBeGreaterThan(0.5);
});

test('what is missing takes along what was used no later, and nothing used since', () => {
  const { index, match, insert } = indexOf({ a: 1_000 });
  insert('a', 'aaaa');
  insert('a', 'b'.repeat(40));
  index.correct('a', insert('a', 'aa'), 0);
  // Of the 40 blocks the last goes too: in a cache for all of them the other two would have been.
  expect([match('a', 'aaaa'), match('a', 'b'.repeat(40))]).toEqual([20, 390]);
});

test('one report of nothing costs at most an eighth of what is believed', () => {
  const { index, match, insert } = indexOf({ a: 160 });
  insert('a', 'aaaaaaaa');
  insert('a', 'bbbbbbbb');
  index.correct('a', insert('a', 'bbbbbbbb'), 0);
  expect([match('a', 'aaaaaaaa'), match('a', 'bbbbbbbb')]).toEqual([60, 80]);
  // What was learned outlives that the size is set again.
  index.resize('a', 160);
  insert('a', 'cccc');
  expect([match('a', 'aaaaaaaa'), match('a', 'bbbbbbbb')]).toEqual([20, 80]);
});

/** Believed to hold less than its limit of 1,000, after the engine had nothing of 320 tokens. */
function shrunkReplica() {
  const numbering = new Numbering();
  const replica = new ReplicaPrefixes(1, 100, 1_000);
  const insert = (blocks: string) => replica.insert(numbering.prefixOf(blocks, TOKENS));
  insert('a'.repeat(32));
  replica.correct(insert('a'.repeat(32)), 0);
  expect(replica.capacityTokens).toBe(319);
  return { replica, insert };
}

test('finding what is old shows more capacity than finding what has just been used', () => {
  const { replica, insert } = shrunkReplica();
  replica.correct(insert('aa'), 20);
  expect(replica.capacityTokens).toBe(319);
  insert('b'.repeat(16));
  replica.correct(insert('aa'), 20);
  // 160 tokens came since the last use.
  expect(replica.capacityTokens).toBe(319 + 160 / 32);
});

test('finding what was given up shows that the capacity is larger, and at least what was found', () => {
  const { replica, insert } = shrunkReplica();
  replica.correct(insert('bb'), 20);
  expect(replica.capacityTokens).toBe(319 + 9);
  // More of it than the beginning that is believed, however lately that was used.
  replica.correct(insert('bb'), 40);
  expect(replica.capacityTokens).toBe(328 + 10);
  replica.correct(insert('c'.repeat(60)), 600);
  expect(replica.capacityTokens).toBe(600);
  replica.correct(insert('d'.repeat(200)), 2_000);
  expect(replica.capacityTokens).toBe(1_000);
});

test('an answer from before a restart says nothing about the replica since', () => {
  const { index, match, insert } = indexOf({ a: 100 });
  insert('a', 'aaaaa');
  const expected = insert('a', 'aaaaa');
  index.forget('a');
  index.resize('a', 100);
  insert('a', 'bbbbb');
  insert('a', 'ccccc');
  index.correct('a', expected, 0);
  expect([match('a', 'bbbbb'), match('a', 'ccccc')]).toEqual([50, 50]);
});
