import { describe, expect, test } from 'vitest';
import { Driver, ofType, SESSION_LIMITS, USAGE } from './testing/fixtures.ts';
import { Numbering } from './testing/prefix-fixtures.ts';
import type { SessionCache } from './types.ts';

const inSession = { sessionId: 'x' } as const;

function twoReplicas(tuning = {}): Driver {
  const driver = new Driver({ tuning });
  driver.pool();
  driver.replica('r1');
  driver.replica('r2');
  return driver;
}

/** Admits and finishes one turn; tells where it ran and whether its KV was warm. */
function turn(driver: Driver, taskId: string, fields = {}) {
  const [dispatch] = ofType(driver.admit(taskId, { ...inSession, ...fields }), 'dispatch');
  driver.finish(taskId);
  return dispatch && { replicaId: dispatch.replicaId, kvWarmth: dispatch.kvWarmth };
}

const session = (driver: Driver) => driver.core.session('x', driver.nowMs);

test('ORCH-3009 OC-CORE-1013 the next turn follows the session to its replica, warm', () => {
  const driver = twoReplicas();
  driver.admit('elsewhere');
  expect(turn(driver, 'a')).toEqual({ replicaId: 'r2', kvWarmth: false });
  driver.finish('elsewhere');
  expect(turn(driver, 'b')).toEqual({ replicaId: 'r2', kvWarmth: true });
  expect(session(driver)).toEqual({
    sessionId: 'x',
    tenantId: 't',
    poolId: 'p',
    ttlRemainingMs: SESSION_LIMITS.ttlMs,
    turns: 2,
    kvTokens: USAGE.tokensIn + USAGE.tokensOut,
    kvWarmth: true,
    replicaId: 'r2',
    tokensTotal: 2 * (USAGE.tokensIn + USAGE.tokensOut),
  });
});

test('a session stays warm while its next turn runs', () => {
  const driver = twoReplicas();
  turn(driver, 'a');
  driver.admit('b', inSession);
  expect(session(driver)).toMatchObject({ kvWarmth: true, replicaId: 'r1' });
});

test('ORCH-3009 OC-CORE-1013 a busy replica is not waited for: the session moves and is cold', () => {
  const driver = twoReplicas();
  turn(driver, 'a');
  driver.admit('occupies');
  expect(driver.replicaOf('occupies')).toBe('r1');
  expect(turn(driver, 'b')).toEqual({ replicaId: 'r2', kvWarmth: false });
  expect(session(driver)?.replicaId).toBe('r2');
});

test('ORCH-3009 OC-CORE-1017 losing the replica makes the session cold', () => {
  const driver = twoReplicas();
  turn(driver, 'a');
  driver.step({ type: 'replica-gone', poolId: 'p', replicaId: 'r1' });
  expect(session(driver)).toMatchObject({ kvWarmth: false, kvTokens: 0, replicaId: undefined });
  driver.replica('r1');
  expect(turn(driver, 'b')).toMatchObject({ kvWarmth: false });
});

test('a task that asks for a cold start ignores where the session is', () => {
  const driver = twoReplicas();
  driver.admit('elsewhere');
  turn(driver, 'a');
  driver.finish('elsewhere');
  expect(turn(driver, 'b', { kvHint: 'cold' })).toEqual({ replicaId: 'r1', kvWarmth: false });
});

test('ORCH-3021 OC-CORE-1016 after the time to live the session is over and its KV is evicted', () => {
  const driver = twoReplicas();
  turn(driver, 'a');
  expect(driver.advance(SESSION_LIMITS.ttlMs - 1)).toEqual([]);
  expect(session(driver)?.ttlRemainingMs).toBe(1);
  expect(driver.advance(1)).toEqual([{ type: 'evict-session', sessionId: 'x', replicaId: 'r1' }]);
  expect(session(driver)).toBeUndefined();
});

test('ORCH-3021 OC-CORE-1016 a turn after the time to live starts afresh, also before the tick', () => {
  const driver = twoReplicas();
  turn(driver, 'a');
  driver.nowMs += SESSION_LIMITS.ttlMs;
  expect(session(driver)).toBeUndefined();
  expect(turn(driver, 'b')).toMatchObject({ kvWarmth: false });
  expect(session(driver)).toMatchObject({ turns: 1, ttlRemainingMs: SESSION_LIMITS.ttlMs });
});

test('ORCH-3021 OC-CORE-1016 the turn after the last one starts the session afresh', () => {
  const driver = twoReplicas();
  for (let n = 0; n < SESSION_LIMITS.maxTurns; n += 1) turn(driver, `t${n}`);
  expect(session(driver)).toMatchObject({ turns: 8, kvWarmth: true });
  const effects = driver.admit('ninth', inSession);
  expect(ofType(effects, 'evict-session')).toHaveLength(1);
  expect(ofType(effects, 'dispatch')).toMatchObject([{ kvWarmth: false }]);
  expect(session(driver)).toMatchObject({ turns: 1, tokensTotal: 0 });
});

test('OC-CORE-1016 a refused task is no turn', () => {
  const driver = twoReplicas();
  turn(driver, 'a');
  driver.admit('too-large', { ...inSession, ctx: 1e9 });
  expect(session(driver)?.turns).toBe(1);
});

test('ORCH-2005 OC-CORE-1017 deleting a session evicts its KV, and a second time nothing', () => {
  const driver = twoReplicas();
  turn(driver, 'a');
  const remove = { type: 'session-delete', sessionId: 'x' } as const;
  expect(driver.step(remove)).toMatchObject([{ type: 'evict-session', replicaId: 'r1' }]);
  expect(driver.step(remove)).toEqual([]);
  expect(session(driver)).toBeUndefined();
});

