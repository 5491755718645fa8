import { describe, expect, test } from 'vitest';
import { noteFault } from './apart.ts';
import type { ReplicaRecord } from './state.ts';
import { Driver, ofType, USAGE } from './testing/fixtures.ts';
import type { PoolSpec, TaskSpec } from './types.ts';

/** Task `a` runs on `r1`; `r2` is free. */
function running(task: Partial<TaskSpec> = {}, pool: Partial<PoolSpec> = {}): Driver {
  const driver = new Driver();
  driver.pool(pool);
  driver.replica('r1');
  driver.replica('r2');
  driver.admit('a', task);
  expect(driver.replicaOf('a')).toBe('r1');
  return driver;
}

const once = { rerunnable: false };

test('a finished task ends completed, leaves memory and frees its slot', () => {
  const driver = running();
  expect(driver.finish('a')).toEqual([
    {
      type: 'ended',
      taskId: 'a',
      outcome: { kind: 'completed', finishReason: 'stop', usage: USAGE },
    },
  ]);
  expect(driver.core.task('a', driver.nowMs)).toBeUndefined();
  expect(driver.core.poolView('p')).toMatchObject({ running: 0, slotsFree: 2, slotsTotal: 2 });
});

test('what has ended, of itself or not, leaves nothing to wake up for', () => {
  const driver = running();
  expect(driver.core.nextWakeMs()).toBeDefined();
  driver.finish('a');
  expect(driver.core.nextWakeMs()).toBeUndefined();
  driver.admit('b');
  driver.step({ type: 'cancel', taskId: 'b', reason: 'client' });
  expect(driver.core.nextWakeMs()).toBeUndefined();
});

test('OC-CORE-1027 a fault before any output re-runs the task, on another replica', () => {
  const driver = running(once);
  const effects = driver.fail('a');
  expect(effects.map((effect) => effect.type)).toEqual(['requeued', 'dispatch']);
  expect(driver.core.task('a', driver.nowMs)).toMatchObject({ attempt: 2, replicaId: 'r2' });
});

test('ORCH-3046 OC-CORE-1028 a repeatable task re-runs after output, but only within its set', () => {
  const driver = running();
  driver.replica('r2', { setId: 'other' });
  driver.replica('r3', { slots: 1, ready: false });
  expect(ofType(driver.fail('a', { tokensSent: 3 }), 'dispatch')).toEqual([]);
  expect(ofType(driver.replica('r3'), 'dispatch')).toMatchObject([{ replicaId: 'r3', attempt: 2 }]);
});

test('OC-CORE-1004 a pinned task does not stand in the way of others', () => {
  const driver = running();
  driver.replica('r2', { setId: 'other' });
  driver.fail('a', { tokensSent: 3 });
  expect(ofType(driver.admit('b'), 'dispatch')).toMatchObject([{ replicaId: 'r2' }]);
  expect(ofType(driver.advance(100), 'dispatch')).toMatchObject([{ taskId: 'a', replicaId: 'r1' }]);
});

test('OC-CORE-1028 a pinned task whose set is gone ends with WORKER_RESET', () => {
  const driver = running();
  driver.replica('r2', { setId: 'other' });
  driver.progress('a');
  const effects = driver.step({ type: 'replica-gone', poolId: 'p', replicaId: 'r1' });
  expect(ofType(effects, 'ended')).toMatchObject([{ outcome: { code: 'WORKER_RESET' } }]);
});

test('OC-CORE-1027 a task that sent output and is not repeatable ends with the code of the fault', () => {
  const driver = running(once);
  const [ended] = ofType(driver.fail('a', { tokensSent: 1 }), 'ended');
  expect(ended?.outcome).toMatchObject({ kind: 'failed', code: 'WORKER_RESET', retriable: true });
});

test('OC-CORE-1027 a fault that cannot help elsewhere ends the task at the first attempt', () => {
  const [ended] = ofType(running().fail('a', { retriable: false }), 'ended');
  expect(ended?.outcome).toMatchObject({ retriable: false, retryAfterMs: undefined });
});

