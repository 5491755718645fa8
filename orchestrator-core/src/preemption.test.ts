import { expect, test } from 'vitest';
import { Driver, ofType, practise, USAGE } from './testing/fixtures.ts';
import type { PoolSpec, ReplicaView, TaskSpec } from './types.ts';

const batch = { priority: 'batch' } as const;

/** Tasks hold their slot for a second, and the core knows. */
function pool(fields: Partial<PoolSpec> = {}, replica: Partial<ReplicaView> = {}): Driver {
  const driver = new Driver();
  driver.pool({ preemption: 'hard', maxPreemptions: 2, capacity: 100, ...fields });
  driver.replica('r', { interruptible: true, ...replica });
  practise(driver, 10, {}, { decodeMs: 980 });
  return driver;
}

/** Batch work that has given its first token. */
function begin(driver: Driver, taskId: string, fields: Partial<TaskSpec> = {}): void {
  driver.admit(taskId, { ...batch, ...fields });
  driver.nowMs += 20;
  driver.progress(taskId);
}

const preempted = (effects: ReturnType<Driver['step']>) =>
  ofType(effects, 'abort')
    .filter(({ reason }) => reason === 'preempted')
    .map(({ taskId }) => taskId);

test('ORCH-3086 OC-CORE-1060 running batch work makes room for interactive work, and goes on after it', () => {
  const driver = pool();
  begin(driver, 'b');
  const effects = driver.admit('i');
  expect(effects.map(({ type }) => type)).toEqual(['accepted', 'abort', 'requeued', 'dispatch']);
  expect(ofType(effects, 'abort')).toMatchObject([{ taskId: 'b', reason: 'preempted' }]);
  expect(ofType(effects, 'dispatch')).toMatchObject([
    { taskId: 'i', decision: { preempted: true } },
  ]);
  expect(driver.core.task('b', driver.nowMs)).toMatchObject({ state: 'queued', preemptions: 1 });
  const [again] = ofType(driver.serve('i'), 'dispatch');
  expect(again).toMatchObject({ taskId: 'b', attempt: 2, decision: { preempted: false } });
  expect(ofType(driver.serve('b'), 'ended')).toMatchObject([{ outcome: { kind: 'completed' } }]);
});

test('ORCH-3085 OC-CORE-1061 soft and no preemption never stop what runs', () => {
  for (const preemption of ['soft', 'off'] as const) {
    const driver = pool({ preemption });
    begin(driver, 'b');
    expect(driver.admit('i').map(({ type }) => type)).toEqual(['accepted']);
  }
});

test('OC-CORE-1060 an engine that does not stop at a token boundary is left alone', () => {
  const driver = pool({}, { interruptible: false });
  begin(driver, 'b');
  expect(preempted(driver.admit('i'))).toEqual([]);
});

test('OC-CORE-1060 interactive work is never stopped, nor is anything for batch work', () => {
  const driver = pool();
  driver.admit('i');
  expect(preempted(driver.admit('j'))).toEqual([]);
  const other = pool();
  begin(other, 'b');
  expect(preempted(other.admit('c', batch))).toEqual([]);
});

test('OC-CORE-1060 nobody is stopped while another slot is free', () => {
  const driver = pool({}, { slots: 2 });
  begin(driver, 'b');
  expect(preempted(driver.admit('i'))).toEqual([]);
  expect(driver.stateOf('i')).toBe('running');
});

test('OC-CORE-1060 soon is measured by the prompt: a short one does not wait for what a long one would', () => {
  const stoppedFor = (promptTokens: number) => {
    const driver = new Driver();
    driver.pool({ preemption: 'hard' });
    driver.replica('r', { interruptible: true });
    practise(driver, 20, {}, { prefillMs: 2, decodeMs: 12, tokensOut: 4 });
    driver.admit('b', batch);
    driver.nowMs += 8;
    driver.progress('b');
    return preempted(driver.admit('i', { promptTokens }));
  };
  expect(stoppedFor(8)).toEqual(['b']);
  expect(stoppedFor(2_000)).toEqual([]);
});

