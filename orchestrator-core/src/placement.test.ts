import { describe, expect, test } from 'vitest';
import type { PassOver } from './decision.ts';
import { isBetter, type Prospect } from './placement.ts';
import type { PoolState, TaskRecord } from './state.ts';
import { Driver, ofType, practise, USAGE } from './testing/fixtures.ts';
import { Numbering } from './testing/prefix-fixtures.ts';
import type { PoolSpec, ReplicaView, TaskSpec } from './types.ts';

const CTX = 16_384;

function poolOf(replicas: Record<string, Partial<ReplicaView>>, pool: Partial<PoolSpec> = {}) {
  const driver = new Driver();
  driver.pool({ ctx: CTX, capacity: 100, ...pool });
  for (const [id, fields] of Object.entries(replicas)) driver.replica(id, { ctx: CTX, ...fields });
  return driver;
}

const where = (effects: ReturnType<Driver['step']>) =>
  ofType(effects, 'dispatch').map(({ replicaId }) => replicaId);

/** A prompt of 8,000 tokens that every call makes the same beginning of. */
function longPrompt(): Partial<TaskSpec> {
  const prefix = new Numbering().prefixOf('a'.repeat(80), 100);
  return { promptTokens: 8_000, prefix };
}

test('ORCH-3008 OC-CORE-1012 replicas that would serve equally well are taken by load, then by id', () => {
  const driver = poolOf({ r2: { slots: 2 }, r1: { slots: 2 }, r3: { slots: 1 } });
  const started = ['a', 'b', 'c', 'd', 'e'].flatMap((taskId) => {
    const to = where(driver.admit(taskId));
    driver.progress(taskId);
    return to;
  });
  expect(started).toEqual(['r1', 'r2', 'r3', 'r1', 'r2']);
});

test('ORCH-3091 OC-CORE-1013 the replica that holds the beginning of a prompt wins over an idle one', () => {
  const driver = poolOf({ r1: { slots: 4 }, r2: { slots: 4 } });
  driver.admit('elsewhere');
  driver.progress('elsewhere');
  expect(where(driver.admit('a', longPrompt()))).toEqual(['r2']);
  driver.progress('a');
  driver.finish('elsewhere');
  const effects = driver.admit('b', longPrompt());
  expect(where(effects)).toEqual(['r2']);
  const { decision } = ofType(effects, 'dispatch')[0]!;
  expect(decision.replicas).toMatchObject([
    { replicaId: 'r2', verdict: 'chosen' },
    { replicaId: 'r1', verdict: 'slower', cachedTokens: 0 },
  ]);
  expect(decision.replicas[0]?.cachedTokens).toBeGreaterThan(7_500);
});

test('ORCH-3091 what is cached of a prompt makes it short, and so sooner due than a long one', () => {
  const driver = poolOf({ r1: {} });
  practise(driver, 20);
  driver.admit('a', longPrompt());
  driver.serve('a', { tokensIn: 8_000, prefillMs: 500 });
  driver.admit('occupies');
  driver.progress('occupies');
  driver.admit('long', { promptTokens: 8_000 });
  driver.nowMs += 1;
  driver.admit('warm', longPrompt());
  driver.finish('occupies');
  expect(driver.replicaOf('warm')).toBe('r1');
  expect(driver.stateOf('long')).toBe('queued');
});

test('ORCH-3091 a task that asks for a cold start does not look for what is cached', () => {
  const driver = poolOf({ r1: { slots: 4 }, r2: { slots: 4 } });
  driver.admit('elsewhere');
  driver.progress('elsewhere');
  driver.admit('a', longPrompt());
  driver.progress('a');
  driver.finish('elsewhere');
  expect(where(driver.admit('b', { ...longPrompt(), kvHint: 'cold' }))).toEqual(['r1']);
});

test('ORCH-3091 what a lost replica held is not counted on', () => {
  const driver = poolOf({ r1: { slots: 4 }, r2: { slots: 4 } });
  driver.admit('a', longPrompt());
  driver.serve('a', { tokensIn: 8_000 });
  driver.step({ type: 'replica-gone', poolId: 'p', replicaId: 'r1' });
  driver.replica('r1', { ctx: CTX, slots: 4 });
  const [dispatch] = ofType(driver.admit('b', longPrompt()), 'dispatch');
  expect(dispatch?.decision.replicas.map(({ cachedTokens }) => cachedTokens)).toEqual([0, 0]);
});