test('OC-CORE-1027 attempts are limited, and the last fault ends the task', () => {
  const driver = running({}, { maxAttempts: 2 });
  driver.fail('a');
  expect(ofType(driver.fail('a'), 'ended')).toMatchObject([{ outcome: { code: 'WORKER_RESET' } }]);
});

test('OC-CORE-1015 news of an attempt that is not the running one is ignored', () => {
  const driver = running();
  driver.fail('a');
  const stale = { taskId: 'a', attempt: 1 } as const;
  const fault = { code: 'INTERNAL', message: 'late', retriable: false } as const;
  expect(driver.step({ type: 'fail', ...stale, fault, tokensSent: 0 })).toEqual([]);
  const usage = USAGE;
  expect(driver.step({ type: 'finish', ...stale, finishReason: 'stop', usage })).toEqual([]);
  expect(driver.step({ type: 'progress', ...stale, tokensOut: 1 })).toEqual([]);
  expect(driver.stateOf('a')).toBe('running');
});

test('OC-CORE-1029 a broken replica rests after a fault instead of swallowing the queue', () => {
  const driver = new Driver();
  driver.pool();
  driver.replica('r');
  driver.admit('a');
  driver.admit('b');
  expect(ofType(driver.fail('a'), 'dispatch')).toEqual([]);
  const restMs = (driver.core.nextWakeMs() ?? 0) - driver.nowMs;
  expect(restMs).toBeGreaterThan(50);
  expect(restMs).toBeLessThanOrEqual(100);
  expect(ofType(driver.advance(restMs), 'dispatch')).toMatchObject([{ taskId: 'a', attempt: 2 }]);
  driver.fail('a');
  expect(ofType(driver.advance(1.9 * restMs), 'dispatch')).toEqual([]);
  const again = ofType(driver.advance(0.1 * restMs + 1), 'dispatch');
  expect(again).toMatchObject([{ taskId: 'a', attempt: 3 }]);
});

test('OC-CORE-1029 an engine that says when to come back is left alone until then, within reason', () => {
  const driver = new Driver();
  driver.pool({ maxAttempts: 5 });
  driver.replica('r', { slots: 2 });
  driver.admit('a');
  driver.admit('b');
  driver.fail('a');
  driver.fail('b', { retryAfterMs: 3_000 });
  expect(ofType(driver.advance(2_999), 'dispatch')).toEqual([]);
  expect(ofType(driver.advance(1), 'dispatch')).toHaveLength(2);
  driver.finish('b');
  driver.fail('a', { retryAfterMs: 3_600_000 });
  expect(ofType(driver.advance(59_999), 'dispatch')).toEqual([]);
  expect(ofType(driver.advance(1), 'dispatch')).toMatchObject([{ taskId: 'a' }]);
});

test('OC-CORE-1029 faults of attempts side by side count as one, and a new self-test clears them', () => {
  const driver = new Driver();
  driver.pool();
  driver.replica('r', { slots: 2 });
  driver.admit('a');
  driver.admit('b');
  driver.fail('a');
  driver.fail('b');
  expect((driver.core.nextWakeMs() ?? 0) - driver.nowMs).toBeLessThanOrEqual(100);
  driver.replica('r', { slots: 2, ready: false });
  expect(ofType(driver.replica('r', { slots: 2 }), 'dispatch')).toHaveLength(2);
});

