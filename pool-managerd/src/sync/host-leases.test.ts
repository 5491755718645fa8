import { expect, test } from 'vitest';
import { startFakePool } from '../../testing/fake-pool.ts';
import { settle } from '../../testing/virtual-clock.ts';
import { HostLeases } from './host-leases.ts';

const TTL_MS = 1_000;
const ONE = { id: 'orchestrator', instance_id: 'one' };
const TWO = { id: 'orchestrator', instance_id: 'two' };
const WANTED = new Set(['default-0']);

async function setUp() {
  const pool = startFakePool({ probe: { intervalMs: 1e9 } }, {}, { leaseTtlMs: TTL_MS });
  await settle();
  const over: string[] = [];
  let secrets = 0;
  const leases = new HostLeases({
    manager: pool.manager,
    replicas: () => pool.manager.replicas('default'),
    leaseTtlMs: TTL_MS,
    clock: pool.clock,
    makeSecret: () => `secret${(secrets += 1)}`,
    onOver: (replicaId) => over.push(replicaId),
  });
  const want = (orchestrator = ONE, sentMs = pool.clock.now(), replicaIds = WANTED) =>
    leases.want({ replicaIds, orchestrator, sentMs });
  return { pool, leases, over, want };
}

test('OC-POOL-3110 what is wanted is granted, and lives from the moment the sync was sent', async () => {
  const { pool, leases, over, want } = await setUp();
  await using _ = pool;
  await pool.clock.advance(400);
  want(ONE, 100);
  expect(leases.report((id) => `h.${id}`)).toEqual([
    { replica_id: 'h.default-0', orchestrator_instance_id: 'one', token: 1, secret: 'secret1' },
  ]);
  expect(leases.authorize('default-0', '1.secret1')?.url).toBe('http://127.0.0.1:9001');
  want(ONE, 300);
  await pool.clock.advance(899);
  expect(leases.authorize('default-0', '1.secret1')).toBeDefined();
  await pool.clock.advance(1);
  expect(leases.authorize('default-0', '1.secret1')).toBeUndefined();
  expect(over).toEqual(['default-0']);
});

test.each(['1.secret', '2.secret1', '1.secret1 ', '', '1', 'secret1'])(
  'OC-POOL-3120 %j opens nothing',
  async (credential) => {
    const { pool, leases, want } = await setUp();
    await using _ = pool;
    want();
    expect(leases.authorize('default-0', credential)).toBeUndefined();
    expect(leases.authorize('default-9', '1.secret1')).toBeUndefined();
  },
);

test('OC-POOL-3110 another process of orchestratord gets a new token, and the old one is over', async () => {
  const { pool, leases, over, want } = await setUp();
  await using _ = pool;
  want(ONE);
  want(TWO);
  expect(over).toEqual(['default-0']);
  expect(leases.authorize('default-0', '1.secret1')).toBeUndefined();
  expect(leases.report((id) => id)).toMatchObject([{ token: 2, orchestrator_instance_id: 'two' }]);
  want({ id: 'another', instance_id: 'three' });
  expect(leases.report((id) => id)).toMatchObject([
    { token: 3, orchestrator_instance_id: 'three' },
  ]);
});

test('OC-POOL-3110 what is not wanted any more is released', async () => {
  const { pool, leases, over, want } = await setUp();
  await using _ = pool;
  want();
  want(ONE, pool.clock.now(), new Set());
  expect(over).toEqual(['default-0']);
  expect(leases.report((id) => id)).toEqual([]);
});

test('OC-POOL-3121 the end of an engine is the end of its lease; its successor is granted by itself', async () => {
  const { pool, leases, over, want } = await setUp();
  await using _ = pool;
  want();
  pool.engine.spawned[0]?.exit(1);
  await settle();
  expect(over).toEqual(['default-0']);
  expect(leases.report((id) => id)).toEqual([]);
  await pool.clock.advance(200);
  expect(leases.report((id) => id)).toMatchObject([{ token: 2 }]);
});

test('what was asked for too long ago is not granted any more', async () => {
  const { pool, leases, want } = await setUp();
  await using _ = pool;
  await pool.clock.advance(TTL_MS);
  want(ONE, 0);
  expect(leases.report((id) => id)).toEqual([]);
});

test('closing is the end of all', async () => {
  const { pool, leases, over, want } = await setUp();
  await using _ = pool;
  want();
  leases.close();
  expect(over).toEqual(['default-0']);
});