test('a task that outlives its session does not count for the next one under that id', () => {
  const driver = twoReplicas();
  driver.admit('old', inSession);
  driver.step({ type: 'session-delete', sessionId: 'x' });
  driver.admit('new', inSession);
  driver.finish('old');
  expect(session(driver)).toMatchObject({ turns: 1, tokensTotal: 0 });
});

test("OC-CORE-1017 another tenant's session is not found", () => {
  const driver = twoReplicas();
  turn(driver, 'a');
  const effects = driver.admit('b', { ...inSession, tenantId: 'other' });
  expect(effects).toMatchObject([{ type: 'rejected', code: 'NOT_FOUND', path: '/session_id' }]);
});

test('a session that changes pool leaves its KV behind', () => {
  const driver = twoReplicas();
  driver.pool({ poolId: 'q' });
  driver.replica('q1', { poolId: 'q' });
  turn(driver, 'a');
  const effects = driver.admit('b', { ...inSession, poolId: 'q' });
  expect(ofType(effects, 'evict-session')).toMatchObject([{ replicaId: 'r1' }]);
  expect(ofType(effects, 'dispatch')).toMatchObject([{ replicaId: 'q1', kvWarmth: false }]);
  expect(session(driver)).toMatchObject({ poolId: 'q', turns: 2 });
  driver.finish('b');
  expect(turn(driver, 'c')).toEqual({ replicaId: 'r1', kvWarmth: false });
});

test('ORCH-3022 OC-CORE-1016 the number of sessions is bounded: the oldest makes room', () => {
  const driver = twoReplicas({ maxSessions: 2 });
  for (const sessionId of ['x', 'y', 'z']) turn(driver, sessionId, { sessionId });
  expect(session(driver)).toBeUndefined();
  expect(driver.core.session('y', driver.nowMs)).toBeDefined();
  expect(driver.core.session('z', driver.nowMs)).toBeDefined();
});

describe('OC-CORE-1124 a cache that was saved and restored', () => {
  /** The session ran on r2, which was lost and is about to be ready again. */
  function lostAndLoading(): Driver {
    const driver = twoReplicas();
    driver.admit('elsewhere');
    driver.admit('a', inSession);
    driver.serve('a');
    driver.serve('elsewhere');
    driver.step({ type: 'replica-gone', poolId: 'p', replicaId: 'r2' });
    driver.replica('r2', { ready: false });
    return driver;
  }

  const restore = (
    driver: Driver,
    replicaId: string,
    sessions: readonly SessionCache[] = [{ sessionId: 'x', kvTokens: 12 }],
  ) => driver.step({ type: 'cache-restored', poolId: 'p', replicaId, sessions, prefixes: [] });

  const warmed = ({ log }: Driver) => log.filter(({ event }) => event.type === 'sessions.warmed');

  test('the session is warm where it was restored, and its next turn runs there', () => {
    const driver = lostAndLoading();
    expect(restore(driver, 'r2')).toEqual([]);
    expect(session(driver)).toMatchObject({ kvWarmth: true, kvTokens: 12, replicaId: 'r2' });
    driver.replica('r2');
    expect(turn(driver, 'b')).toEqual({ replicaId: 'r2', kvWarmth: true });
  });

  test('it is cold again when that replica is lost, or the daemon', () => {
    const driver = lostAndLoading();
    restore(driver, 'r2');
    driver.step({ type: 'replica-gone', poolId: 'p', replicaId: 'r2' });
    expect(session(driver)).toMatchObject({ kvWarmth: false, kvTokens: 0 });
    driver.replica('r2');
    restore(driver, 'r2');
    driver.keep(driver.core.resume(driver.nowMs));
    expect(session(driver)).toMatchObject({ kvWarmth: false, kvTokens: 0 });
  });

  test('a session that went on elsewhere stays there', () => {
    const driver = lostAndLoading();
    turn(driver, 'b');
    restore(driver, 'r2');
    expect(session(driver)?.replicaId).toBe('r1');
    expect(warmed(driver)).toEqual([]);
  });

  test('a session that went to another pool, or has ended, is left as it is', () => {
    const moved = lostAndLoading();
    moved.pool({ poolId: 'q' });
    moved.admit('b', { ...inSession, poolId: 'q' });
    restore(moved, 'r2');
    expect(session(moved)).toMatchObject({ poolId: 'q', replicaId: undefined });

    const ended = lostAndLoading();
    ended.step({ type: 'session-delete', sessionId: 'x' });
    restore(ended, 'r2');
    expect(session(ended)).toBeUndefined();
    expect([...warmed(moved), ...warmed(ended)]).toEqual([]);
  });

  test('of a replica that is not known nothing is believed', () => {
    const driver = lostAndLoading();
    restore(driver, 'gone');
    expect(session(driver)).toMatchObject({ kvWarmth: false });
  });

  test('what else it holds draws tasks that begin alike', () => {
    const driver = lostAndLoading();
    const prefix = new Numbering().prefixOf('a'.repeat(80), 100);
    const what = { poolId: 'p', replicaId: 'r2', sessions: [], prefixes: [prefix] } as const;
    driver.step({ type: 'cache-restored', ...what });
    driver.pool({ ctx: 9_000 });
    driver.replica('r1', { ctx: 9_000 });
    driver.replica('r2', { ctx: 9_000 });
    driver.admit('like', { promptTokens: 8_000, prefix });
    expect(driver.replicaOf('like')).toBe('r2');
  });
});