describe('OC-CORE-1033 a task that crashes engines', () => {
  const twoReplicas = (slots: number) => {
    const driver = new Driver();
    driver.pool({ maxAttempts: 5, idleMs: 30_000 });
    driver.replica('r0', { slots });
    driver.replica('r1', { slots });
    return driver;
  };
  const running = ({ core, nowMs }: Driver): readonly string[] =>
    core.liveTasks(nowMs).flatMap(({ spec, state }) => (state === 'running' ? spec.taskId : []));
  const crash = (driver: Driver, replicaId: string) =>
    driver.step({ type: 'replica-gone', poolId: 'p', replicaId, crashed: true });

  test('is stopped after the second, and is not worth trying again', () => {
    const driver = twoReplicas(1);
    driver.admit('poison');
    const [second] = ofType(crash(driver, 'r0'), 'dispatch');
    expect(second).toMatchObject({ taskId: 'poison', attempt: 2, replicaId: 'r1' });
    expect(ofType(crash(driver, 'r1'), 'ended')).toMatchObject([
      { taskId: 'poison', outcome: { kind: 'failed', code: 'WORKER_RESET', retriable: false } },
    ]);
  });

  test('what ran beside it is run again, one suspect on a replica at a time, and is not blamed', () => {
    const driver = twoReplicas(3);
    driver.replica('r1', { slots: 3, ready: false });
    for (const taskId of ['poison', 'a', 'b']) driver.admit(taskId);
    crash(driver, 'r0');
    const begun = ofType(driver.replica('r1', { slots: 3 }), 'dispatch');
    expect(begun).toMatchObject([{ taskId: 'poison', replicaId: 'r1' }]);
    driver.admit('newcomer');
    expect(ofType(crash(driver, 'r1'), 'ended')).toMatchObject([{ taskId: 'poison' }]);
    driver.replica('r0', { slots: 3 });
    const tasks = driver.core.liveTasks(driver.nowMs);
    expect(tasks.map(({ spec }) => spec.taskId)).toEqual(['a', 'b', 'newcomer']);
    expect(tasks.filter(({ state }) => state === 'running')).toHaveLength(1);
  });

  test('which break off what they run before they end', () => {
    const driver = twoReplicas(2);
    driver.admit('poison');
    driver.fail('poison');
    expect(crash(driver, 'r0')).toEqual([]);
    driver.advance(100);
    driver.admit('beside');
    driver.fail('poison');
    const effects = crash(driver, 'r1');
    expect(ofType(effects, 'ended')).toMatchObject([
      { taskId: 'poison', outcome: { code: 'WORKER_RESET', retriable: false } },
    ]);
    driver.replica('r2', { slots: 1 });
    expect(driver.core.liveTasks(driver.nowMs)).toMatchObject([
      { spec: { taskId: 'beside' }, state: 'running' },
    ]);
  });

  test('is stopped wherever it runs by then', () => {
    const driver = twoReplicas(2);
    driver.admit('poison');
    crash(driver, 'r0');
    driver.replica('r2', { slots: 2 });
    driver.fail('poison');
    expect(driver.core.liveTasks(driver.nowMs)).toMatchObject([{ state: 'running' }]);
    expect(crash(driver, 'r1')).toMatchObject([
      { type: 'abort', taskId: 'poison', replicaId: 'r2', reason: 'poison' },
      { type: 'ended', taskId: 'poison' },
    ]);
  });

  test('is a suspect where it runs by then: no other is put beside it', () => {
    const driver = twoReplicas(2);
    driver.admit('a');
    driver.fail('a');
    driver.advance(100);
    driver.admit('b');
    expect(ofType(crash(driver, 'r0'), 'requeued')).toMatchObject([{ taskId: 'b' }]);
    expect(running(driver)).toEqual(['a']);
    driver.finish('a');
    expect(running(driver)).toEqual(['b']);
  });

  test('a failure long before a crash accuses nobody', () => {
    const driver = twoReplicas(1);
    driver.admit('a');
    driver.fail('a');
    driver.advance(5_001);
    crash(driver, 'r0');
    expect(ofType(crash(driver, 'r1'), 'ended')).toEqual([]);
    driver.replica('r2');
    expect(running(driver)).toEqual(['a']);
  });

  test('a replica that is lost without a crash accuses nobody', () => {
    const driver = twoReplicas(2);
    driver.admit('a');
    driver.admit('b');
    for (const replicaId of ['r0', 'r1']) {
      driver.step({ type: 'replica-gone', poolId: 'p', replicaId });
    }
    const begun = ofType(driver.replica('r2', { slots: 2 }), 'dispatch');
    expect(begun.map(({ taskId }) => taskId)).toEqual(['a', 'b']);
  });
});

test('those who waited for a resting replica go before a newcomer, who then waits', () => {
  const driver = new Driver();
  driver.pool();
  driver.replica('r');
  driver.admit('a');
  driver.fail('a');
  driver.nowMs += 100;
  expect(driver.admit('new')).toMatchObject([
    { type: 'dispatch', taskId: 'a' },
    { type: 'accepted', taskId: 'new', queuePosition: 1 },
  ]);
});

