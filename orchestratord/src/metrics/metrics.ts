/**
 * Prometheus families by contract (`.specs/71-metrics-contract.md`, `ci/metrics.lint.json`). Counters are
 * moved where the thing happens; gauges are read from the core when scraped.
 */
import { Gauge, Histogram, Registry } from 'prom-client';
import { boundedCounter, boundedGauge, boundedHistogram } from './series-budget.ts';

const TASK_LABELS = ['engine', 'engine_version', 'pool_id', 'replica_id', 'priority'] as const;
const REPLICA_LABELS = ['engine', 'engine_version', 'pool_id', 'replica_id'] as const;
const GPU_LABELS = [...REPLICA_LABELS, 'device'] as const;
const LATENCY_LABELS = ['engine', 'engine_version', 'pool_id', 'priority'] as const;

/** From a token on an instant engine to a long queue, ms. */
const LATENCY_BUCKETS_MS = [
  1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 300_000,
];
const COMMIT_BUCKETS_MS = [0.1, 0.25, 0.5, 1, 2, 5, 10, 25, 50, 100, 250, 1000];
const BATCH_BUCKETS = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1000];

export type Metrics = ReturnType<typeof createMetrics>;

export function createMetrics() {
  const registry = new Registry();
  const registers = [registry];
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[]) =>
    boundedCounter({ name, help, labelNames, registers });
  const gauge = <L extends string>(name: string, help: string, labelNames: readonly L[]) =>
    boundedGauge({ name, help, labelNames, registers });
  const histogram = <L extends string>(
    name: string,
    help: string,
    labelNames: readonly L[],
    buckets: number[],
  ) => boundedHistogram({ name, help, labelNames, buckets, registers });

  return {
    registry,
    tasksEnqueued: counter('tasks_enqueued_total', 'Tasks accepted.', TASK_LABELS),
    tasksStarted: counter('tasks_started_total', 'Tasks taken into a slot.', TASK_LABELS),
    tasksCompleted: counter('tasks_completed_total', 'Tasks that ended well.', [
      ...TASK_LABELS,
      'finish_reason',
    ]),
    tasksFailed: counter('tasks_failed_total', 'Tasks that ended with a typed error.', [
      'engine',
      'pool_id',
      'code',
    ]),
    tasksCanceled: counter('tasks_canceled_total', 'Tasks that were canceled.', [
      ...REPLICA_LABELS,
      'reason',
    ]),
    tasksRejected: counter('tasks_rejected_total', 'Tasks refused at admission.', [
      'reason',
      'engine',
    ]),
    backpressure: counter(
      'admission_backpressure_events_total',
      'Times a full queue refused or evicted a task.',
      ['engine', 'policy'],
    ),
    queueDepth: gauge('queue_depth', 'Tasks waiting.', LATENCY_LABELS),
    kvCacheUsage: gauge('kv_cache_usage_ratio', 'Share of KV cells in use.', REPLICA_LABELS),
    gpuUtilization: gauge('gpu_utilization', 'Of a GPU, percent.', GPU_LABELS),
    vramUsedBytes: gauge('vram_used_bytes', 'Memory in use on a GPU, by all, bytes.', GPU_LABELS),
    firstTokenMs: histogram(
      'latency_first_token_ms',
      'Admission to first token, ms.',
      LATENCY_LABELS,
      LATENCY_BUCKETS_MS,
    ),
    decodeMs: histogram(
      'latency_decode_ms',
      'First to last token, ms.',
      LATENCY_LABELS,
      LATENCY_BUCKETS_MS,
    ),
    queueTimeMs: histogram(
      'queue_time_ms',
      'Admission to dispatch, ms.',
      LATENCY_LABELS,
      LATENCY_BUCKETS_MS,
    ),
    tokensIn: counter('tokens_in_total', 'Prompt tokens of tasks that ended well.', REPLICA_LABELS),
    tokensOut: counter('tokens_out_total', 'Tokens appended to task logs.', REPLICA_LABELS),
    replicaRestarts: counter('replica_restarts_total', 'Replica restarts.', [
      'engine',
      'pool_id',
      'replica_id',
      'reason',
    ]),
    preloads: counter('preload_outcomes_total', 'Preloads with their self-test.', [
      'engine',
      'pool_id',
      'outcome',
    ]),
    driverResets: counter('driver_resets_total', 'Restarts after an error of a GPU driver.', [
      'pool_id',
      'device',
    ]),
    leaseEvents: counter('lease_events_total', 'Lease grants, renewals and losses.', [
      'pool_id',
      'event',
    ]),
    admissionShare: gauge('admission_share', 'Share of the service lately.', [
      'tenant',
      'priority',
    ]),
    deadlinesMetRatio: gauge(
      'deadlines_met_ratio',
      'Share of tasks with a deadline that kept it lately.',
      ['priority'],
    ),
    preemptions: counter('preemptions_total', 'Tasks that yielded to others.', ['mode', 'engine']),
    resumptions: counter('resumptions_total', 'Preempted tasks dispatched again.', ['engine']),
    determinismAudits: counter(
      'determinism_audits_total',
      'Finished tasks that were drawn to run again on another replica.',
      ['pool_id', 'outcome', 'reason'],
    ),
    replicaDrifting: gauge(
      'replica_drifting',
      '1 while output of the replica is known or suspected to differ from that of its set.',
      REPLICA_LABELS,
    ),
    replicas: gauge('replicas', 'Replicas in each state.', ['engine', 'pool_id', 'state']),
    sseStreamsOpen: new Gauge({
      name: 'sse_streams_open',
      help: 'Readers connected now.',
      registers,
    }),
    ledgerCommitMs: new Histogram({
      name: 'ledger_commit_ms',
      help: 'Durable group commit, ms.',
      buckets: COMMIT_BUCKETS_MS,
      registers,
    }),
    ledgerBatchEvents: new Histogram({
      name: 'ledger_batch_events',
      help: 'Events in one group commit.',
      buckets: BATCH_BUCKETS,
      registers,
    }),
  };
}
