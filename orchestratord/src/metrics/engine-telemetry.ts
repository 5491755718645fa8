/**
 * Asks each leased replica's engine for its own figures on a slow beat; for the gauges. A replica that is
 * leased no more has none.
 */
import type { Lease, PoolManager } from '@llama-orch/pool-managerd';
import type { Clock } from '../clock.ts';
import type { Metrics } from './metrics.ts';
import { labelsOfReplica } from './replica-labels.ts';

export interface EngineTelemetryOptions {
  readonly pools: PoolManager;
  readonly bridge: { leases(): Iterable<Lease> };
  readonly metrics: Metrics;
  readonly clock: Clock;
}

interface KvUsage {
  readonly labels: Parameters<Metrics['kvCacheUsage']['set']>[0];
  /** 0 to 1. */
  readonly ratio: number;
}

const EVERY_MS = 5_000;
const TIMEOUT_MS = 2_000;

export class EngineTelemetry {
  readonly #options: EngineTelemetryOptions;
  /** What each replica's engine said last. */
  readonly #latest = new Map<string, KvUsage>();
  #cancel: (() => void) | undefined;
  #stopped = false;

  constructor(options: EngineTelemetryOptions) {
    this.#options = options;
  }

  start(): void {
    if (this.#stopped) return;
    this.#cancel = this.#options.clock.setTimer(EVERY_MS, () => {
      void this.#ask().finally(() => this.start());
    });
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel?.();
  }

  async #ask(): Promise<void> {
    const leases = [...this.#options.bridge.leases()];
    await Promise.all(leases.map((lease) => this.#askOne(lease)));
    const { kvCacheUsage } = this.#options.metrics;
    const leased = new Set(leases.map(({ replicaId }) => replicaId));
    kvCacheUsage.reset();
    for (const [replicaId, { labels, ratio }] of this.#latest) {
      if (leased.has(replicaId)) kvCacheUsage.set(labels, ratio);
      else this.#latest.delete(replicaId);
    }
  }

  async #askOne(lease: Lease): Promise<void> {
    const { pools } = this.#options;
    try {
      const { adapter, snapshot } = pools.use(lease);
      const { kvUsage } = await adapter.metrics(AbortSignal.timeout(TIMEOUT_MS));
      if (kvUsage === undefined) return;
      this.#latest.set(snapshot.replicaId, { labels: labelsOfReplica(snapshot), ratio: kvUsage });
    } catch {
      // The gauge keeps its last value; the pool manager's probes judge the replica.
    }
  }
}
