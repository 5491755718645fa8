/**
 * Everything that makes tasks move, wired together: the core's host, the book of live tasks, the
 * dispatcher, the bridge to replicas, and the beats (metrics events, snapshots, retention).
 */
import type { Config, MetricsEvent, Readiness } from '@llama-orch/contracts';
import type { Command, Core, PoolSpec, TenantSpec } from '@llama-orch/orchestrator-core';
import type { PoolManager } from '@llama-orch/pool-managerd';
import { adapterOf } from '@llama-orch/worker-adapters';
import type { Clock } from '../clock.ts';
import { isStrictAlone, promisedDeterminism } from '../config/promised-determinism.ts';
import type { Ledger } from '../ledger/types.ts';
import type { Logger } from '../logging.ts';
import { Auditor } from '../audit/auditor.ts';
import { AUDIT_TENANT } from '../auth/identity.ts';
import { tenantsOf } from '../auth/tenants.ts';
import { accountsBeside } from '../metrics/accounts.ts';
import { attemptMetrics } from '../metrics/attempt-metrics.ts';
import { EngineTelemetry } from '../metrics/engine-telemetry.ts';
import { showGpus } from '../metrics/gpu-metrics.ts';
import type { Metrics } from '../metrics/metrics.ts';
import { showReplicaStates } from '../metrics/replica-states.ts';
import { SchedulingMetrics } from '../metrics/scheduling-metrics.ts';
import type { SloWindow } from '../metrics/slo-window.ts';
import { shownChance } from './admission-promise.ts';
import { CoreHost } from './core-host.ts';
import { Dispatcher } from './dispatcher.ts';
import { DurableWriter } from './durable-writer.ts';
import { KvKeeper } from './kv-keeper.ts';
import { LedgerUpkeep } from './ledger-upkeep.ts';
import { isAudit, type LiveTask } from './live-task.ts';
import { PoolDirectory } from './pool-directory.ts';
import { PromptPrefixes } from './prompt-prefixes.ts';
import { recover } from './recovery.ts';
import { Replayer } from './replay.ts';
import { ReplicaBridge } from './replica-bridge.ts';
import { TaskBook } from './task-book.ts';
import { TaskQueries } from './task-queries.ts';
import { TaskService } from './task-service.ts';
import { TokenCounts } from './token-counts.ts';
import { TranscriptWriter } from './transcript-writer.ts';
import { Verifier } from './verification.ts';

export interface TaskRuntimeOptions {
  readonly config: Config;
  readonly core: Core;
  readonly ledger: Ledger;
  /** Of the installation, for the hashes of prompts. */
  readonly prefixSecret: Uint8Array;
  readonly pools: PoolManager;
  readonly metrics: Metrics;
  readonly slo: SloWindow;
  readonly clock: Clock;
  /** 0 ≤ x < 1. */
  readonly random: () => number;
  readonly log: Logger;
  readonly onFatal: (error: unknown) => void;
}

/** Longest a strict task's visible token stays only in memory, ms. */
const TRANSCRIPT_BEAT_MS = 20;
const SIGNAL_BEAT_MS = 1_000;
/** Retention is looked after at least this often, and four times within its age when that is short. */
const RETENTION_BEAT_MS = 60_000;
const LEASE_RENEW_MS = 3_000;
const HOLDER = 'orchestratord';
/** For leases to be given back before the engines of a pool are ended, ms. */
const UNLOAD_WAIT_MS = 1_000;

/**
 * Audits begin where nobody waits, so they need no share. What they use up counts next to nothing by this weight:
 * else it would move the time by which tenants are held to theirs.
 */
const AUDITS: TenantSpec = { tenantId: AUDIT_TENANT, weight: 1_000, maxConcurrent: undefined };

export type TaskRuntime = ReturnType<typeof createTaskRuntime>;

