import type { DispatchDecision } from '@llama-orch/orchestrator-core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  isPreempted,
  keptDecision,
  MAX_ENTRIES,
  NO_HISTORY,
  withEntry,
  type HistoryEntry,
  type TaskHistory,
} from './task-history.ts';

const requeued = (atMs: number): HistoryEntry => ({ kind: 'requeued', atMs, reason: 'drain' });

const historyOf = (entries: readonly HistoryEntry[]): TaskHistory =>
  entries.reduce<TaskHistory>(withEntry, NO_HISTORY);

test('OC-CTRL-2081 a history is bounded, keeps both its ends, and counts what it dropped', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 200 }), (count) => {
      const history = historyOf(Array.from({ length: count }, (_, n) => requeued(n)));
      expect(history.length).toBe(Math.min(count, MAX_ENTRIES));
      const dropped = history.reduce(
        (sum, entry) => sum + (entry.kind === 'omitted' ? entry.entries - 1 : 0),
        0,
      );
      expect(history.length + dropped).toBe(count);
      expect(history.filter(({ kind }) => kind === 'omitted').length).toBeLessThanOrEqual(1);
      const times = history.map(({ atMs }) => atMs);
      expect(times).toEqual(times.toSorted((a, b) => a - b));
      expect(times.slice(0, 8)).toEqual(Array.from({ length: Math.min(8, count) }, (_, n) => n));
      if (count > 0) expect(times.at(-1)).toBe(count - 1);
    }),
  );
});

test('OC-CTRL-2081 an entry more leaves the history of others as it is', () => {
  const shared = historyOf([{ kind: 'restarted', atMs: 1 }]);
  expect(withEntry(shared, requeued(2))).toHaveLength(2);
  expect(shared).toHaveLength(1);
  expect(NO_HISTORY).toHaveLength(0);
});

test('a task is preempted from its return to the queue until its next dispatch', () => {
  const dispatched = { kind: 'dispatched', atMs: 0, attempt: 1, replicaId: 'r' } as const;
  const stopped = { kind: 'requeued', atMs: 1, reason: 'preempted' } as const;
  const restarted = { kind: 'restarted', atMs: 2 } as const;
  expect(isPreempted(historyOf([dispatched]))).toBe(false);
  expect(isPreempted(historyOf([dispatched, stopped]))).toBe(true);
  expect(isPreempted(historyOf([dispatched, stopped, restarted]))).toBe(true);
  expect(isPreempted(historyOf([dispatched, stopped, restarted, dispatched]))).toBe(false);
  expect(isPreempted(historyOf([dispatched, requeued(1)]))).toBe(false);
});

test('OC-CTRL-2081 a decision is kept in whole milliseconds and at most eight groups', () => {
  const decision: DispatchDecision = {
    waitedMs: 12.4,
    waits: { 'no-free-slot': 2.4, turn: 9.6, 'no-kv-room': 0.2 },
    wentFirst: Array.from({ length: 20 }, (_, n) => ({
      tenantId: `t${n}`,
      priority: 'batch',
      reason: 'tenant-share',
      tasks: 20 - n,
    })),
    wentFirstTruncated: false,
    replicas: [
      { replicaId: 'a', verdict: 'chosen', firstTokenMs: 3.7, cachedTokens: 1 },
      { replicaId: 'b', verdict: 'labels', firstTokenMs: undefined, cachedTokens: 0 },
    ],
    firstTokenMs: 3.7,
    preempted: false,
  };
  const kept = keptDecision(decision);
  expect(kept).toMatchObject({ waitedMs: 12, firstTokenMs: 4, wentFirstTruncated: true });
  expect(kept.causes).toEqual([
    { cause: 'turn', ms: 10 },
    { cause: 'no-free-slot', ms: 2 },
  ]);
  expect(kept.wentFirst).toEqual(decision.wentFirst.slice(0, 8));
  expect(kept.replicas).toEqual([
    { replica_id: 'a', verdict: 'chosen', first_token_ms: 4, cached_tokens: 1 },
    { replica_id: 'b', verdict: 'labels', cached_tokens: 0 },
  ]);
  expect(JSON.parse(JSON.stringify(kept))).toEqual(kept);
});