/** `r1` is warm for the long prompt and busy; `r2` is idle. Tasks hold their slots for `holdMs`. */
function warmButBusy(holdMs: number): Driver {
  const driver = poolOf({ r1: {} });
  practise(driver, 20, {}, { decodeMs: holdMs - 20, tokensOut: 4 });
  driver.admit('a', longPrompt());
  driver.serve('a', { tokensIn: 8_000, prefillMs: 500, decodeMs: holdMs - 20 });
  driver.admit('occupies');
  driver.progress('occupies');
  driver.replica('r2', { ctx: CTX });
  return driver;
}

test('OC-CORE-1056 a task is held for a warm replica that will soon be free, and served there', () => {
  const driver = warmButBusy(60);
  expect(where(driver.admit('b', longPrompt()))).toEqual([]);
  expect(driver.core.wait('b', driver.nowMs)).toMatchObject({ cause: 'held', heldForId: 'r1' });
  expect(where(driver.admit('c'))).toEqual(['r2']);
  expect(where(driver.finish('occupies'))).toEqual(['r1']);
});

test('OC-CORE-1056 those behind one that is held take the replicas that are open', () => {
  const driver = warmButBusy(100);
  driver.replica('r3', { ctx: CTX });
  expect(where(driver.admit('held', longPrompt()))).toEqual([]);
  expect(driver.core.wait('held', driver.nowMs)).toMatchObject({ cause: 'held', heldForId: 'r1' });
  driver.nowMs += 1;
  const other = { promptTokens: 8_000 };
  const [first, second] = [where(driver.admit('x', other)), where(driver.admit('y', other))];
  expect([...first, ...second].toSorted()).toEqual(['r2', 'r3']);
  expect(driver.core.wait('held', driver.nowMs)?.cause).not.toBe('held');
});

test('OC-CORE-1056 it is not held when waiting takes longer than a cold start', () => {
  const driver = warmButBusy(60_000);
  expect(where(driver.admit('b', longPrompt()))).toEqual(['r2']);
});

test('ORCH-3011 OC-CORE-1057 devices and labels say where a task may run', () => {
  const driver = poolOf({
    r1: { slots: 4, device: 'cpu', labels: { zone: 'east', tier: 'a' } },
    r2: { slots: 4, device: 'gpu0', labels: { zone: 'west', tier: 'a' } },
  });
  const on = (placement: NonNullable<TaskSpec['placement']>, taskId: string) =>
    where(driver.admit(taskId, { placement }));
  expect(on({ devices: ['gpu0', 'gpu1'] }, 'a')).toEqual(['r2']);
  expect(on({ labels: { zone: 'west' } }, 'b')).toEqual(['r2']);
  expect(on({ labels: { zone: 'east', tier: 'a' } }, 'c')).toEqual(['r1']);
  expect(on({ devices: ['cpu'], labels: { tier: 'a' } }, 'd')).toEqual(['r1']);
});

test('OC-CORE-1057 what no replica of the pool has is refused, once there is one', () => {
  const driver = poolOf({ r1: { device: 'cpu', labels: { zone: 'east' } } });
  const refusal = (placement: NonNullable<TaskSpec['placement']>) =>
    ofType(driver.admit('a', { placement }), 'rejected')[0];
  const invalid = { code: 'INVALID_PARAMS' };
  expect(refusal({ labels: { zone: 'west' } })).toMatchObject({
    ...invalid,
    path: '/placement/labels',
  });
  expect(refusal({ devices: ['gpu0'] })).toMatchObject({ ...invalid, path: '/placement/devices' });
  expect(refusal({ devices: ['cpu'], labels: { zone: 'east' } })).toBeUndefined();
  expect(ofType(poolOf({}).admit('a', { placement: { devices: ['x'] } }), 'accepted')).toHaveLength(
    1,
  );
});

test('OC-CORE-1057 a task waits for the replica that fits it, and others pass', () => {
  const driver = poolOf({});
  driver.admit('bound', { placement: { labels: { zone: 'west' } } });
  driver.admit('free');
  expect(where(driver.replica('r1', { ctx: CTX, labels: { zone: 'east' } }))).toEqual(['r1']);
  expect(driver.started).toEqual(['free']);
  driver.finish('free');
  expect(driver.stateOf('bound')).toBe('queued');
  expect(where(driver.replica('r2', { ctx: CTX, labels: { zone: 'west' } }))).toEqual(['r2']);
});

