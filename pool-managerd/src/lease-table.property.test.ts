import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LeaseTable } from './lease-table.ts';
import type { Lease } from './types.ts';

const TTL_MS = 100;

const command = fc.oneof(
  fc.record({
    type: fc.constant('acquire' as const),
    replica: fc.constantFrom('r-0', 'r-1'),
    holder: fc.constantFrom('a', 'b', 'c'),
  }),
  // `pick` chooses among all leases ever seen, so that old ones are tried again and again.
  fc.record({ type: fc.constantFrom('renew' as const, 'release' as const), pick: fc.nat() }),
  fc.record({ type: fc.constant('fence' as const), replica: fc.constantFrom('r-0', 'r-1') }),
  fc.record({ type: fc.constant('pass-time' as const), ms: fc.nat({ max: 2 * TTL_MS }) }),
);

test('OC-POOL-3040 OC-POOL-3041 a replica has at most one live holder, its tokens only grow, an old token never works', () => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 100, size: 'max' }), (commands) => {
      const table = new LeaseTable(TTL_MS);
      const seen: Lease[] = [];
      const newest = new Map<string, number>();
      let nowMs = 0;
      const learn = (lease: Lease | undefined): void => {
        if (lease !== undefined) seen.push(lease);
      };
      for (const step of commands) {
        if (step.type === 'pass-time') nowMs += step.ms;
        table.expire(nowMs);
        if (step.type === 'acquire') {
          const lease = table.acquire(step.replica, step.holder, nowMs);
          if (lease !== undefined) {
            expect(lease.token).toBeGreaterThan(newest.get(step.replica) ?? 0);
            newest.set(step.replica, lease.token);
          }
          learn(lease);
        } else if (step.type === 'fence') {
          table.fence(step.replica);
        } else if (step.type !== 'pass-time') {
          const lease = seen[step.pick % Math.max(1, seen.length)];
          if (lease !== undefined && step.type === 'renew') learn(table.renew(lease, nowMs));
          if (lease !== undefined && step.type === 'release') table.release(lease, nowMs);
        }
        for (const replicaId of ['r-0', 'r-1']) {
          const live = seen.filter((l) => l.replicaId === replicaId && table.isLive(l, nowMs));
          expect(new Set(live.map(({ token }) => token)).size).toBeLessThanOrEqual(1);
          for (const { token } of live) expect(token).toBe(newest.get(replicaId));
        }
      }
    }),
  );
});

test('a lease ends with its time, and renewing keeps it alive under the same token', () => {
  const table = new LeaseTable(TTL_MS);
  const lease = table.acquire('r-0', 'a', 0)!;
  const renewed = table.renew(lease, 60)!;
  expect(renewed).toMatchObject({ token: lease.token, expiresAtMs: 160 });
  expect(table.isLive(lease, 159)).toBe(true);
  expect(table.isLive(lease, 160)).toBe(false);
  expect(table.renew(lease, 160)).toBeUndefined();
});

test('another holder waits until the lease has expired; the same holder gets a new token', () => {
  const table = new LeaseTable(TTL_MS);
  const first = table.acquire('r-0', 'a', 0)!;
  expect(table.acquire('r-0', 'b', 99)).toBeUndefined();
  const again = table.acquire('r-0', 'a', 99)!;
  expect(again.token).toBeGreaterThan(first.token);
  expect(table.isLive(first, 99)).toBe(false);
  expect(table.expire(199)).toEqual([again]);
  expect(table.acquire('r-0', 'b', 199)?.token).toBeGreaterThan(again.token);
});

test('the table says when it wants to be looked at next', () => {
  const table = new LeaseTable(TTL_MS);
  expect(table.nextExpiryMs()).toBeUndefined();
  table.acquire('r-0', 'a', 0);
  table.acquire('r-1', 'a', 50);
  expect(table.nextExpiryMs()).toBe(100);
  table.fence('r-0');
  expect(table.nextExpiryMs()).toBe(150);
});

test('OC-POOL-3110 a lease lasts from the moment that is named, and no late word shortens it', () => {
  const table = new LeaseTable(TTL_MS);
  const lease = table.acquire('r-0', 'a', 20)!;
  expect(lease.expiresAtMs).toBe(120);
  expect(table.renew(lease, 100, 60)?.expiresAtMs).toBe(160);
  expect(table.renew(lease, 110, 30)?.expiresAtMs).toBe(160);
  expect(table.isLive(lease, 160)).toBe(false);
});

test('OC-POOL-3111 tokens begin behind those of an earlier run', () => {
  expect(new LeaseTable(TTL_MS, 7).acquire('r-0', 'a', 0)?.token).toBe(8);
});
