import type { TaskRequest } from '@llama-orch/contracts';
import type { Outcome } from '@llama-orch/orchestrator-core';
import { expect, test } from 'vitest';
import { deadlineKept, LiveTask } from './live-task.ts';

const COMPLETED: Outcome = {
  kind: 'completed',
  finishReason: 'stop',
  usage: { tokensIn: 1, tokensOut: 1, decodeMs: 0, cachedTokens: 0 },
};
const FAILED: Outcome = {
  kind: 'failed',
  code: 'WORKER_RESET',
  message: '',
  retriable: true,
  retryAfterMs: undefined,
};
const CANCELED: Outcome = { kind: 'canceled', reason: 'client' };

function task(
  deadlineFor: TaskRequest['deadline_for'],
  deadlineAtMs: number | undefined,
): LiveTask {
  const live = new LiveTask({
    taskId: '00000000-0000-4000-8000-000000000001',
    tenantId: 'default',
    poolId: 'p',
    modelId: 'm',
    engine: 'llamacpp',
    correlationId: 'c',
    request: { prompt: 'hi', ...(deadlineFor === undefined ? {} : { deadline_for: deadlineFor }) },
    promptFormat: 'raw',
    seed: '1',
    requestHash: undefined,
    acceptedAtMs: 0,
    deadlineAtMs,
  });
  live.firstTokenAtMs = 50;
  return live;
}

test.each([
  ['end', 100, COMPLETED, 100, true],
  ['end', 100, COMPLETED, 101, false],
  [undefined, 100, COMPLETED, 101, false],
  ['end', 100, FAILED, 90, false],
  ['first_token', 50, COMPLETED, 500, true],
  ['first_token', 49, COMPLETED, 500, false],
  ['first_token', 50, FAILED, 90, true],
  ['end', 100, CANCELED, 90, undefined],
  ['end', undefined, COMPLETED, 90, undefined],
] as const)(
  'OC-METRICS-7122 a deadline for %s at %s: %o at %i ms keeps it: %s',
  (deadlineFor, deadlineAtMs, outcome, endedAtMs, kept) => {
    expect(deadlineKept(task(deadlineFor, deadlineAtMs), outcome, endedAtMs)).toBe(kept);
  },
);