test('OC-CORE-1057 a replica whose labels change serves those who wait for them', () => {
  const driver = poolOf({ r1: { labels: { zone: 'east' } }, r2: { labels: { zone: 'west' } } });
  driver.admit('other', { placement: { labels: { zone: 'west' } } });
  driver.admit('bound', { placement: { labels: { zone: 'west' } } });
  expect(driver.stateOf('bound')).toBe('queued');
  expect(where(driver.replica('r1', { ctx: CTX, labels: { zone: 'west' } }))).toEqual(['r1']);
});

test('OC-CORE-1058 two tasks with one anti-affinity key never run on one replica', () => {
  const apart = { placement: { antiAffinity: 'k' } } as const;
  const driver = poolOf({ r1: { slots: 3 } });
  driver.admit('a', apart);
  expect(where(driver.admit('b', apart))).toEqual([]);
  expect(driver.core.wait('b', driver.nowMs)?.replicas).toMatchObject([
    { verdict: 'anti-affinity' },
  ]);
  expect(where(driver.admit('other', { placement: { antiAffinity: 'l' } }))).toEqual(['r1']);
  expect(where(driver.admit('free'))).toEqual(['r1']);
  expect(where(driver.replica('r2', { ctx: CTX }))).toEqual(['r2']);
  driver.admit('c', apart);
  expect(where(driver.finish('a'))).toEqual(['r1']);
  expect(driver.started.at(-1)).toBe('c');
});

test('ORCH-3020 OC-CORE-1059 where slots share their KV, a task waits until there is room for it', () => {
  const driver = poolOf({ r1: { slots: 4, kvTokens: 2_000 } });
  const large = { promptTokens: 1_500, maxTokens: 100, expectedTokens: 100 };
  driver.admit('a', large);
  driver.progress('a');
  expect(where(driver.admit('b', large))).toEqual([]);
  expect(driver.core.wait('b', driver.nowMs)?.replicas).toMatchObject([{ verdict: 'no-kv-room' }]);
  expect(driver.core.poolView('p')?.slotsFree).toBe(3);
  expect(where(driver.finish('a', { ...USAGE, tokensIn: 1_500 }))).toEqual(['r1']);
});

test('OC-CORE-1059 a prompt that fits no KV with others runs alone', () => {
  const driver = poolOf({ r1: { slots: 4, kvTokens: 1_000 } });
  expect(where(driver.admit('a', { promptTokens: 1_500 }))).toEqual(['r1']);
});

test('OC-CORE-1012 a re-run goes to another replica than the one where it failed', () => {
  const driver = poolOf({ r1: {}, r2: { slots: 2 } });
  driver.admit('a');
  driver.fail('a');
  expect(driver.replicaOf('a')).toBe('r2');
});

test('OC-CORE-1096 a slow replica takes what would come later from a quick one that has more to do', () => {
  const driver = poolOf({
    quick: { slots: 8, labels: { speed: 'quick' } },
    slow: { slots: 8, labels: { speed: 'slow' } },
  });
  const prompt = { promptTokens: 1_000 };
  for (let n = 0; n < 40; n += 1) {
    const speed = n % 2 === 0 ? 'quick' : 'slow';
    const placement = { labels: { speed }, devices: undefined, antiAffinity: undefined };
    driver.admit(`practice${n}`, { ...prompt, placement });
    const prefillMs = speed === 'quick' ? 100 : 150;
    driver.serve(`practice${n}`, { tokensIn: 1_000, prefillMs });
  }
  expect(where(driver.admit('first', prompt))).toEqual(['quick']);
  expect(where(driver.admit('second', prompt))).toEqual(['slow']);
});

test('OC-CORE-1012 of replicas that are as good, the one that was not given work for longest takes it', () => {
  const driver = new Driver();
  driver.pool();
  for (const replicaId of ['r1', 'r2', 'r3']) driver.replica(replicaId);
  const ran = Array.from({ length: 9 }, (_, n) => {
    const [dispatch] = ofType(driver.admit(`t${n}`), 'dispatch');
    // As quick as it was taken to be: none looks better than another.
    driver.advance(dispatch?.decision.firstTokenMs ?? 0);
    driver.progress(`t${n}`, 1);
    driver.finish(`t${n}`);
    return dispatch?.replicaId;
  });
  for (const replicaId of ['r1', 'r2', 'r3']) {
    expect(ran.filter((each) => each === replicaId)).toHaveLength(3);
  }
});