export function createTaskRuntime(options: TaskRuntimeOptions) {
  const { config, core, ledger, pools, metrics, slo, clock, random, log, onFatal } = options;
  const { prefixSecret } = options;
  const writer = new DurableWriter({ ledger, clock, random, onFatal });
  const transcripts = new TranscriptWriter({ writer, clock, intervalMs: TRANSCRIPT_BEAT_MS });
  const tenants = tenantsOf(config);
  const scheduling = new SchedulingMetrics({ metrics, tenants: tenants.keys() });
  const accountsOf = accountsBeside({ metrics, scheduling, slo });
  const eventListeners = new Set<() => void>();
  const beats: (() => void)[] = [];
  let idleWaiters: (() => void)[] = [];

  const book = new TaskBook({
    transcripts,
    accountsOf,
    log,
    dispatch: (task, effect) => dispatcher.dispatch(task, effect),
    abort: (effect) => dispatcher.abort(effect),
    evictSession: (sessionId, replicaId) => void kv.erase(sessionId, replicaId),
    sessionEnded: (sessionId) => kv.sessionEnded(sessionId),
    loadPool: (poolId) => pools.load(poolId),
    unloadPool: (poolId) => void unloadPool(poolId),
    fullPolicyOf: (poolId) =>
      config.pools.find((pool) => pool.id === poolId)?.queue.full_policy ?? '',
    weightOf: (tenantId) => tenants.get(tenantId)?.weight ?? 1,
    signals: (task) => signalsOf(task),
    onPreempted: (task) => emitSignal(task),
    onCompleted: (task) => auditor.completed(task),
  });
  const upkeep = new LedgerUpkeep({
    core,
    book,
    ledger,
    writer,
    retention: config.retention,
    clock,
    log,
  });
  const host = new CoreHost({
    core,
    writer,
    clock,
    handler: book,
    onEvents: (count) => {
      upkeep.onEvents(count);
      auditor.changed();
    },
  });
  const command = (each: Command): void => host.tell(each);
  const bridge: ReplicaBridge = new ReplicaBridge({
    pools,
    command,
    holder: HOLDER,
    renewEveryMs: LEASE_RENEW_MS,
    labelsOf: ({ poolId, replicaId, ordinal: place, labels }) => {
      if (labels !== undefined) return labels;
      const replicas = pools.replicas(poolId);
      const ordinal = place ?? replicas.findIndex((each) => each.replicaId === replicaId);
      const pool = config.pools.find(({ id }) => id === poolId);
      return pool?.replica_labels[ordinal] ?? {};
    },
    isStrictAlone: (replica) => {
      const pool = config.pools.find(({ id }) => id === replica.poolId);
      return pool !== undefined && isStrictAlone(pool, replica);
    },
    unmatchedIn: (poolId) => core.poolView(poolId)?.unmatched ?? 0,
    isInterruptible: ({ engine }) => adapterOf(engine).capabilities.interruptibleDecode,
    clock,
    metrics,
    log,
    restoreCache: (lease) => kv.restore(lease),
    onGone: (replicaId) => {
      kv.replicaGone(replicaId);
      auditor.replicaGone(replicaId);
    },
    runningOn: (replicaId) => dispatcher.runningOn(replicaId),
  });
  const kv = new KvKeeper({
    pools,
    leaseOf: (replicaId) => bridge.leaseOf(replicaId),
    sessionOf: (sessionId) => core.session(sessionId, clock.now()),
    secret: prefixSecret,
    clock,
    log,
  });
  const dispatcher = new Dispatcher({
    pools,
    clock,
    transcripts,
    command,
    leaseOf: (replicaId) => bridge.leaseOf(replicaId),
    onAttemptOver: (replicaId) => bridge.attemptOver(replicaId),
    onUnexpected: (task, error) =>
      log.error({ job_id: task.taskId, err: error }, 'an attempt failed unexpectedly'),
    ...attemptMetrics(accountsOf, clock),
    prefixAfter: (task) => prefixes.withReply(task.record, task.log.text()),
    onResult: (task, replicaId, result, prefix) => kv.note(task, replicaId, result, prefix),
    onIdle: () => {
      const waiters = idleWaiters;
      idleWaiters = [];
      for (const wake of waiters) wake();
    },
  });
  const directory = new PoolDirectory({
    pools: config.pools.map((pool) => ({
      poolId: pool.id,
      engine: pool.engine,
      modelId: pool.model.id,
      aliases: pool.model.aliases,
      ctx: pool.ctx,
      promptFormat: pool.model.prompt_format,
      workloads: pool.workloads,
      features: adapterOf(pool.engine).capabilities.features,
      determinism: promisedDeterminism(pool),
    })),
    loadedIn: (poolId) => {
      const { loaded, modelId = '', replicas } = pools.health(poolId);
      // It will be loaded when it is asked for.
      if (loaded === false) return [modelId];
      return replicas
        .filter(({ canaryPercent }) => canaryPercent === undefined)
        .flatMap((replica) => [replica.modelId, replica.modelDigest]);
    },
    loadOf: (poolId) => {
      const view = core.poolView(poolId);
      return view === undefined ? 0 : view.waiting.interactive + view.waiting.batch + view.running;
    },
  });
  const prefixes = new PromptPrefixes(prefixSecret, (poolId) => core.tokensPerByte(poolId));
  const queries = new TaskQueries({ core, book, ledger, clock });
  const service = new TaskService({
    core,
    host,
    book,
    ledger,
    pools: directory,
    clock,
    metrics,
    log,
    prefixes,
    counts: new TokenCounts({ pools, leaseOf: (replicaId) => bridge.leaseOf(replicaId) }),
    makeWay: (record) => auditor.makeWay(record),
  });
  const replayer = new Replayer({ service, ledger, clock });
  const verifier = new Verifier({ queries, replayer, pools });
  const auditor: Auditor = new Auditor({
    config,
    core,
    pools,
    queries,
    replayer,
    runningOn: (replicaId) => dispatcher.runningOn(replicaId),
    cancel: (taskId) => command({ type: 'cancel', taskId, reason: 'disconnect' }),
    metrics,
    clock,
    random,
    log,
  });
  const telemetry = new EngineTelemetry({ pools, bridge, metrics, clock });

  /** Nothing runs there any more; what did not end by itself was never given work. */
  async function unloadPool(poolId: string): Promise<void> {
    const savedCache = await kv.save(poolId);
    try {
      await pools.unload(poolId, UNLOAD_WAIT_MS);
    } catch (error) {
      log.error({ pool_id: poolId, err: error }, 'a pool was not unloaded as it should be');
    }
    const isTold = savedCache === undefined ? {} : { savedCache };
    command({ type: 'pool-unloaded', poolId, ...isTold });
  }

  function signalsOf(task: LiveTask): MetricsEvent {
    const pool = core.poolView(task.poolId);
    const { record, preemptions } = task;
    const chance =
      record.deadlineAtMs === undefined
        ? undefined
        : core.task(task.taskId, clock.now())?.onTimeProbability;
    return {
      queue_depth: pool === undefined ? 0 : pool.waiting.interactive + pool.waiting.batch,
      kv_warmth: task.kvWarmth,
      tokens_out: task.log.tokens,
      ...(chance === undefined ? {} : { on_time_probability: shownChance(chance) }),
      ...(preemptions === 0 ? {} : { preempted: preemptions }),
    };
  }

  function emitSignals(): void {
    for (const task of dispatcher.tasks()) emitSignal(task);
  }

  /** Shown only once it is durable, see TaskLog. */
  function emitSignal(task: LiveTask): void {
    const { log: entries } = task;
    if (entries.tokens === 0 || !entries.mayCarryMetrics) return;
    const show = entries.hold();
    entries.append({ event: 'metrics', data: JSON.stringify(signalsOf(task)) });
    void transcripts.flush(task.taskId, entries).then(show);
  }

  function ledgerCheck(): Readiness['checks'][number] {
    const { state, error } = ledger.health();
    if (state === 'ok' && writer.healthy) return { name: 'ledger', ok: true };
    const detail = error?.message ?? 'it has more to write than it can keep up with';
    return { name: 'ledger', ok: false, detail: detail.slice(0, 1024) };
  }

  function every(ms: number, run: () => void): void {
    const timer = setInterval(run, ms);
    timer.unref();
    beats.push(() => clearInterval(timer));
  }

  return {
    host,
    service,
    queries,
    verifier,

    /** Folds the ledger and tells the core its pools; call once, before `start`. @throws LedgerError */
    async recover(specs: readonly PoolSpec[]) {
      const { events, outputSeen } = await recover({ ledger, core, book, log }, clock.now());
      host.apply({
        type: 'tenants-set',
        tenants: [...config.tenants.map(toTenantSpec), AUDITS],
      });
      for (const pool of specs) host.apply({ type: 'pool-set', pool });
      for (const { record, taskId } of [...book.all()]) {
        if (isAudit(record)) host.apply({ type: 'cancel', taskId, reason: 'disconnect' });
      }
      const tasks = book.size;
      void ledger.failed.then(onFatal);
      await host.run((each, now) => each.resume(now, { outputSeen })).durable;
      ledger.onCommit((stats) => {
        metrics.ledgerCommitMs.observe(stats.commitMs);
        metrics.ledgerBatchEvents.observe(stats.events);
        if (stats.events === 0) return;
        for (const listener of eventListeners) listener();
      });
      return { events, tasks };
    },

    start(): void {
      bridge.start();
      telemetry.start();
      auditor.start();
      every(SIGNAL_BEAT_MS, emitSignals);
      every(
        Math.min(RETENTION_BEAT_MS, config.retention.max_age_ms / 4),
        () => void upkeep.sweep(),
      );
    },

    /** Dispatches nothing more; resolves when nothing runs, or after `graceMs`. */
    async quiesce(graceMs: number): Promise<void> {
      auditor.stop();
      bridge.freeze(config.pools.map((pool) => pool.id));
      if (dispatcher.running === 0) return;
      await new Promise<void>((resolve) => {
        const cancel = clock.setTimer(graceMs, resolve);
        idleWaiters.push(() => {
          cancel();
          resolve();
        });
      });
    },

    /** Leaves what still runs to the next start. */
    abandon(): void {
      dispatcher.abandonAll();
    },

    /** Persists what is not durable yet, and ends every beat. */
    async stop(): Promise<void> {
      for (const stop of beats) stop();
      telemetry.stop();
      host.stop();
      dispatcher.abandonAll();
      bridge.stop();
      await transcripts.flushAll();
      await upkeep.snapshot();
      writer.stop();
    },

    findings: auditor.findings,

    runningOn(replicaId: string): number {
      return dispatcher.runningOn(replicaId);
    },

    onEvents(listener: () => void): () => void {
      eventListeners.add(listener);
      return () => eventListeners.delete(listener);
    },

    checks(): Readiness['checks'] {
      return [
        ledgerCheck(),
        ...config.pools.map(({ id }) => {
          const { ready, loaded, lastError } = pools.health(id);
          const name = `pool:${id}`;
          return ready || loaded === false
            ? { name, ok: true }
            : { name, ok: false, detail: (lastError ?? 'no replica is ready').slice(0, 1024) };
        }),
      ];
    },

    async scrape(): Promise<string> {
      metrics.queueDepth.reset();
      for (const pool of config.pools) {
        const waiting = core.poolView(pool.id)?.waiting;
        const replicas = pools.replicas(pool.id);
        const version = replicas[0]?.engineVersion ?? '';
        showReplicaStates(metrics, pool, replicas);
        for (const priority of ['interactive', 'batch'] as const) {
          metrics.queueDepth.set(
            { engine: pool.engine, engine_version: version, pool_id: pool.id, priority },
            waiting?.[priority] ?? 0,
          );
        }
      }
      showGpus(
        metrics,
        config.pools.flatMap(({ id }) => pools.replicas(id)),
      );
      scheduling.collect(clock.now());
      auditor.collect();
      return metrics.registry.metrics();
    },
  };
}

function toTenantSpec(tenant: Config['tenants'][number]): TenantSpec {
  return {
    tenantId: tenant.id,
    weight: tenant.weight,
    maxConcurrent: tenant.max_concurrent,
  };
}
