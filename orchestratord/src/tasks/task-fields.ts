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
    priority: task.priority,
  };
}

/** Of counters per replica. */
export function replicaLabels(task: LiveTask): Omit<TaskLabels, 'priority'> {
  const { priority: _priority, ...labels } = taskLabels(task);
  return labels;
}

/** Of latencies: per class, over all replicas. */
export function latencyLabels(task: LiveTask): Omit<TaskLabels, 'replica_id'> {
  const { replica_id: _replicaId, ...labels } = taskLabels(task);
  return labels;
}

/** What every task of a pool logs alike. */
export function poolFields({ record }: LiveTask): Record<string, unknown> {
  return { engine: record.engine, pool_id: record.poolId, model_id: record.modelId };
}

/** What is known of a task from its request. @param weight of its tenant */
export function requestFields(task: LiveTask, weight: number): Record<string, unknown> {
  const { record, priority } = task;
  const { request } = record;
  return {
    correlation_id: record.correlationId,
    job_id: record.taskId,
    session_id: request.session_id,
    tenant_id: record.tenantId,
    key_id: record.keyId,
    sampler_profile_version: request.sampler_profile_version ?? SAMPLER_PROFILE_VERSION,
    priority,
    weight,
    deadline_ms: request.deadline_ms,
  };
}

/** All that is known of a task that has been dispatched. @param weight of its tenant */
export function logFields(task: LiveTask, weight: number): Record<string, unknown> {
  const { replica, preemptions } = task;
  return {
    ...requestFields(task, weight),
    ...poolFields(task),
    replica_id: replica?.replicaId,
    quant: replica?.quant,
    ctx: replica?.ctx,
    engine_version: replica?.engineVersion,
    kv_warmth: replica === undefined ? undefined : task.kvWarmth,
    queue_time_ms: task.dispatchedAtMs === undefined ? undefined : task.queueMs,
    preempted: preemptions === 0 ? undefined : preemptions,
  };
}