test('OC-CORE-1060 nobody is stopped for a task that would start soon anyway', () => {
  const driver = new Driver();
  driver.pool({ preemption: 'hard' });
  driver.replica('r', { interruptible: true });
  practise(driver, 20, {}, { prefillMs: 5, decodeMs: 2, tokensOut: 2 });
  driver.admit('b', batch);
  driver.nowMs += 5;
  driver.progress('b');
  expect(preempted(driver.admit('i'))).toEqual([]);
});

test('OC-CORE-1060 the task that was stopped takes no part of the step that it made room in', () => {
  const driver = new Driver();
  driver.pool({ preemption: 'hard', maxPreemptions: 2 });
  driver.replica('r', { interruptible: true, slots: 2 });
  driver.admit('known');
  driver.finish('known');
  begin(driver, 'b', { promptTokens: 1 });
  driver.admit('prefilling', { promptTokens: 1 });
  driver.advance(36);
  const effects = driver.admit('i', { promptTokens: 700 });
  expect(preempted(effects)).toEqual(['b']);
  expect(ofType(effects, 'dispatch')).toMatchObject([{ taskId: 'i' }]);
});

test('OC-CORE-1062 work that has not begun is stopped before work that has', () => {
  const driver = pool({}, { slots: 3 });
  begin(driver, 'begun1');
  driver.admit('not-begun', batch);
  driver.admit('i1');
  driver.nowMs += 20;
  driver.progress('i1');
  expect(preempted(driver.admit('i2'))).toEqual(['not-begun']);
});

test('OC-CORE-1062 among those begun the one with the least KV to lose is stopped', () => {
  const driver = pool({}, { slots: 3 });
  begin(driver, 'much', { promptTokens: 100 });
  begin(driver, 'least', { promptTokens: 50 });
  begin(driver, 'long', { promptTokens: 50 });
  driver.progress('long', 40);
  expect(preempted(driver.admit('i'))).toEqual(['least']);
});

test('OC-CORE-1063 a task is stopped so often and no oftener', () => {
  const driver = pool({ maxPreemptions: 2 });
  driver.admit('b', batch);
  for (const n of [1, 2, 3]) {
    driver.nowMs += 20;
    driver.progress('b');
    expect(preempted(driver.admit(`i${n}`))).toEqual(n <= 2 ? ['b'] : []);
    if (n <= 2) driver.serve(`i${n}`);
  }
  expect(driver.core.task('b', driver.nowMs)).toMatchObject({ state: 'running', preemptions: 2 });
});

test('OC-CORE-1063 how often it was stopped is known after a restart', () => {
  const driver = pool();
  begin(driver, 'b');
  driver.admit('i');
  const next = new Driver();
  for (const { event, atMs } of driver.log) next.core.restore(event, atMs);
  expect(next.core.durableState().tasks[0]).toMatchObject({ preemptions: 1 });
  const third = new Driver();
  third.core.loadState(next.core.durableState());
  expect(third.core.task('b', next.nowMs)?.preemptions).toBe(1);
});

test('OC-CORE-1064 what cannot give the same bytes again is stopped only before its first token', () => {
  const once = { ...batch, rerunnable: false };
  const driver = pool();
  begin(driver, 'b', once);
  expect(preempted(driver.admit('i'))).toEqual([]);
  const fresh = pool();
  fresh.admit('b', once);
  expect(preempted(fresh.admit('i'))).toEqual(['b']);
});

test('ORCH-3045 OC-CORE-1064 stopped after output it goes on only within its replica set', () => {
  const driver = pool();
  begin(driver, 'b');
  driver.admit('i');
  expect(ofType(driver.replica('other', { setId: 'other' }), 'dispatch')).toEqual([]);
  expect(ofType(driver.replica('same'), 'dispatch')).toMatchObject([{ taskId: 'b' }]);
});

test('OC-CORE-1065 time on a slot before it was stopped is not held against it', () => {
  const driver = pool({ wallMs: 10_000, idleMs: 60_000 });
  begin(driver, 'b');
  driver.advance(6_000);
  driver.admit('i');
  driver.serve('i');
  expect(driver.stateOf('b')).toBe('running');
  expect(driver.advance(9_999)).toEqual([]);
  expect(ofType(driver.advance(1), 'ended')).toMatchObject([
    { outcome: { code: 'DECODE_TIMEOUT' } },
  ]);
});

