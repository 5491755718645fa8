import type { HostCommand, HostPool } from '@llama-orch/contracts';
import type { ReplicaSnapshot } from '@llama-orch/pool-managerd';
import { settle, VirtualClock } from '@llama-orch/pool-managerd/testing';
import { expect, test } from 'vitest';
import { RemoteTurns, type TurnsHost } from './remote-turns.ts';

function setUp(loaded: Readonly<Record<string, boolean>>) {
  const clock = new VirtualClock();
  const told: string[] = [];
  let replicas: readonly ReplicaSnapshot[] = [];
  const hostOf = (pools: readonly HostPool[]): TurnsHost => ({
    pools,
    tell: ({ type, pool_id: poolId }: Omit<HostCommand, 'n'>) =>
      void told.push(`${type} ${poolId}`),
  });
  const pools = Object.entries(loaded).map(([id, isLoaded]) => ({ pool_id: id, loaded: isLoaded }));
  const host = hostOf(pools);
  const turns = new RemoteTurns({
    takesTurns: (poolId) => poolId !== 'always',
    hosts: () => [host],
    replicasOf: (poolId) => replicas.filter((each) => each.poolId === poolId),
    clock,
  });
  const have = (...poolIds: readonly string[]): void => {
    replicas = poolIds.map((poolId) => ({ poolId, state: 'stopped' }) as ReplicaSnapshot);
    turns.look();
  };
  return { clock, told, turns, host, have };
}

test('OC-POOL-3136 what was asked for before a host was there is loaded when it comes, once', () => {
  const { turns, host, told } = setUp({ alpha: false, beta: false, always: false });
  turns.load('alpha');
  told.length = 0;
  turns.greet(host);
  turns.greet(host);
  expect(told).toEqual(['load alpha', 'load always']);
});

test('OC-POOL-3136 what nobody has asked for leaves a new host before anything else is loaded there', async () => {
  const { turns, host, told, have } = setUp({ alpha: false, beta: true });
  have('beta');
  turns.greet(host);
  turns.load('alpha');
  await settle();
  expect(told).toEqual(['unload beta']);
  have();
  await settle();
  expect(told).toEqual(['unload beta', 'load alpha']);
});

test('OC-POOL-3136 a pool is unloaded when no host tells of a replica of it, or when that takes too long', async () => {
  const { turns, clock, have } = setUp({});
  const isOver = async (wait: Promise<void>) => {
    let over = false;
    void wait.then(() => (over = true));
    await settle();
    return () => over;
  };
  have('alpha');
  const gone = await isOver(turns.unload('alpha', 1_000));
  expect(gone()).toBe(false);
  have('beta');
  await settle();
  expect(gone()).toBe(true);
  const stuck = await isOver(turns.unload('beta', 1_000));
  await clock.advance(10_999);
  expect(stuck()).toBe(false);
  await clock.advance(1);
  expect(stuck()).toBe(true);
});