test('ORCH-3016 OC-CORE-1022 a task that takes too long in all is aborted and ends with DECODE_TIMEOUT', () => {
  const driver = running({}, { wallMs: 10_000, idleMs: 6_000 });
  driver.advance(5_000);
  driver.progress('a');
  expect(driver.advance(4_999)).toEqual([]);
  const effects = driver.advance(1);
  expect(effects).toMatchObject([
    { type: 'abort', attempt: 1, replicaId: 'r1', reason: 'wall-timeout' },
    { type: 'ended', outcome: { code: 'DECODE_TIMEOUT' } },
  ]);
});

test('ORCH-3016 OC-CORE-1022 wall time adds up over the attempts, time in the queue does not count', () => {
  const driver = running({}, { wallMs: 10_000, idleMs: 60_000 });
  driver.replica('r2', { ready: false });
  driver.advance(4_000);
  driver.fail('a');
  driver.replica('r1', { ready: false });
  driver.advance(60_000);
  driver.replica('r1');
  expect(driver.advance(5_999)).toEqual([]);
  expect(ofType(driver.advance(1), 'ended')).toHaveLength(1);
});

test('ORCH-3016 OC-CORE-1022 a silent engine is aborted and the task runs elsewhere', () => {
  const driver = running({}, { idleMs: 5_000 });
  driver.advance(4_000);
  driver.progress('a');
  expect(driver.advance(4_999)).toEqual([]);
  expect(driver.core.nextWakeMs()).toBe(driver.nowMs + 1);
  expect(driver.advance(1)).toMatchObject([
    { type: 'abort', replicaId: 'r1', reason: 'idle-timeout' },
    { type: 'requeued', reason: 'idle-timeout' },
    { type: 'dispatch', attempt: 2, replicaId: 'r2' },
  ]);
});

test('ORCH-3016 OC-CORE-1022 a silent engine ends a task that cannot run again', () => {
  const driver = running(once);
  driver.progress('a');
  expect(ofType(driver.advance(5_000), 'ended')).toMatchObject([
    { outcome: { code: 'DECODE_TIMEOUT' } },
  ]);
});

test('ORCH-3017 OC-CORE-1005 cancel ends a running task at once and frees its slot', () => {
  const driver = running();
  const effects = driver.step({ type: 'cancel', taskId: 'a', reason: 'client' });
  expect(effects).toEqual([
    { type: 'abort', taskId: 'a', attempt: 1, replicaId: 'r1', reason: 'client' },
    { type: 'ended', taskId: 'a', outcome: { kind: 'canceled', reason: 'client' } },
  ]);
  expect(driver.core.poolView('p')?.slotsFree).toBe(2);
});

test('ORCH-3026 cancel is idempotent, and what the engine says later changes nothing', () => {
  const driver = running();
  const cancel = { type: 'cancel', taskId: 'a', reason: 'client' } as const;
  driver.step(cancel);
  expect(driver.step(cancel)).toEqual([]);
  const finish = { type: 'finish', taskId: 'a', attempt: 1, finishReason: 'stop' } as const;
  expect(driver.step({ ...finish, usage: USAGE })).toEqual([]);
});

test('OC-CORE-1005 a canceled waiting task gives up its place', () => {
  const driver = running();
  driver.admit('b');
  driver.admit('c');
  driver.admit('d');
  expect(driver.step({ type: 'cancel', taskId: 'c', reason: 'disconnect' })).toMatchObject([
    { type: 'ended' },
  ]);
  expect(ofType(driver.finish('a'), 'dispatch')).toMatchObject([{ taskId: 'd' }]);
});

test('OC-CORE-1029 only failures that could still tell of a crash are remembered', () => {
  const replica = { faultedAtMs: new Map<string, number>() } as ReplicaRecord;
  for (let n = 0; n < 1_000; n += 1) noteFault(replica, `t${n}`, 60_000 * n);
  expect([...replica.faultedAtMs.keys()]).toEqual(['t999']);
});
