import type { PoolEvent, PoolManager, ReplicaSnapshot } from '@llama-orch/pool-managerd';
import { expect, test, vi } from 'vitest';
import { PoolFleet } from './pool-fleet.ts';
import type { RemoteHosts } from './remote-hosts.ts';

const NEAR = { replicaId: 'default-0', poolId: 'default', state: 'ready' } as ReplicaSnapshot;
const FAR = { replicaId: 'gpu-a.default-0', poolId: 'default', state: 'ready' } as ReplicaSnapshot;

const MODEL = { modelId: 'm', modelPath: '/m', modelDigest: undefined };

function manager(replica: ReplicaSnapshot) {
  const ready = replica.state === 'ready';
  return {
    replicas: (poolId: string) => (poolId === replica.poolId ? [replica] : []),
    health: (poolId: string) => ({
      poolId,
      live: ready,
      ready,
      draining: false,
      recoverable: true,
      lastError: undefined,
      replicas: [replica],
    }),
    acquire: vi.fn(() => ({ token: 1 })),
    suspect: vi.fn(),
    drain: vi.fn(),
    reload: vi.fn(),
    rollback: vi.fn(),
    subscribe: vi.fn(() => () => undefined),
  };
}

function setUp(localPoolIds: readonly string[] = ['default']) {
  const local = manager(NEAR);
  const remote = {
    ...manager(FAR),
    has: (replicaId: string) => replicaId === FAR.replicaId,
    replica: (replicaId: string) => (replicaId === FAR.replicaId ? FAR : undefined),
  };
  const inherited = { mayLiveIn: vi.fn(() => false), stop: () => undefined };
  const fleet = new PoolFleet({
    local: local as unknown as PoolManager,
    localPoolIds,
    remote: remote as unknown as RemoteHosts,
    inherited,
  });
  return { fleet, local, remote, inherited };
}

test('replicas of this process come first, so that ordinals hold', () => {
  expect(setUp().fleet.replicas('default')).toEqual([NEAR, FAR]);
  expect(setUp([]).fleet.replicas('default')).toEqual([FAR]);
});

test('each replica is spoken to by whoever has it, and one that has left by nobody', () => {
  const { fleet, local, remote } = setUp();
  fleet.suspect(FAR.replicaId, 'hung', 'd');
  fleet.suspect(NEAR.replicaId, 'garbage', 'd');
  fleet.suspect('gpu-b.default-0', 'hung', 'd');
  expect(remote.suspect.mock.calls).toEqual([[FAR.replicaId, 'hung', 'd']]);
  expect(local.suspect.mock.calls).toEqual([[NEAR.replicaId, 'garbage', 'd']]);
  expect(fleet.acquire('gpu-b.default-0', 'me')).toBeUndefined();
});

test('OC-POOL-3115 nothing of a pool is lent out while leases of an earlier process may live there', () => {
  const { fleet, inherited } = setUp();
  const told: PoolEvent[] = [];
  fleet.subscribe((event) => told.push(event));
  inherited.mayLiveIn.mockReturnValue(true);
  expect(fleet.acquire(NEAR.replicaId, 'me')).toBeUndefined();
  inherited.mayLiveIn.mockReturnValue(false);
  fleet.announce('default');
  expect(told).toEqual([
    { type: 'replica', replica: NEAR },
    { type: 'replica', replica: FAR },
  ]);
  expect(fleet.acquire(NEAR.replicaId, 'me')).toBeDefined();
});

test('the model of a pool is changed by whoever has its replicas', () => {
  const { fleet, local, remote } = setUp([]);
  fleet.reload('default', MODEL);
  expect(local.reload).not.toHaveBeenCalled();
  expect(remote.reload).toHaveBeenCalledWith('default', MODEL);
});

test('and not where it has some here and some on hosts; a change that was under way before can end', () => {
  const { fleet, local } = setUp();
  expect(() => fleet.reload('default', MODEL)).toThrow(/replicas here and on hosts/);
  expect(local.reload).not.toHaveBeenCalled();
  fleet.rollback('default');
  expect(local.rollback).toHaveBeenCalled();
});
