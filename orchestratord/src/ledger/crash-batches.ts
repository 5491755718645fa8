/** The batches that the crash test writes: number n can be told from its events and its log alone. */
import type { SequencedEvent, WriteBatch } from './types.ts';

export const EVENTS_PER_BATCH = 3;

const dataOf = (number: number, part: number) => JSON.stringify({ number, part });

export function crashBatch(number: number): WriteBatch {
  const parts = Array.from({ length: EVENTS_PER_BATCH }, (_, part) => part);
  return {
    events: parts.map((part) => {
      const data = dataOf(number, part);
      return { v: 1, type: 'crash.test', atMs: number, taskId: `task-${number}`, data };
    }),
    transcripts: [{ taskId: `task-${number}`, firstId: 1, entries: [dataOf(number, 0)] }],
  };
}

/** For each event the number of its batch. @throws Error when a seq or a part of a batch is missing */
export function batchNumbers(events: readonly SequencedEvent[]): readonly number[] {
  return events.map((event, index) => {
    const number = event.atMs;
    const expected = dataOf(number, index % EVENTS_PER_BATCH);
    if (event.seq !== index + 1 || event.data !== expected) {
      throw new Error(`event ${event.seq} at ${index} is ${event.data}, not ${expected}`);
    }
    return number;
  });
}
