/** A task as metric labels and as log fields (`.specs/71-metrics-contract.md`); neither holds text of it. */
import { SAMPLER_PROFILE_VERSION, type LiveTask } from './live-task.ts';

export interface TaskLabels {
  readonly engine: string;
  readonly engine_version: string;
  readonly pool_id: string;
  readonly replica_id: string;
  readonly priority: string;
}

/** Version and replica are empty until the task has been dispatched. */
export function taskLabels(task: LiveTask): TaskLabels {
  const { record, replica } = task;
  return {
    engine: record.engine,
    engine_version: replica?.engineVersion ?? '',
    pool_id: record.poolId,
    replica_id: replica?.replicaId ?? '',
    priority: record.request.priority ?? 'interactive',
  };
}

export function logFields(task: LiveTask): Record<string, unknown> {
  const { record, replica } = task;
  const { request } = record;
  return {
    correlation_id: record.correlationId,
    job_id: record.taskId,
    session_id: request.session_id,
    tenant_id: record.tenantId,
    engine: record.engine,
    pool_id: record.poolId,
    replica_id: replica?.replicaId,
    model_id: record.modelId,
    quant: replica?.quant,
    ctx: replica?.ctx,
    engine_version: replica?.engineVersion,
    sampler_profile_version: request.sampler_profile_version ?? SAMPLER_PROFILE_VERSION,
    kv_warmth: replica === undefined ? undefined : task.kvWarmth,
    queue_time_ms: task.dispatchedAtMs === undefined ? undefined : task.queueMs,
    priority: request.priority ?? 'interactive',
    deadline_ms: request.deadline_ms,
  };
}
