import { expect, test } from 'vitest';
import { Driver, ofType, USAGE } from './testing/fixtures.ts';
import type { DurableState } from './snapshot.ts';
import type { TaskSpec } from './types.ts';

/** The same ledger in a new process: events folded, pools configured, not yet resumed. */
function reborn(before: Driver, pools: readonly string[] = ['p']): Driver {
  const driver = new Driver();
  driver.nowMs = before.nowMs + 60_000;
  for (const { event, atMs } of before.log) {
    driver.core.restore(JSON.parse(JSON.stringify(event)) as typeof event, atMs);
  }
  for (const poolId of pools) driver.pool({ poolId });
  return driver;
}

const resume = (driver: Driver, ...outputSeen: string[]) =>
  driver.keep(driver.core.resume(driver.nowMs, { outputSeen: new Set(outputSeen) }));

function twoRunningTwoWaiting(): Driver {
  const driver = new Driver();
  driver.pool();
  driver.replica('r', { slots: 2 });
  driver.admit('a', { rerunnable: false });
  driver.admit('b', { sessionId: 'x' });
  driver.admit('c');
  driver.admit('d', { priority: 'batch' });
  return driver;
}

test('OC-CORE-1032 after a crash running tasks are queued again, in order of arrival, before the others', () => {
  const driver = reborn(twoRunningTwoWaiting());
  expect(resume(driver).map((effect) => effect.type)).toEqual(['requeued', 'requeued']);
  const dispatched = [...ofType(driver.replica('r', { slots: 4 }), 'dispatch')];
  driver.nowMs += 20;
  // Batch work comes when the prompts of the others have been computed.
  for (const taskId of ['a', 'b', 'c'])
    dispatched.push(...ofType(driver.progress(taskId), 'dispatch'));
  expect(dispatched.map(({ taskId, attempt }) => `${taskId}${attempt}`)).toEqual([
    'a2',
    'b2',
    'c1',
    'd1',
  ]);
});

test('OC-CORE-1032 after a crash a task that sent output and is not repeatable ends with WORKER_RESET', () => {
  const driver = reborn(twoRunningTwoWaiting());
  expect(ofType(resume(driver, 'a', 'b'), 'ended')).toMatchObject([
    { taskId: 'a', outcome: { code: 'WORKER_RESET' } },
  ]);
  driver.replica('other', { setId: 'z' });
  expect(driver.stateOf('b')).toBeUndefined();
  expect(driver.replicaOf('c')).toBe('other');
});

test('OC-CORE-1032 after a crash a repeatable task with output runs again within its set', () => {
  const driver = reborn(twoRunningTwoWaiting());
  resume(driver, 'b');
  driver.replica('same', { ready: false });
  driver.replica('other', { setId: 'z', slots: 4 });
  expect(driver.stateOf('b')).toBe('queued');
  driver.replica('same');
  expect(driver.replicaOf('b')).toBe('same');
});

test('OC-CORE-1032 crashes use up neither attempts nor wall time', () => {
  let driver = twoRunningTwoWaiting();
  for (let crash = 0; crash < 10; crash += 1) {
    const next = reborn(driver);
    next.log.push(...driver.log);
    driver = next;
    resume(driver);
    driver.replica('r', { slots: 2 });
  }
  expect(driver.core.task('a', driver.nowMs)).toMatchObject({ state: 'running', attempt: 11 });
  driver.progress('a');
  expect(ofType(driver.advance(4_999), 'abort')).toEqual([]);
});

test('OC-CORE-1032 after a crash sessions live on, cold', () => {
  const before = twoRunningTwoWaiting();
  before.finish('b');
  expect(before.core.session('x', before.nowMs)?.kvWarmth).toBe(true);
  const driver = reborn(before);
  resume(driver);
  expect(driver.core.session('x', driver.nowMs)).toMatchObject({
    turns: 1,
    kvWarmth: false,
    tokensTotal: USAGE.tokensIn + USAGE.tokensOut,
  });
});

test('OC-CORE-1032 after a crash a drain is still on', () => {
  const before = twoRunningTwoWaiting();
  before.step({ type: 'drain', poolId: 'p', deadlineMs: 1_000 });
  const driver = reborn(before);
  resume(driver);
  expect(driver.replica('r')).toEqual([]);
  driver.advance(0);
  expect(driver.core.nextWakeMs()).toBe(before.nowMs + 600_000);
  expect(ofType(driver.step({ type: 'undrain', poolId: 'p' }), 'dispatch')).toHaveLength(1);
});

test('OC-CORE-1032 tasks of a pool that is not configured any more end with POOL_UNAVAILABLE', () => {
  const driver = reborn(twoRunningTwoWaiting(), []);
  const ended = ofType(resume(driver), 'ended');
  expect(ended).toHaveLength(4);
  expect(ended[0]?.outcome).toMatchObject({ code: 'POOL_UNAVAILABLE', retriable: false });
});

