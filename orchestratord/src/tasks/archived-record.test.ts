import type { Task } from '@llama-orch/contracts';
import { expect, test } from 'vitest';
import {
  archivedAdmission,
  archivedHistory,
  archivedOrder,
  archivedSummaryJson,
  archivedTaskJson,
  packArchived,
} from './archived-record.ts';
import { seedNumber } from './live-task.ts';
import type { TaskHistory } from './task-history.ts';

const SUMMARY: Task = {
  task_id: '00000000-0000-4000-8000-000000000001',
  state: 'completed',
  workload: 'completion',
  pool_id: 'default',
  priority: 'interactive',
  determinism: 'strict',
  seed: 7,
  accepted_at_ms: 1,
  attempts: 1,
};
const ADMISSION = {
  taskId: SUMMARY.task_id,
  sessionId: undefined,
  seed: '7',
  queuePosition: 2,
  predictedStartMs: 3,
  requestHash: 'h',
};

const HISTORY: TaskHistory = [
  { kind: 'dispatched', atMs: 4, attempt: 1, replicaId: 'default-0' },
  { kind: 'ended', atMs: 9 },
];

test('a list shows no result and no proof, the task itself shows all', () => {
  const task: Task = { ...SUMMARY, result: { text: 'line\nline "quoted"' } };
  const packed = packArchived(task, HISTORY, ADMISSION);
  expect(JSON.parse(archivedSummaryJson(packed))).toEqual(SUMMARY);
  expect(JSON.parse(archivedTaskJson(packed))).toEqual(task);
  expect(archivedAdmission(packed)).toMatchObject({ queuePosition: 2, requestHash: 'h' });
});

test('a task without a result reads back as it is', () => {
  const packed = packArchived(SUMMARY, HISTORY, ADMISSION);
  expect(JSON.parse(archivedTaskJson(packed))).toEqual(SUMMARY);
});

test('an int64 seed keeps its digits', () => {
  const packed = packArchived(
    { ...SUMMARY, seed: seedNumber('9223372036854775807') },
    HISTORY,
    ADMISSION,
  );
  expect(archivedTaskJson(packed)).toContain('"seed":9223372036854775807');
});

test('OC-CTRL-2082 the history reads back as it was, beside a result of any text', () => {
  const task: Task = { ...SUMMARY, result: { text: 'a\n[{"kind":"ended"}]\nb' } };
  expect(archivedHistory(packArchived(task, HISTORY, ADMISSION))).toEqual(HISTORY);
});

test('a record from before histories were kept is read as before, without one', () => {
  const packed = [SUMMARY, { result: { text: 'old' } }, ADMISSION]
    .map((part) => JSON.stringify(part))
    .join('\n');
  expect(archivedHistory(packed)).toBeUndefined();
  expect(JSON.parse(archivedTaskJson(packed))).toMatchObject({ result: { text: 'old' } });
  expect(archivedAdmission(packed)).toMatchObject({ queuePosition: 2, requestHash: 'h' });
});

test('OC-CTRL-2142 what a strict completion was asked reads back beside the rest, and is not shown', () => {
  const order = { request: { prompt: 'two\nlines' }, promptFormat: 'auto' } as const;
  const task: Task = { ...SUMMARY, result: { text: 'x' } };
  const packed = packArchived(task, HISTORY, ADMISSION, order);
  expect(archivedOrder(packed)).toEqual(order);
  expect(archivedHistory(packed)).toEqual(HISTORY);
  expect(archivedAdmission(packed)).toMatchObject({ queuePosition: 2, requestHash: 'h' });
  expect(JSON.parse(archivedTaskJson(packed))).toEqual(task);
  expect(archivedOrder(packArchived(task, HISTORY, ADMISSION))).toBeUndefined();
});
