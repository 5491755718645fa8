import { expect, test } from 'vitest';
import { Driver, ofType } from './testing/fixtures.ts';
import type { TaskSpec } from './types.ts';

function ready(): Driver {
  const driver = new Driver();
  driver.pool({ ctx: 100 });
  driver.replica('r', { ctx: 100 });
  return driver;
}

function refusal(driver: Driver, fields: Partial<TaskSpec>) {
  const [rejected] = ofType(driver.admit('new', fields), 'rejected');
  return rejected && { code: rejected.code, path: rejected.path };
}

test('a pool that nobody configured is not found', () => {
  expect(refusal(new Driver(), {})?.code).toBe('NOT_FOUND');
});

test('ORCH-3014 OC-CORE-1020 a context above the pool is refused before enqueue', () => {
  expect(refusal(ready(), { ctx: 101 })).toEqual({ code: 'INVALID_PARAMS', path: '/ctx' });
  expect(refusal(ready(), { ctx: 100 })).toBeUndefined();
});

test('ORCH-3015 OC-CORE-1021 prompt and generation must fit the context together', () => {
  const invalid = (path: string) => ({ code: 'INVALID_PARAMS', path });
  expect(refusal(ready(), { promptTokens: 60, maxTokens: 40 })).toBeUndefined();
  expect(refusal(ready(), { promptTokens: 60, maxTokens: 41 })).toEqual(invalid('/max_tokens'));
  expect(refusal(ready(), { promptTokens: 100, maxTokens: 1 })).toEqual(invalid('/prompt'));
  expect(refusal(ready(), { promptTokens: 99, maxTokens: undefined })).toBeUndefined();
  expect(refusal(ready(), { promptTokens: 100, maxTokens: undefined })).toEqual(invalid('/prompt'));
  expect(refusal(ready(), { promptTokens: 100, maxTokens: 0 })).toBeUndefined();
});

test('ORCH-3015 OC-CORE-1021 an uncounted prompt is held against the budget only where it is certain', () => {
  const uncounted = { promptTokens: 5_000, promptTokensExact: false };
  expect(refusal(ready(), { ...uncounted, maxTokens: 99 })).toBeUndefined();
  expect(refusal(ready(), { ...uncounted, maxTokens: 100 })).toEqual({
    code: 'INVALID_PARAMS',
    path: '/max_tokens',
  });
});

test('OC-CORE-1020 the context is the smallest of the ready replicas, or the last one seen', () => {
  const driver = ready();
  driver.replica('small', { ctx: 50 });
  expect(driver.core.poolView('p')?.ctx).toBe(50);
  driver.replica('small', { ctx: 50, ready: false });
  expect(driver.core.poolView('p')?.ctx).toBe(100);
  driver.replica('r', { ctx: 100, ready: false });
  expect(driver.core.poolView('p')?.ctx).toBe(100);
});

test('ORCH-2101 a draining pool refuses with a retry hint', () => {
  const driver = ready();
  driver.step({ type: 'drain', poolId: 'p', deadlineMs: 7_000 });
  const [rejected] = ofType(driver.admit('new'), 'rejected');
  expect(rejected).toMatchObject({ code: 'POOL_UNREADY', retryAfterMs: 7_000 });
});

test('ORCH-3018 OC-CORE-1025 a pool that cannot come back fails fast, until a replica is ready again', () => {
  const driver = ready();
  const unavailable = { type: 'pool-availability', poolId: 'p', reason: 'restarts spent' } as const;
  driver.step({ ...unavailable, recoverable: false });
  const [rejected] = ofType(driver.admit('new'), 'rejected');
  expect(rejected?.code).toBe('POOL_UNAVAILABLE');
  expect(rejected?.retryAfterMs).toBeGreaterThan(0);
  driver.replica('r', { ctx: 100 });
  expect(refusal(driver, {})).toBeUndefined();
});

