/**
 * Checks before the queue, in this order: pool, drain, availability, context, token budget,
 * session, deadline (OC-CTRL-2010). Nothing here changes state.
 */
import type { ErrorKind, PolicyLabel } from '@llama-orch/contracts';
import { deadlineNeedMs } from './estimate.ts';
import type { Forecast } from './forecast.ts';
import { hasLabels } from './lanes.ts';
import { isForeignSession } from './sessions.ts';
import type { CoreState, PoolState, TaskRecord } from './state.ts';
import type { Tuning } from './tuning.ts';
import type { PoolSpec, TaskSpec } from './types.ts';

export interface Refusal {
  readonly code: ErrorKind;
  readonly message: string;
  readonly path?: string;
  readonly policyLabel?: PolicyLabel;
  readonly retryAfterMs?: number;
  /** The shortest deadline that could be kept, ms from admission. */
  readonly earliestFeasibleMs?: number;
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

/** Whether the task could ever run there. */
export function refusalByTask(
  state: CoreState,
  pool: PoolState,
  spec: PoolSpec,
  task: TaskSpec,
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
  return refusalByPlacement(pool, task);
}

/**
 * Whether the deadline can be kept, as the forecast sees it (ORCH-3079). While too little is known to
 * found a refusal on, only a deadline that is past is refused.
 */
export function refusalByDeadline(
  state: CoreState,
  pool: PoolState,
  task: TaskRecord,
  forecast: Forecast,
): Refusal | undefined {
  const { deadlineAtMs } = task.spec;
  if (deadlineAtMs === undefined || forecast.onTimeProbability === undefined) return undefined;
  const { refuseBelow, shedBelow } = state.tuning;
  // What would be ended by its own dispatch is not taken in first.
  const least = forecast.kind === 'now' ? Math.max(refuseBelow, shedBelow) : refuseBelow;
  const isPast = deadlineAtMs <= task.acceptedAtMs;
  const isHopeless = forecast.onTimeProbability < least && mayRefuse(state.tuning, pool);
  if (!isPast && !isHopeless) return undefined;
  const earliestFeasibleMs = Math.ceil(safeNeedMs(pool, task, forecast));
  return {
    code: 'DEADLINE_UNMET',
    message: `the deadline cannot be kept; the earliest that can is in ${earliestFeasibleMs} ms`,
    path: '/deadline_ms',
    earliestFeasibleMs,
  };
}

/** The time that what the deadline is for needs at most, nine times in ten, ms. */
function safeNeedMs(pool: PoolState, task: TaskRecord, forecast: Forecast): number {
  if (task.spec.deadlineFor === 'first-token') return forecast.highMs;
  return pool.model.interval('end', deadlineNeedMs(task, forecast.firstTokenMs))[1];
}

/** Whether enough was seen of the pool to give up on a deadline that is not past yet. */
export function mayRefuse(tuning: Tuning, pool: PoolState): boolean {
  return pool.model.samples >= tuning.deadlineMinSamples;
}

/** Constraints that no replica of the pool fits; while none is known, they may come. */
function refusalByPlacement(pool: PoolState, { placement }: TaskSpec): Refusal | undefined {
  if (placement === undefined || pool.replicas.size === 0) return undefined;
  const { devices, labels } = placement;
  const views = [...pool.replicas.values()].map(({ view }) => view);
  const onDevice = views.filter((view) => devices?.includes(view.device ?? '') !== false);
  if (onDevice.length === 0) {
    return invalid('/placement/devices', 'no replica of the pool runs on one of these devices');
  }
  if (!onDevice.some((view) => hasLabels(view.labels, labels))) {
    return invalid('/placement/labels', 'no replica of the pool has all of these labels');
  }
  return undefined;
}

/** Retry hint of a draining pool: its deadline, within the bounds of all retry hints. */
export function drainRetryAfterMs(state: CoreState, deadlineAtMs: number, nowMs: number): number {
  return Math.min(state.tuning.maxRetryAfterMs, Math.max(1_000, deadlineAtMs - nowMs));
}

/**
 * Context and token budget (ORCH-3014, 3015). A prompt that the engine has not counted is an upper
 * bound, so only its generation part, and one prompt token, can be held against it.
 */
function refusalBySize(task: TaskSpec, ctx: number): Refusal | undefined {
  if (task.ctx !== undefined && task.ctx > ctx) {
    return invalid('/ctx', `the pool's context is ${ctx} tokens, ${task.ctx} were asked for`);
  }
  // Its texts do not share a context.
  if (task.answersWhole) return undefined;
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
