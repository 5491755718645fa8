import { expect, test, vi } from 'vitest';
import { LedgerError } from '../ledger/ledger-error.ts';
import { createMemoryLedger } from '../ledger/memory-ledger.ts';
import type { Ledger, LedgerEvent, WriteBatch } from '../ledger/types.ts';
import { VirtualClock, settle } from '../virtual-clock.ts';
import { DurableWriter } from './durable-writer.ts';

function event(name: string): LedgerEvent {
  return { v: 1, type: name, atMs: 0, taskId: undefined, data: '{}' };
}

/** A ledger whose storage refuses writes while `broken`. */
function breakableLedger() {
  const ledger = createMemoryLedger();
  const state = { broken: false, tries: 0 };
  const write = (batch: WriteBatch): Promise<void> => {
    state.tries += 1;
    return state.broken
      ? Promise.reject(new LedgerError('disk-full', 'no space'))
      : ledger.write(batch);
  };
  return {
    ledger: new Proxy(ledger, {
      get: (target, key) => (key === 'write' ? write : bound(target, key)),
    }),
    state,
  };
}

function bound(target: Ledger, key: string | symbol): unknown {
  const value: unknown = Reflect.get(target, key);
  return typeof value === 'function' ? (value.bind(target) as unknown) : value;
}

function setUp() {
  const { ledger, state } = breakableLedger();
  const clock = new VirtualClock();
  const onFatal = vi.fn();
  const writer = new DurableWriter({ ledger, clock, random: () => 0.5, onFatal });
  const names = async () => (await ledger.readEvents(0, 100)).map((each) => each.type);
  return { state, clock, onFatal, writer, names };
}

test('OC-CTRL-2072 failed writes are retried in their order until the ledger takes them', async () => {
  const { state, clock, onFatal, writer, names } = setUp();
  state.broken = true;
  const written: string[] = [];
  const first = writer.write({ events: [event('a')] }).then(() => written.push('a'));
  await settle();
  const second = writer.write({ events: [event('b')] }).then(() => written.push('b'));
  expect(writer.healthy).toBe(false);
  await clock.advance(500);
  expect(written).toEqual([]);
  state.broken = false;
  await clock.advance(5_000);
  await Promise.all([first, second]);
  expect(written).toEqual(['a', 'b']);
  expect(await names()).toEqual(['a', 'b']);
  expect(writer.healthy).toBe(true);
  expect(onFatal).not.toHaveBeenCalled();
});

test('OC-CTRL-2072 a ledger that stays broken is reported once the budget is spent', async () => {
  const { state, clock, onFatal, writer } = setUp();
  state.broken = true;
  void writer.write({ events: [event('a')] });
  await settle();
  await clock.advance(120_000);
  expect(onFatal).toHaveBeenCalledTimes(1);
  expect(state.tries).toBeLessThan(30);
});

test('a write that may be undone is tried once and rejects', async () => {
  const { state, writer } = setUp();
  state.broken = true;
  await expect(writer.tryWrite({ events: [event('a')] })).rejects.toBeInstanceOf(LedgerError);
  expect(state.tries).toBe(1);
  expect(writer.healthy).toBe(true);
});

test('nothing is retried after stop', async () => {
  const { state, clock, onFatal, writer } = setUp();
  state.broken = true;
  void writer.write({ events: [event('a')] });
  await settle();
  writer.stop();
  await clock.advance(120_000);
  expect(state.tries).toBeLessThanOrEqual(2);
  expect(onFatal).not.toHaveBeenCalled();
});
