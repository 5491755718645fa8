/**
 * Checks before the queue, in this order: pool, drain, availability, context, token budget,
 * session, deadline (OC-CTRL-2010). Nothing here changes state.
 */
import type { ErrorKind, PolicyLabel } from '@llama-orch/contracts';
import { isDeadlineInfeasible } from './deadline.ts';
import { clamp } from './prediction.ts';
import { isForeignSession } from './sessions.ts';
import type { CoreState, PoolState } from './state.ts';
import type { PoolSpec, TaskSpec } from './types.ts';

export interface Refusal {
  readonly code: ErrorKind;
  readonly message: string;
  readonly path?: string;
  readonly policyLabel?: PolicyLabel;
  readonly retryAfterMs?: number;
}

/** Whether the pool takes any task now. */
export function refusalByPool(
  state: CoreState,
  pool: PoolState | undefined,
  nowMs: number,
): Refusal | undefined {
  if (pool?.spec === undefined) return { code: 'NOT_FOUND', message: 'no such pool' };
  if (pool.drainDeadlineAtMs !== undefined) {
    return {
      code: 'POOL_UNREADY',
      message: `pool ${pool.poolId} is draining`,
      retryAfterMs: drainRetryAfterMs(state, pool.drainDeadlineAtMs, nowMs),
    };
  }
  if (pool.unavailableReason !== undefined) {
    return {
      code: 'POOL_UNAVAILABLE',
      message: `pool ${pool.poolId} cannot come back by itself: ${pool.unavailableReason}`,
      retryAfterMs: state.tuning.unavailableRetryMs,
    };
  }
  return undefined;
}

/** Whether the task could ever run there. `startMs` is its predicted start. */
export function refusalByTask(
  state: CoreState,
  pool: PoolState,
  spec: PoolSpec,
  task: TaskSpec,
  startMs: number,
  nowMs: number,
): Refusal | undefined {
  if (state.tasks.has(task.taskId)) {
    return { code: 'CONFLICT', message: `task ${task.taskId} is live already` };
  }
  const tooLarge = refusalBySize(task, pool.ctx ?? spec.ctx);
  if (tooLarge !== undefined) return tooLarge;
  if (isForeignSession(state, task, nowMs)) {
    return { code: 'NOT_FOUND', message: 'no such session', path: '/session_id' };
  }
  const samples = pool.predictor.estimates()[task.priority].samples;
  if (isDeadlineInfeasible(task.deadlineAtMs, nowMs, { startMs, samples }, state.tuning)) {
    return {
      code: 'DEADLINE_UNMET',
      message: `the deadline would pass before the predicted start in ${startMs} ms`,
      path: '/deadline_ms',
    };
  }
  return undefined;
}

/** Retry hint of a draining pool: its deadline, within the bounds of all retry hints. */
export function drainRetryAfterMs(state: CoreState, deadlineAtMs: number, nowMs: number): number {
  return clamp(deadlineAtMs - nowMs, 1_000, state.tuning.maxRetryAfterMs);
}

/**
 * Context and token budget (ORCH-3014, 3015). A prompt that the engine has not counted is an upper
 * bound, so only its generation part, and one prompt token, can be held against it.
 */
function refusalBySize(task: TaskSpec, ctx: number): Refusal | undefined {
  if (task.ctx !== undefined && task.ctx > ctx) {
    return invalid('/ctx', `the pool's context is ${ctx} tokens, ${task.ctx} were asked for`);
  }
  const promptTokens = task.promptTokensExact ? task.promptTokens : Math.min(task.promptTokens, 1);
  const outputTokens = task.maxTokens ?? 1;
  if (promptTokens + outputTokens <= ctx) return undefined;
  if (promptTokens >= ctx) {
    return invalid('/prompt', `${promptTokens} prompt tokens leave no room in a context of ${ctx}`);
  }
  return invalid(
    '/max_tokens',
    `${promptTokens} prompt tokens and ${outputTokens} to generate exceed a context of ${ctx}`,
  );
}

function invalid(path: string, message: string): Refusal {
  return { code: 'INVALID_PARAMS', message, path };
}
