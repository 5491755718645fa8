import { describe, expect, test } from 'vitest';
import { Overtaking } from './overtaking.ts';

const FLOW = 'interactive a';

/** One task a second for five minutes, each urgent in so many ms and so much work, on one replica. */
function seen(urgentInMs: number, workMs: number): { overtaking: Overtaking; nowMs: number } {
  const overtaking = new Overtaking();
  let nowMs = 0;
  for (; nowMs < 300_000; nowMs += 1_000) overtaking.arrived(FLOW, urgentInMs, workMs, nowMs);
  return { overtaking, nowMs };
}

describe('OC-CORE-1105 those who will pass a waiting task', () => {
  test('make its wait longer by the share of time that they take', () => {
    const { overtaking, nowMs } = seen(1_000, 500);
    expect(overtaking.waitMs(FLOW, 4_000, 60_000, 1, nowMs)).toBeGreaterThan(7_500);
    expect(overtaking.waitMs(FLOW, 4_000, 60_000, 1, nowMs)).toBeLessThan(8_500);
    // Half of two replicas is twice as much as half of one.
    expect(overtaking.waitMs(FLOW, 4_000, 60_000, 2, nowMs)).toBeCloseTo((4_000 * 4) / 3, -3);
  });

  test('do so only until the time that it has left is less than theirs', () => {
    const { overtaking, nowMs } = seen(10_000, 500);
    // It is passed for five seconds, in which half of its wait is done.
    const waitMs = overtaking.waitMs(FLOW, 8_000, 15_000, 1, nowMs);
    expect(waitMs).toBeGreaterThan(9_500);
    expect(waitMs).toBeLessThan(11_500);
  });

  test('are none that have more time than it, or as much, and none of another flow', () => {
    const { overtaking, nowMs } = seen(20_000, 500);
    expect(overtaking.waitMs(FLOW, 4_000, 2_000, 1, nowMs)).toBeCloseTo(4_000);
    expect(overtaking.waitMs(FLOW, 4_000, 20_000, 1, nowMs)).toBeCloseTo(4_000);
    expect(overtaking.waitMs('interactive b', 4_000, 60_000, 1, nowMs)).toBe(4_000);
  });

  test('are forgotten when they come no more', () => {
    const { overtaking, nowMs } = seen(1_000, 500);
    expect(overtaking.waitMs(FLOW, 4_000, 60_000, 1, nowMs + 600_000)).toBeLessThan(4_010);
  });

  test('leave it a tenth of the replicas even when they are more than can be served', () => {
    const { overtaking, nowMs } = seen(1_000, 50_000);
    expect(overtaking.waitMs(FLOW, 100, 1e9, 1, nowMs)).toBeCloseTo(1_000);
  });
});

test('a rate is known after half a minute, and not from one arrival', () => {
  const overtaking = new Overtaking();
  overtaking.arrived(FLOW, 1_000, 500, 0);
  expect(overtaking.waitMs(FLOW, 4_000, 60_000, 1, 0)).toBeLessThan(4_500);
  for (let nowMs = 1_000; nowMs < 30_000; nowMs += 1_000) {
    overtaking.arrived(FLOW, 1_000, 500, nowMs);
  }
  expect(overtaking.waitMs(FLOW, 4_000, 60_000, 1, 30_000)).toBeGreaterThan(6_000);
});

test('made-up flows take no more memory: the one that was silent longest is forgotten', () => {
  const { overtaking, nowMs } = seen(1_000, 500);
  for (let i = 0; i < 63; i++) overtaking.arrived(`flow ${i}`, 1_000, 1, nowMs);
  expect(overtaking.waitMs(FLOW, 4_000, 60_000, 1, nowMs)).toBeGreaterThan(7_000);
  overtaking.arrived('one more', 1_000, 1, nowMs);
  expect(overtaking.waitMs(FLOW, 4_000, 60_000, 1, nowMs)).toBeCloseTo(4_000);
});
