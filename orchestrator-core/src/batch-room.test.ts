import { expect, test } from 'vitest';
import { BatchRoom, Readers } from './batch-room.ts';
import { Driver } from './testing/fixtures.ts';
import { DEFAULT_TUNING } from './tuning.ts';

const LONG = { promptTokens: 3_000, ctx: 10_000 } as const;
const batch = { ...LONG, priority: 'batch' } as const;
const TOKEN_MS = 12;

function pool(...replicaIds: readonly string[]): Driver {
  const driver = new Driver();
  driver.pool({ capacity: 1_000, ctx: 10_000, wallMs: 1e9, idleMs: 1e9 });
  for (const id of replicaIds) driver.replica(id, { slots: 8, ctx: 10_000 });
  return driver;
}

/** An interactive task that has just given its first token. */
function answer(driver: Driver, taskId: string): void {
  driver.admit(taskId);
  driver.nowMs += 20;
  driver.progress(taskId);
}

function decode(driver: Driver, taskId: string, tokensOut: number, tokenMs = TOKEN_MS): void {
  driver.nowMs += tokensOut * tokenMs;
  driver.progress(taskId, tokensOut);
  driver.advance(DEFAULT_TUNING.askAgainMs);
}

test('OC-CORE-1094 a batch prompt waits until the answer beside it can spare the time', () => {
  const driver = pool('r');
  answer(driver, 'i');
  driver.admit('b', batch);
  expect(driver.started).toEqual(['i']);
  decode(driver, 'i', 12);
  expect(driver.started).toEqual(['i', 'b']);
});

test('OC-CORE-1094 beside an answer that is slower than its reader no long batch prompt starts', () => {
  const driver = pool('r');
  answer(driver, 'i');
  driver.admit('b', batch);
  decode(driver, 'i', 20, 2 * DEFAULT_TUNING.readerPaceMs);
  expect(driver.started).toEqual(['i']);
  driver.finish('i');
  expect(driver.started).toEqual(['i', 'b']);
});

test('OC-CORE-1094 the answer with the least slack decides for its replica', () => {
  const driver = pool('r');
  answer(driver, 'i');
  driver.nowMs += 50 * TOKEN_MS;
  driver.progress('i', 50);
  answer(driver, 'j');
  driver.admit('b', batch);
  expect(driver.started).toEqual(['i', 'j']);
});

test('OC-CORE-1094 a replica without answers takes batch work at once', () => {
  const driver = pool('r', 's');
  answer(driver, 'i');
  driver.admit('b', batch);
  expect(driver.replicaOf('b')).not.toBe(driver.replicaOf('i'));
  expect(driver.started).toEqual(['i', 'b']);
});

test('OC-CORE-1094 a prompt that takes no longer than a token at the pace of a reader is not kept back', () => {
  const driver = pool('r');
  answer(driver, 'i');
  driver.admit('b', { ...batch, promptTokens: 100 });
  expect(driver.started).toEqual(['i', 'b']);
});

test('OC-CORE-1094 batch work that is kept back keeps back no interactive work', () => {
  const driver = pool('r');
  answer(driver, 'i');
  driver.admit('b', batch);
  driver.admit('j', LONG);
  expect(driver.started).toEqual(['i', 'j']);
});

test('OC-CORE-1098 overdue batch work goes in spite of slow answers, once per its share of the time', () => {
  const driver = pool('r');
  answer(driver, 'i');
  for (const taskId of ['a', 'b', 'c']) driver.admit(taskId, batch);
  let tokens = 1;
  const wait = (ms: number) => {
    for (const endMs = driver.nowMs + ms; driver.nowMs < endMs;) {
      tokens += 1;
      driver.nowMs += 100;
      driver.progress('i', tokens);
      driver.advance(0);
      for (const taskId of driver.started) {
        if (taskId !== 'i' && driver.stateOf(taskId) !== undefined) driver.serve(taskId);
      }
    }
  };
  wait(50_000);
  expect(driver.started).toEqual(['i']);
  wait(12_000);
  const first = driver.started.length;
  expect(first).toBeGreaterThan(1);
  wait(10_000);
  expect(driver.started).toEqual(['i', 'a', 'b', 'c']);
});

test('OC-CORE-1094 slack is what an answer is ahead of the pace, of the least one', () => {
  const readers = new Readers();
  expect(readers.slackMs(50)).toBe(Infinity);
  readers.begin('a');
  expect(readers.slackMs(50)).toBe(Infinity);
  readers.progress('a', 1, 1_000);
  readers.progress('a', 11, 1_200);
  expect(readers.slackMs(50)).toBe(300);
  readers.begin('b');
  readers.progress('b', 1, 1_200);
  readers.progress('nobody', 1, 0);
  expect(readers.slackMs(50)).toBe(0);
  readers.progress('b', 2, 1_300);
  expect(readers.slackMs(50)).toBe(-50);
  readers.end('b');
  expect(readers.slackMs(50)).toBe(300);
});

test('OC-CORE-1098 what batch work had beyond its share counts against it, but not for ever', () => {
  const room = new BatchRoom({ ...DEFAULT_TUNING, batchLeadMs: 10_000 });
  expect(room.isDue(0)).toBe(true);
  room.dispatched(200, 2, 1 / 10, 0);
  expect(room.isDue(999)).toBe(false);
  expect(room.isDue(1_000)).toBe(true);
  for (let i = 0; i < 100; i += 1) room.dispatched(200, 2, 1 / 10, 1_000);
  expect(room.isDue(10_999)).toBe(false);
  expect(room.isDue(11_000)).toBe(true);
});