test('OC-CORE-1040 OC-CORE-1041 live tasks are listed in order of arrival', () => {
  const driver = reborn(twoRunningTwoWaiting());
  resume(driver);
  const listed = driver.core.liveTasks(driver.nowMs);
  expect(listed.map(({ spec }) => spec.taskId)).toEqual(['a', 'b', 'c', 'd']);
  expect(listed.slice(0, 2).map(({ queuePosition }) => queuePosition)).toEqual([1, 2]);
});

test('OC-CORE-1031 a snapshot through JSON continues like the core it was taken from', () => {
  const before = twoRunningTwoWaiting();
  before.fail('a');
  before.step({ type: 'drain', poolId: 'p', deadlineMs: 5_000 });
  before.finish('b');
  const saved = JSON.parse(JSON.stringify(before.core.durableState())) as DurableState;
  const driver = new Driver();
  driver.core.loadState(saved);
  expect(JSON.stringify(driver.core.durableState())).toBe(JSON.stringify(saved));
  expect(driver.core.nextWakeMs()).toBe(before.nowMs + 5_000);
  expect(() => driver.core.loadState(saved)).toThrow('before anything else');
});

test('ORCH-2101 OC-CORE-1031 a drain of a snapshot ends what still runs at its deadline', () => {
  const before = twoRunningTwoWaiting();
  before.step({ type: 'drain', poolId: 'p', deadlineMs: 5_000 });
  const driver = new Driver();
  driver.nowMs = before.nowMs;
  driver.core.loadState(JSON.parse(JSON.stringify(before.core.durableState())) as DurableState);
  driver.pool();
  expect(ofType(driver.advance(4_999), 'abort')).toEqual([]);
  expect(ofType(driver.advance(1), 'abort')).toMatchObject([
    { taskId: 'a', reason: 'drain' },
    { taskId: 'b', reason: 'drain' },
  ]);
});

test('OC-CORE-1031 a ledger written without tenants, placement and prefixes is read as it was meant', () => {
  const spec = {
    taskId: 'old',
    poolId: 'p',
    tenantId: 'default',
    priority: 'batch',
    promptTokens: 8,
    promptTokensExact: true,
    maxTokens: 16,
    deadlineAtMs: 9_000_000,
    rerunnable: true,
    kvHint: 'reuse',
  } as unknown as TaskSpec;
  const driver = new Driver();
  const accepted = { taskId: 'old', seq: 1, task: spec, queuePosition: 1, predictedStartMs: 5 };
  driver.core.restore({ type: 'task.accepted', ...accepted }, 10);
  const dispatched = { taskId: 'old', attempt: 1, replicaId: 'gone', setId: 's', kvWarmth: false };
  driver.core.restore({ type: 'task.dispatched', ...dispatched }, 20);
  driver.pool();
  expect(resume(driver)).toMatchObject([{ type: 'requeued', reason: 'recovery' }]);
  expect(driver.core.task('old', driver.nowMs)).toMatchObject({ preemptions: 0 });
  expect(ofType(driver.replica('r'), 'dispatch')).toMatchObject([{ taskId: 'old', attempt: 2 }]);
});

test('OC-CORE-1031 a snapshot that holds observed hold times, and no preemptions, is loaded', () => {
  const before = twoRunningTwoWaiting();
  const saved = JSON.parse(JSON.stringify(before.core.durableState())) as DurableState;
  const holds = { interactive: { count: 3, meanMs: 100 } };
  const open = { poolId: 'open', holds } as unknown as DurableState['pools'][number];
  const old = { ...saved, pools: [{ poolId: 'p', holds, drainDeadlineAtMs: 7_000 }, open] };
  const driver = new Driver();
  driver.core.loadState(old);
  driver.pool();
  expect(driver.core.durableState()).toMatchObject({ tasks: saved.tasks });
  expect(driver.core.poolView('p')).toMatchObject({ draining: true, drainDeadlineAtMs: 7_000 });
  expect(driver.core.nextWakeMs()).toBe(7_000);
  expect(resume(driver).map((effect) => effect.type)).toEqual(['requeued', 'requeued']);
});

test('a snapshot of another version is refused', () => {
  const saved = new Driver().core.durableState();
  expect(() => new Driver().core.loadState({ ...saved, v: 99 })).toThrow('version 99 is unknown');
});

test('an event that does not fit the state is a damaged ledger and throws', () => {
  const { core, log } = twoRunningTwoWaiting();
  const restore = (event: Parameters<typeof core.restore>[0]) => () => core.restore(event, 1);
  const dispatched = { attempt: 1, replicaId: 'r', setId: 's', kvWarmth: false } as const;
  expect(restore(log[0]!.event)).toThrow('accepted twice');
  expect(restore({ type: 'task.dispatched', taskId: 'a', ...dispatched })).toThrow('not waiting');
  expect(restore({ type: 'task.dispatched', taskId: '?', ...dispatched })).toThrow('no live task');
  const requeued = { reason: 'fault', pinnedSetId: undefined } as const;
  expect(restore({ type: 'task.requeued', taskId: 'c', ...requeued })).toThrow('not running');
  expect(restore({ type: 'session.ended', sessionId: '?', reason: 'expired' })).toThrow('session');
});
