import { VirtualClock, settle } from '@llama-orch/pool-managerd/testing';
import { expect, test, vi } from 'vitest';
import { LedgerError, type LedgerErrorCode } from '../ledger/ledger-error.ts';
import { createMemoryLedger } from '../ledger/memory-ledger.ts';
import type { LedgerEvent } from '../ledger/types.ts';
import { DurableWriter } from './durable-writer.ts';

function event(name: string): LedgerEvent {
  return { v: 1, type: name, atMs: 0, taskId: undefined, data: '{}' };
}

/** A ledger whose storage refuses writes while `broken`. */
function setUp() {
  const state = { broken: false, tries: 0, code: 'disk-full' as LedgerErrorCode };
  const ledger = createMemoryLedger({
    refuse: () => {
      state.tries += 1;
      return state.broken ? new LedgerError(state.code, 'no space') : undefined;
    },
  });
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

test('OC-CTRL-2093 once the ledger takes a write again, those behind it follow without a pause', async () => {
  const { state, clock, writer } = setUp();
  state.broken = true;
  const writes = [writer.write({ events: [event('first')] })];
  await settle();
  for (let n = 0; n < 1_000; n += 1) writes.push(writer.write({ events: [event(`${n}`)] }));
  state.broken = false;
  // The longest first pause, and not one more.
  await clock.advance(50);
  await Promise.all(writes);
  expect(writer.healthy).toBe(true);
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

test('a write whose caller can take its promise back is reported, and stored in its place all the same', async () => {
  const { state, clock, writer, names } = setUp();
  state.broken = true;
  const onDurable = vi.fn();
  const first = writer.writeOrReport({ events: [event('a')] }, onDurable);
  const second = writer.write({ events: [event('b')] });
  await expect(first).rejects.toBeInstanceOf(LedgerError);
  expect(onDurable).not.toHaveBeenCalled();
  state.broken = false;
  await clock.advance(5_000);
  await second;
  expect(onDurable).toHaveBeenCalledOnce();
  expect(await names()).toEqual(['a', 'b']);
});

test.each(['invalid', 'failed'] as const)(
  'what is %s is reported as fatal at once',
  async (code) => {
    const { state, onFatal, writer } = setUp();
    state.broken = true;
    state.code = code;
    void writer.write({ events: [event('a')] });
    await settle();
    expect(onFatal).toHaveBeenCalledTimes(1);
  },
);

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
