import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Op } from './testing/core-world.ts';
import { durableJson, World } from './testing/core-world.ts';

const pick = fc.nat(30);
const replicaId = fc.constantFrom('r1', 'r2', 'r3');

const admit = fc.record({
  kind: fc.constant('admit' as const),
  task: fc.record({
    priority: fc.constantFrom('interactive' as const, 'batch' as const),
    rerunnable: fc.boolean(),
    sessionId: fc.constantFrom(undefined, undefined, 'x', 'y', 'z'),
    kvHint: fc.constantFrom('reuse' as const, 'cold' as const),
  }),
});
const report = fc.record({
  kind: fc.constantFrom('finish' as const, 'progress' as const, 'stale' as const),
  pick,
});
const fail = fc.record({
  kind: fc.constant('fail' as const),
  pick,
  retriable: fc.boolean(),
  sent: fc.boolean(),
});
const replica = fc.record({
  kind: fc.constant('replica' as const),
  replica: fc.record({
    replicaId,
    setId: fc.constantFrom('s', 's', 's', 'other'),
    slots: fc.integer({ min: 1, max: 3 }),
    ready: fc.constantFrom(true, true, false),
  }),
});
const pool = fc.record({
  kind: fc.constant('pool' as const),
  pool: fc.record({
    capacity: fc.nat(6),
    classCapacity: fc.constantFrom({}, { batch: 2 }, { interactive: 1, batch: 4 }),
    fullPolicy: fc.constantFrom(
      'reject' as const,
      'drop-lru' as const,
      'shed-low-priority' as const,
    ),
    maxAttempts: fc.integer({ min: 1, max: 3 }),
    wallMs: fc.constantFrom(2_000, 8_000),
    idleMs: fc.constantFrom(500, 4_000),
  }),
});
const rare: fc.Arbitrary<Op> = fc.oneof(
  fc.record({ kind: fc.constant('gone' as const), replicaId }),
  fc.record({ kind: fc.constant('drain' as const), ms: fc.nat(2_000) }),
  fc.record({ kind: fc.constantFrom('undrain' as const, 'delete-session' as const) }),
  fc.record({ kind: fc.constant('undrain' as const) }),
  fc.record({ kind: fc.constant('availability' as const), recoverable: fc.boolean() }),
  fc.record({ kind: fc.constant('crash' as const), fromSnapshot: fc.boolean() }),
  pool,
);
const op: fc.Arbitrary<Op> = fc.oneof(
  { weight: 8, arbitrary: admit },
  { weight: 6, arbitrary: report },
  { weight: 2, arbitrary: fail },
  { weight: 3, arbitrary: replica },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('cancel' as const), pick }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('advance' as const), ms: fc.nat(1_500) }),
  },
  { weight: 2, arbitrary: rare },
);
const ops = fc.array(op, { maxLength: 80, size: 'max' });

function worldAfter(steps: readonly Op[]): World {
  const world = new World();
  for (const step of steps) world.run(step);
  return world;
}

test('ORCH-3004 ORCH-3017 ORCH-3026 OC-CORE-1001 OC-CORE-1004 OC-CORE-1010 whatever happens, the promises hold', () => {
  fc.assert(
    fc.property(ops, (steps) => worldAfter(steps).settle()),
    { numRuns: 300 },
  );
});

test('OC-CORE-1031 folding the ledger gives the state that wrote it, from a snapshot as well', () => {
  fc.assert(
    fc.property(ops, fc.boolean(), (steps, fromSnapshot) => {
      const world = worldAfter(steps);
      expect(durableJson(world.rebuilt(fromSnapshot))).toEqual(durableJson(world.core));
    }),
    { numRuns: 200 },
  );
});

test('OC-CORE-1030 the same commands at the same times give the same events and effects', () => {
  fc.assert(
    fc.property(ops, (steps) => {
      const [first, second] = [worldAfter(steps), worldAfter(steps)];
      expect(second.log).toEqual(first.log);
      expect(second.effects).toEqual(first.effects);
    }),
    { numRuns: 50 },
  );
});