test('ORCH-3019 OC-CORE-1125 a new session goes where it pushes out none, though that is a little slower', () => {
  const driver = poolOf({ r1: { labels: { id: 'r1' } }, r2: { labels: { id: 'r2' } } });
  const prompt = { promptTokens: 1_000 };
  const turn = (sessionId: string, replicaId?: string): string | undefined => {
    const labels = replicaId === undefined ? undefined : { id: replicaId };
    const placement = labels && { labels, devices: undefined, antiAffinity: undefined };
    const taskId = `${sessionId}-${driver.nowMs}`;
    const [to] = where(driver.admit(taskId, { ...prompt, sessionId, placement }));
    driver.serve(taskId, { tokensIn: 1_000, prefillMs: to === 'r1' ? 100 : 110 });
    return to;
  };
  for (let n = 0; n < 40; n += 1) turn('early', n % 2 === 0 ? 'r2' : 'r1');
  expect(turn('late')).toBe('r2');
  expect(turn('early')).toBe('r1');
  expect(turn('third')).toBe('r1');
});

test('OC-CORE-1059 a task waits for room in the KV no longer than until enough of it is free', () => {
  const firstTokenMs = (fields: Partial<TaskSpec>) => {
    const driver = poolOf({ r1: { slots: 8, kvTokens: 2_000 } });
    driver.admit('short', { promptTokens: 700, maxTokens: 10 });
    driver.progress('short');
    driver.admit('long', { promptTokens: 900, maxTokens: 390, expectedTokens: 390 });
    driver.progress('long');
    driver.admit('asked', fields);
    return driver.core.wait('asked', driver.nowMs)?.replicas[0]?.firstTokenMs ?? NaN;
  };
  const soonMs = firstTokenMs({ promptTokens: 600, maxTokens: 10 });
  const largePromptMs = firstTokenMs({ promptTokens: 1_500, maxTokens: 10 });
  const largeOutputMs = firstTokenMs({
    promptTokens: 600,
    maxTokens: 1_300,
    expectedTokens: 1_300,
  });
  expect(largePromptMs).toBeGreaterThan(2 * soonMs);
  expect(largeOutputMs).toBeGreaterThan(2 * soonMs);
});

test('OC-CORE-1012 of replicas with as much to do, the one with the larger share of its slots free takes it', () => {
  const driver = poolOf({ r1: { slots: 2 }, r2: { slots: 4 } });
  const started = ['a', 'b', 'c'].flatMap((taskId) => {
    const to = where(driver.admit(taskId));
    driver.progress(taskId);
    return to;
  });
  expect(started.slice(0, 2).toSorted()).toEqual(['r1', 'r2']);
  expect(started[2]).toBe('r2');
});

describe('OC-CORE-1012 a replica where the last attempt failed', () => {
  const task = { avoidReplicaId: 'failed' } as TaskRecord;
  const aProspect = (replicaId: string, score: number, block?: PassOver) =>
    ({ replicaId, score, block, cachedTokens: 0 }) as Prospect;
  const isBetterThan = (a: Prospect, b: Prospect) => isBetter({} as PoolState, task, a, b);

  test('gives way to any other that is open, however slow', () => {
    const [failed, other] = [aProspect('failed', 10), aProspect('other', 90_000)];
    expect(isBetterThan(failed, other)).toBe(false);
    expect(isBetterThan(other, failed)).toBe(true);
  });

  test('while it is open is not passed for one to wait for that is slower', () => {
    const [failed, other] = [aProspect('failed', 10), aProspect('other', 90_000, 'no-slot')];
    expect(isBetterThan(failed, other)).toBe(true);
    expect(isBetterThan(other, failed)).toBe(false);
  });

  test('is not waited for while another can be waited for', () => {
    const failed = aProspect('failed', 10, 'no-slot');
    const other = aProspect('other', 90_000, 'no-slot');
    expect(isBetterThan(failed, other)).toBe(false);
    expect(isBetterThan(other, failed)).toBe(true);
  });
});

test('ORCH-3091 a prompt that a replica has again from its store counts as cached there', () => {
  const driver = poolOf({ r1: { slots: 4 }, r2: { slots: 4 } });
  const prefixes = [longPrompt().prefix!];
  driver.step({ type: 'cache-restored', poolId: 'p', replicaId: 'r2', sessions: [], prefixes });
  const [dispatch] = ofType(driver.admit('a', longPrompt()), 'dispatch');
  expect(dispatch?.replicaId).toBe('r2');
  expect(dispatch?.decision.replicas[0]?.cachedTokens).toBeGreaterThan(7_500);
});
