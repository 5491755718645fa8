/**
 * The audit of determinism: looks for replicas whose output differs from that of their set, by running a share
 * of the finished strict completions again where that costs nobody anything. One `PoolAudit` for each pool that
 * is configured for it.
 */
import type { Config, PoolConfig } from '@llama-orch/contracts';
import type { Core } from '@llama-orch/orchestrator-core';
import type { PoolManager, ReplicaSnapshot } from '@llama-orch/pool-managerd';
import type { Clock } from '../clock.ts';
import { isStrictAlone } from '../config/promised-determinism.ts';
import type { Logger } from '../logging.ts';
import type { Metrics } from '../metrics/metrics.ts';
import { labelsOfReplica } from '../metrics/replica-labels.ts';
import { isAudit, isStrict, type LiveTask, type TaskRecord } from '../tasks/live-task.ts';
import type { Replayer } from '../tasks/replay.ts';
import { othersOfItsSet } from '../tasks/replayable.ts';
import type { TaskQueries } from '../tasks/task-queries.ts';
import { isAnsweredWhole } from '../tasks/whole-answers.ts';
import type { AuditOutcome } from './audit-outcome.ts';
import { Findings } from './findings.ts';
import { PoolAudit } from './pool-audit.ts';

export interface AuditorOptions {
  readonly config: Pick<Config, 'pools'>;
  readonly core: Pick<Core, 'poolView'>;
  readonly pools: Pick<PoolManager, 'replicas' | 'subscribe'>;
  readonly queries: Pick<TaskQueries, 'findEnded'>;
  readonly replayer: Pick<Replayer, 'outputOf' | 'run'>;
  readonly runningOn: (replicaId: string) => number;
  /** Ends a second run at once. */
  readonly cancel: (taskId: string) => void;
  readonly metrics: Pick<Metrics, 'determinismAudits' | 'replicaDrifting'>;
  readonly clock: Clock;
  /** 0 ≤ x < 1. */
  readonly random: () => number;
  readonly log: Logger;
}

export class Auditor {
  readonly findings = new Findings();
  readonly #options: AuditorOptions;
  readonly #audited: readonly PoolConfig[];
  readonly #audits: ReadonlyMap<string, PoolAudit>;
  #unsubscribe: (() => void) | undefined;

  constructor(options: AuditorOptions) {
    this.#options = options;
    this.#audited = options.config.pools.filter(({ audit }) => audit.share > 0);
    this.#audits = new Map(this.#audited.map((pool) => [pool.id, this.#auditOf(pool)]));
  }

  start(): void {
    if (this.#audits.size === 0) return;
    this.#unsubscribe = this.#options.pools.subscribe((event) => {
      if (event.type !== 'replica' && event.type !== 'replica-gone') return;
      this.#audits.get(event.replica.poolId)?.replicaChanged(event.replica);
    });
  }

  /** Ends what runs for nobody, and begins nothing any more. */
  stop(): void {
    this.#unsubscribe?.();
    for (const audit of this.#audits.values()) audit.stop();
  }

  /**
   * A task has completed, and all of it is durable. Whether it is audited is a matter of chance, and only those
   * that one replica ran from the start to the end are: of the others nobody could say whose output it is.
   */
  completed(task: LiveTask): void {
    const { random, pools } = this.#options;
    const { record, poolId, replica, attempts } = task;
    const audit = this.#audits.get(poolId);
    if (audit === undefined || replica === undefined || attempts !== 1) return;
    const isOfItself = record.rerunOf !== undefined;
    if (isOfItself || !isStrict(record) || isAnsweredWhole(record.request)) return;
    if (random() >= audit.share) return;
    const { replicaId, setId } = replica;
    if (othersOfItsSet(pools, { poolId, setId, replicaId }).length === 0) return;
    // It may have been replaced since.
    const now = pools.replicas(poolId).find((each) => each.replicaId === replicaId);
    if (now?.setId !== setId) return;
    const ranOn = this.findings.lifeOf(now);
    audit.offer({ taskId: task.taskId, tenantId: record.tenantId, ranOn });
  }

  /** Call before a task is admitted. O(1) while no audit runs in its pool. */
  makeWay(record: TaskRecord): void {
    if (!isAudit(record)) this.#audits.get(record.poolId)?.makeWay(record);
  }

  /** Call after each step of the core that decided something. */
  changed(): void {
    for (const audit of this.#audits.values()) audit.changed();
  }

  /** Call when a replica's process is gone. */
  replicaGone(replicaId: string): void {
    this.findings.forget(replicaId);
  }

  /** Sets the gauge: each replica of an audited pool has a value. */
  collect(): void {
    const { pools, metrics } = this.#options;
    metrics.replicaDrifting.reset();
    for (const replica of this.#audited.flatMap(({ id }) => pools.replicas(id))) {
      const value = this.findings.isFlagged(replica) ? 1 : 0;
      metrics.replicaDrifting.set(labelsOfReplica(replica), value);
    }
  }

  #auditOf(pool: PoolConfig): PoolAudit {
    const { core, metrics, pools, queries, replayer, runningOn, cancel, clock, log } =
      this.#options;
    const { id: poolId, audit } = pool;
    return new PoolAudit({
      poolId,
      config: audit,
      pools,
      queries,
      replayer,
      findings: this.findings,
      view: () => core.poolView(poolId),
      runningOn,
      isStrictAlone: (replica: ReplicaSnapshot) => isStrictAlone(pool, replica),
      cancel,
      count: (counted: AuditOutcome) => {
        const { outcome } = counted;
        const reason = outcome === 'skipped' ? counted.reason : '';
        metrics.determinismAudits.inc({ pool_id: poolId, outcome, reason });
      },
      clock,
      log,
    });
  }
}
