import type { Core } from '@llama-orch/orchestrator-core';
import { expect, test, vi } from 'vitest';
import { LedgerError } from '../ledger/ledger-error.ts';
import type { Ledger } from '../ledger/types.ts';
import type { Logger } from '../logging.ts';
import type { DurableWriter } from './durable-writer.ts';
import { LedgerUpkeep } from './ledger-upkeep.ts';
import type { TaskBook } from './task-book.ts';

function setUp(liveTasks = 0) {
  const snapshot = vi.fn<Ledger['snapshot']>().mockResolvedValue(undefined);
  const sweep = vi.fn<Ledger['sweep']>().mockResolvedValue({ tasks: 0, events: 0 } as never);
  const error = vi.fn();
  const writer = { healthy: true };
  const upkeep = new LedgerUpkeep({
    core: { durableState: () => ({}), learned: () => ({}) } as unknown as Core,
    book: { size: liveTasks, all: () => [] } as unknown as TaskBook,
    ledger: { snapshot, sweep } as unknown as Ledger,
    writer: writer as DurableWriter,
    retention: { max_age_ms: 5, max_tasks: 7 },
    clock: { now: () => 1_234, setTimer: () => () => undefined },
    log: { error } as unknown as Logger,
  });
  return { upkeep, snapshot, sweep, error, writer };
}

test('a snapshot is due after so many events, more of them when many tasks are live', () => {
  const few = setUp();
  few.upkeep.onEvents(49_999);
  expect(few.snapshot).not.toHaveBeenCalled();
  few.upkeep.onEvents(1);
  expect(few.snapshot).toHaveBeenCalledTimes(1);
  few.upkeep.onEvents(49_999);
  expect(few.snapshot).toHaveBeenCalledTimes(1);
  const many = setUp(10_000);
  many.upkeep.onEvents(79_999);
  expect(many.snapshot).not.toHaveBeenCalled();
  many.upkeep.onEvents(1);
  expect(many.snapshot).toHaveBeenCalledTimes(1);
});

test('while writes are retried no snapshot is taken, and it stays due', async () => {
  const { upkeep, snapshot, writer } = setUp();
  writer.healthy = false;
  upkeep.onEvents(50_000);
  expect(snapshot).not.toHaveBeenCalled();
  writer.healthy = true;
  upkeep.onEvents(1);
  expect(snapshot).toHaveBeenCalledTimes(1);
});

test('what the ledger fails to keep small is logged, and the next time it is tried again', async () => {
  const { upkeep, snapshot, sweep, error } = setUp();
  const full = new LedgerError('disk-full', 'no room');
  snapshot.mockRejectedValueOnce(full);
  sweep.mockRejectedValueOnce(full);
  await upkeep.snapshot();
  await upkeep.sweep();
  expect(error.mock.calls).toEqual([
    [{ err: full }, 'the ledger could not take a snapshot'],
    [{ err: full }, 'the ledger could not be swept'],
  ]);
  await upkeep.snapshot();
  await upkeep.sweep();
  expect(sweep).toHaveBeenLastCalledWith({ maxAgeMs: 5, maxTasks: 7 }, 1_234);
  expect(error).toHaveBeenCalledTimes(2);
});
