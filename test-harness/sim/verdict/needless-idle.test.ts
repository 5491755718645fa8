import { expect, test } from 'vitest';
import { centralFcfs } from '../policies/central.ts';
import type { NamedPolicy } from '../policy.ts';
import { request } from '../testing/tiny-trace.ts';
import { DEFAULT_SCENARIO, type Scenario } from '../world.ts';
import { needlessIdle } from './needless-idle.ts';

const TWO: Scenario = { ...DEFAULT_SCENARIO, replicas: 2, cacheTokens: 1e6 };

/** Sends everything to the first replica, `delayMs` after it came. */
function late(delayMs: number): NamedPolicy {
  return {
    name: 'late',
    about: '',
    create(fleet) {
      const waiting: { id: number; atMs: number }[] = [];
      return {
        arrived: ({ id, arrivalMs }) => void waiting.push({ id, atMs: arrivalMs + delayMs }),
        nextWakeMs: () => waiting[0]?.atMs,
        wake: () => {
          const next = waiting.shift();
          if (next !== undefined) fleet.dispatch(next.id, 0);
        },
      };
    },
  };
}

test('a wait before two idle replicas is needless on both', () => {
  const { needlessMs, idleWhileHeldMs } = needlessIdle([request()], TWO, late(400));
  expect(idleWhileHeldMs).toBeCloseTo(800);
  expect(needlessMs).toBeCloseTo(800);
});

test('a wait that costs nothing is not: the one who is waited for has the prefix', () => {
  const blocks = Array.from({ length: 60 }, (_, block) => block);
  const long = { blocks, promptTokens: 60 * 512, outputTokens: 2 };
  const warm = [request(long), request({ ...long, arrivalMs: 30_000 })];
  // Cold prefill takes seconds: 100 ms of patience for the warm replica are well spent.
  const { needlessMs, idleWhileHeldMs } = needlessIdle(warm, TWO, late(100));
  expect(idleWhileHeldMs).toBeCloseTo(400);
  const firstComers = 200;
  const ownReplica = 100;
  expect(needlessMs).toBeCloseTo(firstComers + ownReplica);
});

test('a queue that binds late and skips nobody never idles needlessly', () => {
  const trace = Array.from({ length: 60 }, (_, row) => request({ arrivalMs: row * 40 }));
  expect(needlessIdle(trace, TWO, centralFcfs).needlessMs).toBe(0);
});
