import { VirtualClock, settle } from '@llama-orch/pool-managerd/testing';
import { expect, test, vi } from 'vitest';
import { createMemoryLedger } from '../ledger/memory-ledger.ts';
import { DurableWriter } from './durable-writer.ts';
import { TaskLog } from './task-log.ts';
import { TranscriptWriter } from './transcript-writer.ts';

const BEAT_MS = 20;
const ONE = '00000000-0000-4000-8000-000000000001';
const TWO = '00000000-0000-4000-8000-000000000002';

function setUp() {
  const ledger = createMemoryLedger();
  const write = vi.spyOn(ledger, 'write');
  const clock = new VirtualClock();
  const writer = new DurableWriter({ ledger, clock, random: () => 0.5, onFatal: vi.fn() });
  const transcripts = new TranscriptWriter({ writer, clock, intervalMs: BEAT_MS });
  return { ledger, write, clock, transcripts };
}

test('strict logs are written together on the beat, and not before', async () => {
  const { ledger, write, clock, transcripts } = setUp();
  const logs = [ONE, TWO].map((id) => [id, new TaskLog({ durableFirst: false })] as const);
  for (const [id, log] of logs) {
    log.appendTokens(['a', 'b']);
    transcripts.touch(id, log, 2);
  }
  await settle();
  expect(write).not.toHaveBeenCalled();
  await clock.advance(BEAT_MS);
  expect(write).toHaveBeenCalledTimes(1);
  expect(await ledger.readTranscript(ONE, 0, 10)).toEqual(['"a"', '"b"']);
  expect(await ledger.readTranscript(TWO, 1, 10)).toEqual(['"b"']);
});

test('OC-CTRL-2024 a best-effort log is written at once and shown when durable', async () => {
  const { clock, transcripts } = setUp();
  const log = new TaskLog({ durableFirst: true });
  log.appendTokens(['a']);
  transcripts.touch(ONE, log, 1);
  expect(log.visible).toBe(0);
  await settle();
  await vi.waitFor(() => expect(log.visible).toBe(1));
  expect(clock.pending).toBe(0);
});

test('entries taken for another write are not written twice', async () => {
  const { write, clock, transcripts } = setUp();
  const log = new TaskLog({ durableFirst: false });
  log.appendTokens(['a']);
  transcripts.touch(ONE, log, 1);
  expect(transcripts.take(ONE, log)).toEqual({ taskId: ONE, firstId: 1, entries: ['"a"'] });
  await clock.advance(BEAT_MS);
  expect(write).not.toHaveBeenCalled();
});

test('a log that grew much at once does not wait for the beat', async () => {
  const { write, transcripts } = setUp();
  const log = new TaskLog({ durableFirst: false });
  log.appendTokens(Array.from({ length: 300 }, () => 'x'));
  transcripts.touch(ONE, log, 300);
  expect(write).toHaveBeenCalledTimes(1);
  await settle();
});
