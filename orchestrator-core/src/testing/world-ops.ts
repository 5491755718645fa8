/** Random operations on a `World`, and the replicas on which everything it accepts can end. */
import fc from 'fast-check';
import { WORLD_CTX, WORLD_SESSIONS, type Op } from './core-world.ts';
import { aReplica } from './fixtures.ts';
import { Numbering } from './prefix-fixtures.ts';

const pick = fc.nat(30);
const replicaId = fc.constantFrom('r1', 'r2', 'r3');
const tenantId = fc.constantFrom('t', 't', 'u', 'v');
const zone = fc.constantFrom('east', 'west');
const device = fc.constantFrom('cpu', 'gpu0');

const numbering = new Numbering();
const prefixes = ['a'.repeat(40), 'a'.repeat(20) + 'b'.repeat(60), 'c'.repeat(8)].map((blocks) =>
  numbering.prefixOf(blocks, 40),
);
const placement = fc.record(
  {
    labels: fc.record({ zone }),
    devices: fc.constantFrom(['cpu'], ['gpu0'], ['cpu', 'gpu0']),
    antiAffinity: fc.constantFrom('k1', 'k2'),
    notOn: replicaId,
  },
  { requiredKeys: [] },
);
/** Always of the set `s`, so that what is bound to it can end there. */
const LONE = 'lone';
const admit = fc.record({
  kind: fc.constant('admit' as const),
  task: fc.record({
    tenantId,
    priority: fc.constantFrom('interactive' as const, 'batch' as const),
    rerunnable: fc.boolean(),
    answersWhole: fc.constantFrom(undefined, undefined, true),
    sessionId: fc.constantFrom(undefined, undefined, ...WORLD_SESSIONS),
    kvHint: fc.constantFrom('reuse' as const, 'reuse' as const, 'cold' as const),
    promptTokens: fc.constantFrom(1, 8, 300, 3_000),
    maxTokens: fc.constantFrom(1, 16, 800),
    deadlineFor: fc.constantFrom(undefined, 'end' as const, 'first-token' as const),
    prefix: fc.constantFrom(undefined, undefined, ...prefixes),
    setId: fc.constantFrom(undefined, undefined, undefined, undefined, 's'),
    placement: fc.option(
      fc.oneof(
        { weight: 5, arbitrary: placement },
        { weight: 1, arbitrary: fc.constant({ on: LONE }) },
      ),
      { nil: undefined, freq: 3 },
    ),
  }),
  deadlineInMs: fc.constantFrom(undefined, undefined, undefined, 0, 40, 1_000, 30_000),
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
const named = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ replicaId, setId: fc.constantFrom('s', 's', 's', 'other') }),
  },
  { weight: 1, arbitrary: fc.constant({ replicaId: LONE, setId: 's' }) },
);
const view = fc.record({
  slots: fc.integer({ min: 1, max: 3 }),
  ready: fc.constantFrom(true, true, false),
  kvTokens: fc.constantFrom(undefined, WORLD_CTX, 2 * WORLD_CTX),
  interruptible: fc.constantFrom(true, true, false),
  strictAlone: fc.constantFrom(undefined, undefined, true),
  device,
  labels: fc.record({ zone }),
  canaryPercent: fc.constantFrom(undefined, undefined, undefined, undefined, 0, 50, 100),
});
const replica = fc.tuple(named, view).map(([name, seen]) => ({
  kind: 'replica' as const,
  replica: { ...name, ...seen },
}));
const restored = fc.record({
  kind: fc.constant('restored' as const),
  replicaId,
  sessions: fc.array(
    fc.record({ sessionId: fc.constantFrom(...WORLD_SESSIONS, 'unknown'), kvTokens: fc.nat(500) }),
    { maxLength: 3 },
  ),
  prefixes: fc.subarray(prefixes),
});
const pool = fc.record({
  kind: fc.constant('pool' as const),
  pool: fc.record({
    capacity: fc.nat(8),
    classCapacity: fc.constantFrom({}, { batch: 2 }, { interactive: 1, batch: 4 }),
    fullPolicy: fc.constantFrom(
      'reject' as const,
      'drop-lru' as const,
      'shed-low-priority' as const,
    ),
    maxAttempts: fc.integer({ min: 1, max: 3 }),
    wallMs: fc.constantFrom(2_000, 8_000),
    idleMs: fc.constantFrom(500, 4_000),
    preemption: fc.constantFrom('off' as const, 'soft' as const, 'hard' as const, 'hard' as const),
    maxPreemptions: fc.nat(2),
  }),
});
const tenant = (id: string) =>
  fc.record({
    tenantId: fc.constant(id),
    weight: fc.constantFrom(0.5, 1, 4),
    maxConcurrent: fc.constantFrom(undefined, 1, 2),
  });
const tenants = fc.record({
  kind: fc.constant('tenants' as const),
  tenants: fc.oneof(fc.constant([]), fc.tuple(tenant('t')), fc.tuple(tenant('t'), tenant('u'))),
});
const rare: fc.Arbitrary<Op> = fc.oneof(
  fc.record({ kind: fc.constant('gone' as const), replicaId }),
  fc.record({ kind: fc.constant('drain' as const), ms: fc.nat(2_000) }),
  fc.record({ kind: fc.constantFrom('undrain' as const, 'delete-session' as const) }),
  fc.record({ kind: fc.constant('undrain' as const) }),
  fc.record({ kind: fc.constant('availability' as const), recoverable: fc.boolean() }),
  fc.record({ kind: fc.constant('crash' as const), fromSnapshot: fc.boolean() }),
  tenants,
  pool,
  pool,
);
const advance = fc.oneof(fc.nat(1_500), fc.nat(30), fc.nat(150));
const op: fc.Arbitrary<Op> = fc.oneof(
  { weight: 9, arbitrary: admit },
  { weight: 6, arbitrary: report },
  { weight: 2, arbitrary: fail },
  { weight: 3, arbitrary: replica },
  { weight: 1, arbitrary: restored },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('cancel' as const), pick }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('advance' as const), ms: advance }) },
  { weight: 2, arbitrary: rare },
);
export const someOps = fc.array(op, { maxLength: 80, size: 'max' });

/** One replica for every set, device and label that a task may be bound to, and the one of that name. */
export const everywhere = ['s', 'other']
  .flatMap((setId) =>
    ['cpu', 'gpu0'].flatMap((on) =>
      ['east', 'west'].map((where) =>
        aReplica(`last-${setId}-${on}-${where}`, {
          setId,
          device: on,
          labels: { zone: where },
          ctx: WORLD_CTX,
        }),
      ),
    ),
  )
  .concat(aReplica(LONE, { ctx: WORLD_CTX }));