/** Who goes on after tenant t's batch task was stopped, when u's waits as well. */
function nextAfterStop(hasBegun: boolean): string | undefined {
  const driver = new Driver({ tuning: { fairnessWindow: 0, returnCredit: 0 } });
  driver.pool({ preemption: 'hard', capacity: 100 });
  driver.replica('r', { interruptible: true });
  const alike = { ...batch, promptTokens: 400, maxTokens: 4, expectedTokens: 4 };
  driver.admit('t', { ...alike, tenantId: 't' });
  driver.admit('u', { ...alike, tenantId: 'u' });
  driver.nowMs += 20;
  if (hasBegun) driver.progress('t');
  expect(preempted(driver.admit('i', { tenantId: 'v' }))).toEqual(['t']);
  driver.finish('i');
  return driver.started.at(-1);
}

test('OC-CORE-1066 a tenant pays for a stopped task only what it was given', () => {
  expect(nextAfterStop(false)).toBe('t');
  expect(nextAfterStop(true)).toBe('u');
});

test('OC-CORE-1060 ORCH-3075 batch keeps its share where interactive work could stop it', () => {
  const tuning = { fairnessWindow: 16, returnCredit: 0 };
  const driver = new Driver({ tuning });
  driver.pool({ preemption: 'hard', maxPreemptions: 50, capacity: 10_000 });
  driver.replica('r', { interruptible: true });
  const alike = { promptTokens: USAGE.tokensIn, expectedTokens: USAGE.tokensOut };
  for (let n = 0; n < 200; n += 1) driver.admit(`b${n}`, { ...alike, ...batch });
  const ended: string[] = [];
  for (let turn = 0; turn < 900; turn += 1) {
    driver.admit(`i${turn}`, alike);
    driver.admit(`j${turn}`, alike);
    const taskId = driver.started.at(-1)!;
    driver.serve(taskId);
    ended.push(taskId);
  }
  const share = ended.filter((taskId) => taskId.startsWith('b')).length / ended.length;
  expect(share * 9).toBeGreaterThan(0.9);
});

/**
 * When a task of a quiet tenant takes the only slot from a greedy one's, ms after it came; undefined when the
 * other ends undisturbed. Tasks hold their slot for a second.
 */
function takenAfterMs(quiet: Partial<TaskSpec>, served: number): number | undefined {
  const driver = pool();
  const greedy = { tenantId: 'greedy', promptTokens: 300, expectedTokens: 50 };
  driver.admit('known', { ...quiet, tenantId: 'quiet' });
  driver.serve('known');
  for (let n = 0; n < served; n += 1) {
    driver.admit(`g${n}`, greedy);
    driver.serve(`g${n}`, { tokensIn: 300, tokensOut: 50, decodeMs: 980 });
  }
  driver.admit('g', greedy);
  driver.nowMs += 20;
  driver.progress('g');
  const cameMs = driver.nowMs;
  driver.admit('q', { ...quiet, tenantId: 'quiet' });
  while (driver.nowMs < cameMs + 900) {
    if (preempted(driver.advance(10)).includes('g')) return driver.nowMs - cameMs;
  }
  return undefined;
}

test('OC-CORE-1078 a tenant far ahead gives way to one that has waited for a tenth of a task', () => {
  const small = { promptTokens: 20, expectedTokens: 10 };
  expect(takenAfterMs(small, 5)).toBe(100);
  expect(takenAfterMs(small, 0)).toBeUndefined();
});

test('OC-CORE-1078 how far ahead is far goes by the task that waits', () => {
  expect(takenAfterMs({ promptTokens: 20, expectedTokens: 10 }, 3)).toBeDefined();
  expect(takenAfterMs({ promptTokens: 200, expectedTokens: 100 }, 3)).toBeUndefined();
});

test('OC-CORE-1060 for a task that must run alone one is stopped only where nothing else runs', () => {
  const joiner = { ...batch, rerunnable: false };
  const beside = pool({}, { slots: 2, strictAlone: true });
  begin(beside, 'b1', joiner);
  beside.admit('b2', joiner);
  expect(beside.stateOf('b2')).toBe('running');
  expect(preempted(beside.admit('strict'))).toEqual([]);

  const single = pool({}, { slots: 2, strictAlone: true });
  single.admit('b2', joiner);
  expect(preempted(single.admit('strict'))).toEqual(['b2']);
  expect(single.stateOf('strict')).toBe('running');
});