test('ORCH-3018 OC-CORE-1025 what waits in a pool that cannot come back ends with a typed error', () => {
  const driver = new Driver();
  driver.pool();
  driver.admit('a');
  const effects = driver.step({
    type: 'pool-availability',
    poolId: 'p',
    recoverable: false,
    reason: 'restarts spent',
  });
  expect(effects).toMatchObject([{ type: 'ended', outcome: { code: 'POOL_UNAVAILABLE' } }]);
  driver.step({ type: 'pool-availability', poolId: 'p', recoverable: true, reason: '' });
  expect(ofType(driver.admit('b'), 'accepted')).toHaveLength(1);
});

test('ORCH-3010 OC-CORE-1025 a cold pool accepts and queues, and dispatches only once a replica is ready', () => {
  const driver = new Driver();
  driver.pool();
  driver.replica('r', { ready: false });
  const [accepted] = ofType(driver.admit('a'), 'accepted');
  expect(accepted?.queuePosition).toBe(1);
  expect(accepted?.predictedStartMs).toBeGreaterThan(0);
  expect(driver.stateOf('a')).toBe('queued');
  expect(ofType(driver.replica('r'), 'dispatch')).toHaveLength(1);
});

test('ORCH-3079 OC-CORE-1026 a deadline that has passed is refused', () => {
  const driver = ready();
  expect(refusal(driver, { deadlineAtMs: driver.nowMs })).toEqual({
    code: 'DEADLINE_UNMET',
    path: '/deadline_ms',
  });
  expect(refusal(driver, { deadlineAtMs: driver.nowMs + 1 })).toBeUndefined();
});

test('a live task id is refused, whatever the body', () => {
  const driver = ready();
  driver.admit('new');
  expect(refusal(driver, {})?.code).toBe('CONFLICT');
});

test('OC-CORE-1019 the first failing check in the fixed order gives the answer', () => {
  const driver = ready();
  const everythingWrong = {
    ctx: 1e9,
    maxTokens: 1e9,
    sessionId: 'x',
    tenantId: 'other',
    deadlineAtMs: 0,
  };
  const codes = () => refusal(driver, everythingWrong)?.code;
  driver.step({ type: 'pool-availability', poolId: 'p', recoverable: false, reason: 'test' });
  driver.step({ type: 'drain', poolId: 'p', deadlineMs: 1_000 });
  expect(codes()).toBe('POOL_UNREADY');
  driver.step({ type: 'undrain', poolId: 'p' });
  expect(codes()).toBe('POOL_UNAVAILABLE');
  driver.step({ type: 'pool-availability', poolId: 'p', recoverable: true, reason: '' });
  driver.admit('first', { sessionId: 'x' });
  const events = driver.log.length;
  const sized = { ...everythingWrong, ctx: undefined };
  const fitting = { ...sized, maxTokens: 1 };
  const own = { ...fitting, tenantId: 't' };
  expect(refusal(driver, everythingWrong)).toMatchObject({ path: '/ctx' });
  expect(refusal(driver, sized)).toMatchObject({ path: '/max_tokens' });
  expect(refusal(driver, fitting)).toMatchObject({ path: '/session_id' });
  expect(refusal(driver, own)).toMatchObject({ code: 'DEADLINE_UNMET' });
  expect(driver.log).toHaveLength(events);
});

test('ORCH-3029 OC-CORE-1018 OC-CORE-1040 position and predicted start grow with what is ahead', () => {
  const driver = ready();
  const admitted = (taskId: string) => ofType(driver.admit(taskId), 'accepted')[0]!;
  expect(admitted('runs')).toMatchObject({ queuePosition: 0, predictedStartMs: 0 });
  const waiting = ['a', 'b', 'c'].map(admitted);
  expect(waiting.map(({ queuePosition }) => queuePosition)).toEqual([1, 2, 3]);
  const starts = waiting.map(({ predictedStartMs }) => predictedStartMs);
  expect(starts).toEqual([...starts].sort((x, y) => x - y));
  expect(new Set(starts).size).toBe(3);
  expect(driver.core.task('c', driver.nowMs)).toMatchObject({ queuePosition: 3, state: 'queued' });
  expect(driver.core.task('runs', driver.nowMs)).toMatchObject({ queuePosition: 0, attempt: 1 });
});
