/** The `end` or `error` that a task's stream closes with, as the contract has it. */
import type { Outcome } from '@llama-orch/orchestrator-core';
import { preemptionFields, usageView, type LiveTask } from './live-task.ts';
import type { ControlEntry } from './task-log.ts';

export function terminalEntry(
  task: LiveTask,
  outcome: Outcome,
  outputSha256: string,
): ControlEntry {
  if (outcome.kind === 'failed') {
    return {
      event: 'error',
      data: JSON.stringify({
        code: outcome.code,
        message: outcome.message,
        engine: task.record.engine,
        retriable: outcome.retriable,
        ...(outcome.retryAfterMs === undefined
          ? {}
          : { retry_after_ms: Math.ceil(outcome.retryAfterMs) }),
      }),
    };
  }
  const canceled = outcome.kind === 'canceled';
  const usage = canceled ? undefined : usageView(task, outcome.usage);
  return {
    event: 'end',
    data: JSON.stringify({
      tokens_out: usage?.tokens_out ?? task.log.tokens,
      decode_ms: usage?.decode_ms ?? Math.max(0, task.decodeMs),
      ...(usage === undefined
        ? {}
        : { tokens_in: usage.tokens_in, cached_tokens: usage.cached_tokens }),
      finish_reason: canceled ? 'canceled' : outcome.finishReason,
      queue_ms: task.queueMs,
      ...(task.ttftMs === undefined ? {} : { ttft_ms: task.ttftMs }),
      ...preemptionFields(task),
      ...(canceled ? {} : { output_sha256: outputSha256 }),
    }),
  };
}
