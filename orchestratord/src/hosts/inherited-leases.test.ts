import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { VirtualClock } from '@llama-orch/pool-managerd/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { surelyOverAfterMs } from './host-state.ts';
import { InheritedLeases } from './inherited-leases.ts';
import { KnownHosts } from './known-hosts.ts';
import { HostWorld } from './testing/host-world.ts';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'llama-orch-hosts-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

test('OC-POOL-3115 a restarted orchestratord waits for a host that is cut off, and for no other longer than it must', async () => {
  const world = new HostWorld(
    () => 0.4,
    [
      { rate: 1, replicas: 1 },
      { rate: 1, replicas: 1 },
    ],
  );
  await world.clock.advance(600);
  const started = world.counter.started;
  expect(started).toBeGreaterThan(0);
  for (const host of world.hosts) world.network.partition(host.hostId);
  world.restartOrchestratord();
  world.network.heal('host1');
  await world.clock.advance(900);
  // host0 may still run what it was given; nobody can tell from here.
  expect(world.counter.started).toBe(started);
  await world.clock.advance(surelyOverAfterMs(1_000) - 800);
  expect(world.counter.started).toBeGreaterThan(started);
  expect(world.counter.violations).toEqual([]);
});

test('a restart with every host in reach costs no more than a few round trips', async () => {
  const world = new HostWorld(() => 0.4, [{ rate: 1, replicas: 2 }]);
  await world.clock.advance(600);
  world.restartOrchestratord();
  await world.clock.advance(100);
  expect(world.readyReplicas()).toBe(2);
});

test('a pool is free when the last of its hosts is', async () => {
  const clock = new VirtualClock();
  const free: string[] = [];
  const expired: string[] = [];
  const leases = new InheritedLeases({
    hosts: new Map([
      ['a', { ttlMs: 1_000, poolIds: ['x', 'y'] }],
      ['b', { ttlMs: 2_000, poolIds: ['y'] }],
    ]),
    clock,
    onFree: (poolId) => free.push(poolId),
    onExpired: (hostId) => expired.push(hostId),
  });
  expect([leases.mayLiveIn('x'), leases.mayLiveIn('y'), leases.mayLiveIn('z')]).toEqual([
    true,
    true,
    false,
  ]);
  leases.end('a');
  expect(free).toEqual(['x']);
  await clock.advance(surelyOverAfterMs(2_000));
  expect(free).toEqual(['x', 'y']);
  expect(expired).toEqual(['b']);
});

test('OC-POOL-3133 identity, hosts and what they are to serve outlive the process; a damaged file is a new beginning', () => {
  const first = new KnownHosts(directory);
  first.add('a', { ttlMs: 1, poolIds: ['x'] });
  first.add('b', { ttlMs: 1, poolIds: ['x'] });
  first.remove('b');
  first.want('x', { model: { id: 'next' } });
  const second = new KnownHosts(directory);
  expect(second.orchestratorId).toBe(first.orchestratorId);
  expect([...second.inherited]).toEqual([['a', { ttlMs: 1, poolIds: ['x'] }]]);
  expect([...second.wanted]).toEqual([['x', { model: { id: 'next' } }]]);
  writeFileSync(join(directory, 'hosts.json'), '{"orch');
  const third = new KnownHosts(directory);
  expect(third.orchestratorId).not.toBe(first.orchestratorId);
  expect(third.inherited.size).toBe(0);
});

test('OC-POOL-3133 a file that cannot be read is an error, not a new identity', () => {
  const unreadable = join(directory, 'unreadable');
  mkdirSync(join(unreadable, 'hosts.json'), { recursive: true });
  expect(() => new KnownHosts(unreadable)).toThrow('EISDIR');
});
